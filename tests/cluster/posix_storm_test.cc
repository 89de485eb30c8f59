// Storms of changes of names (name_storm) on one node, some processes through the gateway, some through
// OCFS2. Unlike with the kernel's own leases nothing may be late: OCFS2's locks stand between them.
#include <gtest/gtest.h>

#include <fcntl.h>

#include <cstdlib>
#include <ctime>
#include <iostream>
#include <random>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "tests/cluster/gateway.h"

namespace ocfsgw::cluster {
namespace {

constexpr std::chrono::seconds kPatience{100};

/// The storm, and whether the first process goes through the gateway.
class PosixStorm : public testing::TestWithParam<std::tuple<const char*, bool>> {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(Gateway(2).Unmount().ok()) << "one of other options, perhaps"; }
};

TEST_P(PosixStorm, GatewayAndMountOfOneNode) {
  const Outcome mounted = Gateway(2).Mount();
  ASSERT_TRUE(mounted.ok()) << mounted.output;
  const char* const given = std::getenv("OCFSGW_TEST_SEED");
  const std::string seed = given != nullptr ? given : std::to_string(std::random_device{}());
  std::cout << "seed " << seed << "; replay: OCFSGW_TEST_SEED=" << seed << " cluster_posix_storm_test"
            << std::endl;
  const auto& [storm, gateway_first] = GetParam();
  const std::string name = "/posix-storm-" + seed + storm;
  const std::string first = (gateway_first ? kGateway : kShared) + name;
  const std::string second = (gateway_first ? kShared : kGateway) + name;
  const Outcome outcome =
      Lab().On(2,
               "mkdir -p " + first + " && name_storm --stale --rounds 60 --seed " + seed + " --storm " +
                   storm + " --way " + first + " --way " + second + " && rmdir " + first,
               kPatience);
  EXPECT_TRUE(outcome.ok()) << outcome.output;
}

// OCFS2 alone loses some of them: docs/POSIX.md, O_APPEND.
TEST(PosixStormOfTwoNodes, AppendsThroughGatewaysAreAllKept) {
  constexpr int kProcesses = 4, kRecords = 3000;
  const std::string log = std::string(kGateway) + "/appends-" + std::to_string(std::random_device{}());
  for (const int node : {1, 2}) {
    ASSERT_TRUE(Gateway(node).Unmount().ok()) << "one of other options, perhaps";
    const Outcome mounted = Gateway(node).Mount();
    ASSERT_TRUE(mounted.ok()) << mounted.output;
  }
  ASSERT_TRUE(Lab().On(1, "touch " + log).ok());
  // The nodes' clocks are the host's. To start a program takes a second or more there.
  const time_t start = std::time(nullptr) + 4;
  std::vector<Outcome> outcomes(kProcesses);
  std::vector<std::thread> processes;
  for (int i = 0; i < kProcesses; ++i) {
    processes.emplace_back([&log, i, start, outcome = &outcomes[static_cast<size_t>(i)]] {
      const char* const program =
          "import os, sys, time; time.sleep(max(0, float(sys.argv[5]) - time.time())); fd = "
          "os.open(sys.argv[1], int(sys.argv[2]) | os.O_APPEND); "
          "[os.write(fd, b'%s %06d\\n' % (sys.argv[3].encode(), n)) for n in range(int(sys.argv[4]))]";
      *outcome = Lab().On(1 + i % 2,
                          "python3 -IS -c \"" + std::string(program) + "\" " + log + " " +
                              std::to_string(i / 2 == 0 ? O_WRONLY : O_RDWR) + " " + std::to_string(i) + " " +
                              std::to_string(kRecords) + " " + std::to_string(start),
                          kPatience);
    });
  }
  for (std::thread& process : processes) process.join();
  for (const Outcome& outcome : outcomes) EXPECT_TRUE(outcome.ok()) << outcome.output;
  for (const int node : {1, 2}) {
    const Outcome wrong =
        Lab().On(node, "awk 'NF != 2 || $2 != n[$1]++ { bad++ } END { print NR, bad + 0 }' " + log);
    EXPECT_EQ(wrong.output, std::to_string(kProcesses * kRecords) + " 0\n")
        << "records, and those out of order";
  }
  EXPECT_TRUE(Lab().On(1, "rm " + log).ok());
}

INSTANTIATE_TEST_SUITE_P(Storms, PosixStorm,
                         testing::Combine(testing::Values("creators", "lock_files", "movers", "replacers",
                                                          "linkers", "listers", "appenders",
                                                          "reading_appenders", "neighbours"),
                                          testing::Bool()),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param)) +
                                  (std::get<1>(test.param) ? "_gateway_first" : "_mount_first");
                         });

}  // namespace
}  // namespace ocfsgw::cluster
