// posix_diff with a real mount over each file system that the kernel has.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "tests/mount/gateway_mount.h"

namespace ocfsgw::mounttest {
namespace {

#if __has_feature(address_sanitizer)
constexpr int kSequences = 40;
#else
constexpr int kSequences = 120;
#endif
constexpr int kSteps = 60;
constexpr Milliseconds kTimeLimit{150'000};
constexpr uintmax_t kImageBytes = uintmax_t{1} << 30;  // sparse

struct Kind {
  const char* name;
  const char* make;   ///< Program that makes an image; null: there is no image.
  const char* lease;  ///< tmpfs has no file leases.
};
void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

/// In a mount namespace of its own, so that nothing stays mounted whatever happens to the test.
class Differential : public testing::TestWithParam<Kind> {
 protected:
  static void SetUpTestSuite() {
    ASSERT_EQ(unshare(CLONE_NEWNS), 0) << std::strerror(errno);
    ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0) << std::strerror(errno);
  }
  void TearDown() override {
    if (gateway_.mounted()) EXPECT_TRUE(gateway_.Unmount());
    umount2(gateway_.Source().c_str(), MNT_DETACH);
  }

  /// Mounts the file system at the source. What went wrong, or nothing.
  std::string MountSource() const {
    const Kind& kind = GetParam();
    // Looking is not to change it: without access times.
    std::vector<std::string> command = {"mount", "-t", kind.name, "-o", "noatime", "none", gateway_.Source()};
    if (kind.make != nullptr) {
      const std::string image = gateway_.Beside("image");
      std::ofstream(image).close();
      std::filesystem::resize_file(image, kImageBytes);
      const Outcome made = RunProgram({kind.make, "-q", image}, kTimeLimit);
      if (made.exit_code != 0) return std::string(kind.make) + ": " + made.out + made.err;
      command[4] = "noatime,loop";
      command[5] = image;
    }
    const Outcome mounted = RunProgram(command);
    return mounted.exit_code == 0 ? "" : "mount: " + mounted.err;
  }

  GatewayMount gateway_{kTimeLimit};
};

TEST_P(Differential, TheSameCallsLookTheSame) {
  // The same sequences each time: a difference found at random would be blamed on whatever was changed last.
  // Others by OCFSGW_TEST_SEED.
  setenv("OCFSGW_TEST_SEED", "1", 0);
  const uint64_t seed = TestSeed();
  if (const std::string problem = MountSource(); !problem.empty()) {
    std::cerr << "SKIPPED: nothing is compared on " << GetParam().name << ": " << problem << std::endl;
    GTEST_SKIP() << problem;
  }
  const Outcome mounted = gateway_.Mounting(std::string("allow_other,dev,suid,lease=") + GetParam().lease +
                                            ",cache_dir=" + gateway_.cache_dir());
  ASSERT_EQ(mounted.exit_code, 0) << mounted.err;
  for (const char* directory : {"plain", "through"})
    std::filesystem::create_directory(gateway_.Source(directory));
  const Outcome compared =
      RunProgram({POSIX_DIFF_PROGRAM, "--bare", gateway_.Source("plain"), "--gateway",
                  gateway_.Mount("through"), "--seed", std::to_string(seed), "--sequences",
                  std::to_string(kSequences), "--steps", std::to_string(kSteps)},
                 kTimeLimit);
  EXPECT_EQ(compared.exit_code, 0) << compared.err;
  std::cout << compared.out << std::endl;
}

INSTANTIATE_TEST_SUITE_P(FileSystems, Differential,
                         testing::Values(Kind{"ext4", "mkfs.ext4", "local"}, Kind{"xfs", "mkfs.xfs", "local"},
                                         Kind{"tmpfs", nullptr, "none"}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace ocfsgw::mounttest
