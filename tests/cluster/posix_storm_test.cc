// Storms of changes of names (name_storm) on one node, some processes through the gateway, some through
// OCFS2. Unlike with the kernel's own leases nothing may be late: OCFS2's locks stand between them.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <tuple>

#include "tests/cluster/gateway.h"

namespace ocfsgw::cluster {
namespace {

constexpr std::chrono::seconds kPatience{100};

/// The storm, and whether the first process goes through the gateway.
class PosixStorm : public testing::TestWithParam<std::tuple<const char*, bool>> {};

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

// Without linkers: see docs/POSIX.md, `link` on OCFS2.
INSTANTIATE_TEST_SUITE_P(Storms, PosixStorm,
                         testing::Combine(testing::Values("creators", "lock_files", "movers", "replacers",
                                                          "listers", "appenders", "reading_appenders",
                                                          "neighbours"),
                                          testing::Bool()),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param)) +
                                  (std::get<1>(test.param) ? "_gateway_first" : "_mount_first");
                         });

}  // namespace
}  // namespace ocfsgw::cluster
