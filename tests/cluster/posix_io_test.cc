// Random operations on one file (io_exerciser), two nodes in turn: what one has done must be seen by the
// other at once, by every kind of look.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

#include "tests/cluster/gateway.h"

namespace ocfsgw::cluster {
namespace {

constexpr std::chrono::seconds kPatience{200};
constexpr int kFirstPort = 9100;

struct Ways {
  const char* name;
  const char* first;   ///< Mount in node 1.
  const char* second;  ///< Mount in node 2.
  int ops;
};

void PrintTo(const Ways& ways, std::ostream* out) { *out << ways.name; }

class PosixIoOfOneNode : public testing::Test {
 protected:
  void SetUp() override {
    for (const int node : {1, 2}) {
      const Outcome mounted = Gateway(node).Mount();
      ASSERT_TRUE(mounted.ok()) << mounted.output;
    }
  }
  static uint64_t Seed() {
    const char* const given = std::getenv("OCFSGW_TEST_SEED");
    const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::cout << "seed " << seed << "; replay: OCFSGW_TEST_SEED=" << seed
              << " cluster_posix_io_test --gtest_filter="
              << testing::UnitTest::GetInstance()->current_test_info()->test_suite_name() << "."
              << testing::UnitTest::GetInstance()->current_test_info()->name() << std::endl;
    return seed;
  }
};

class PosixIo : public PosixIoOfOneNode, public testing::WithParamInterface<Ways> {};

TEST_P(PosixIo, TwoNodesInTurn) {
  const uint64_t seed = Seed();
  const std::string file = std::string("/posix-io-") + GetParam().name;
  // Its own port each time: a peer that nobody has connected to may still wait at another.
  static int port = kFirstPort + static_cast<int>(seed % 800);
  ++port;
  const Outcome serving =
      Lab().On(1, "io_exerciser --path " + (GetParam().first + file) + " --serve " + std::to_string(port));
  ASSERT_TRUE(serving.ok()) << serving.output;
  const Outcome exercised = Lab().On(2,
                                     "io_exerciser --path " + (GetParam().second + file) +
                                         " --peer 192.0.2.1:" + std::to_string(port) + " --seed " +
                                         std::to_string(seed) + " --ops " + std::to_string(GetParam().ops),
                                     kPatience);
  EXPECT_TRUE(exercised.ok()) << "node 2 is side 0, node 1 side 1\n" << exercised.output;
}

INSTANTIATE_TEST_SUITE_P(Ways, PosixIo,
                         testing::Values(Ways{"mount_and_gateway", kShared, kGateway, 3000},
                                         Ways{"gateway_and_mount", kGateway, kShared, 3000},
                                         Ways{"two_gateways", kGateway, kGateway, 2000}),
                         [](const auto& test) { return std::string(test.param.name); });

// Strict here, unlike with the kernel's own leases: OCFS2's locks stand between the two.
TEST_F(PosixIoOfOneNode, GatewayAndMountOfOneNodeInTurn) {
  const uint64_t seed = Seed();
  const std::string gateway = std::string(kGateway) + "/posix-io-one",
                    mount = std::string(kShared) + "/posix-io-one";
  const auto exercise = [&](const std::string& first, const std::string& second) {
    const Outcome exercised = Lab().On(2,
                                       "io_exerciser --path " + first + " --second " + second + " --seed " +
                                           std::to_string(seed) + " --ops 2000",
                                       kPatience);
    EXPECT_TRUE(exercised.ok()) << exercised.output;
  };
  exercise(gateway, mount);
  exercise(mount, gateway);
}

}  // namespace
}  // namespace ocfsgw::cluster
