#include <filesystem>
#include <string>
#include <string_view>

#include "tests/mount/gateway_mount.h"

namespace ocfsgw::mounttest {
namespace {

/// Longest time of one script, also on a busy machine and with sanitizers; a hung gateway is killed some time
/// later, so that it is the script that tells.
constexpr int kScriptSeconds = 150;
constexpr Milliseconds kScriptLimit{(kScriptSeconds + 20) * 1000};
constexpr Milliseconds kMountLimit{(kScriptSeconds + 30) * 1000};
/// Exit status of a script whose program is not there.
constexpr int kNotInstalled = 77;

/// Real programs over the mount and over a plain directory on the same file system.
class PosixPrograms : public testing::TestWithParam<const char*> {
 protected:
  GatewayMount gateway_{kMountLimit};
};

// Stressors run for a second or two: with a sanitizer some of them do nothing in that time.
#if __has_feature(address_sanitizer)
constexpr bool kStress = false;
#else
constexpr bool kStress = true;
#endif

TEST_P(PosixPrograms, BehaveAsNatively) {
  if (!kStress && std::string_view(GetParam()) == "stress_ng") GTEST_SKIP() << "too slow with a sanitizer";
  ASSERT_TRUE(gateway_.Start("allow_other,dev,suid"));
  std::filesystem::create_directory(gateway_.Beside("bare"));
  const std::string script = std::string(OCFSGW_PROGRAMS_DIR "/") + GetParam() + ".sh";
  // timeout(1) reaches what the script has started, too.
  const Outcome outcome = RunProgram({"timeout", "-k", "10", std::to_string(kScriptSeconds), "bash", script,
                                      gateway_.Beside("bare"), gateway_.Mount()},
                                     kScriptLimit);
  if (outcome.exit_code == kNotInstalled) GTEST_SKIP() << outcome.err;
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
}

INSTANTIATE_TEST_SUITE_P(Scripts, PosixPrograms,
                         testing::Values("acl", "copy", "dbench", "fio", "git", "make", "php", "sqlite",
                                         "stress_ng"),
                         [](const auto& script) { return std::string(script.param); });

}  // namespace
}  // namespace ocfsgw::mounttest
