// Storms of changes of names (name_storm) through the gateway, and through the gateway and behind it at once.
#include <string>
#include <vector>

#include "tests/mount/files.h"
#include "tests/mount/gateway_mount.h"

namespace ocfsgw::mounttest {
namespace {

constexpr Milliseconds kPatience{50'000};

class PosixStorm : public MountTest, public testing::WithParamInterface<const char*> {
 protected:
  void Blow(const std::vector<std::string>& more) {
    const uint64_t seed = TestSeed();
    std::vector<std::string> command = {OCFSGW_NAME_STORM, "--way", gateway_.Mount(), "--seed",
                                        std::to_string(seed)};
    command.insert(command.end(), more.begin(), more.end());
    const Outcome outcome = RunProgram(command, kPatience);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
    EXPECT_TRUE(List(gateway_.Source()).empty());
  }
};

TEST_P(PosixStorm, ThroughTheGateway) {
  ASSERT_TRUE(gateway_.Start());
  Blow({"--storm", GetParam(), "--rounds", "500"});
}

// Names that are changed behind the gateway are noticed afterwards, but never lost or halved.
TEST_P(PosixStorm, ThroughTheGatewayAndBehindIt) {
  ASSERT_TRUE(gateway_.Start("hold_off_ms=10"));
  const std::string barrier =
      GatewayMount::ControlProgram() + " --mount " + gateway_.Mount() + " barrier >/dev/null";
  Blow({"--storm", GetParam(), "--rounds", "300", "--way", gateway_.Source(), "--late", "--stale", "--settle",
        barrier});
}

INSTANTIATE_TEST_SUITE_P(Storms, PosixStorm,
                         testing::Values("creators", "lock_files", "movers", "replacers", "linkers",
                                         "listers", "appenders", "reading_appenders", "neighbours"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace ocfsgw::mounttest
