// posix_diff on OCFS2 itself and through a gateway over it, in one node of the lab.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "tests/cluster/gateway.h"

namespace ocfsgw::cluster {
namespace {

constexpr int kNode = 2;
constexpr int kSequences = 24;
constexpr int kSteps = 60;

class PosixDifferential : public testing::TestWithParam<const char*> {};

TEST_P(PosixDifferential, OnOcfs2TheSameCallsLookTheSame) {
  const char* const given =
      std::getenv("OCFSGW_TEST_SEED");  // NOLINT(concurrency-mt-unsafe): nobody calls setenv
  // The same each time, see tests/posix/differential/differential_test.cc.
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
  std::cout << "seed " << seed << "; replay: OCFSGW_TEST_SEED=" << seed << " cluster_posix_diff_test"
            << std::endl;

  const Gateway gateway(kNode);
  ASSERT_TRUE(gateway.Unmount().ok());
  const Outcome mounted =
      gateway.Mount(/*fresh=*/true, std::string("allow_other,dev,suid,fcntl=") + GetParam());
  ASSERT_TRUE(mounted.ok()) << mounted.output;
  const std::string bare = fmt::format("posix-{}-bare", seed),
                    through = fmt::format("posix-{}-gateway", seed);
  const Outcome compared = Lab().On(
      kNode,
      fmt::format(
          "cd {0} && mkdir {2} {3} && posix_diff --bare {0}/{2} --gateway {1}/{3} --seed {4} --sequences {5} "
          "--steps {6}; status=$?; rm -rf {2} {3}; exit $status",
          kShared, kGateway, bare, through, seed, kSequences, kSteps),
      std::chrono::seconds(240));
  EXPECT_TRUE(compared.ok()) << "exit status " << compared.status;
  std::cout << compared.output << std::endl;
  // Without allow_other, as other tests want it.
  EXPECT_TRUE(gateway.Unmount().ok());
}

INSTANTIATE_TEST_SUITE_P(Fcntl, PosixDifferential, testing::Values("node", "cluster"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace ocfsgw::cluster
