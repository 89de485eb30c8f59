// Every way to mount and to end a mount.
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <vector>

#include "tests/mount/files.h"
#include "tests/mount/gateway_mount.h"

namespace ocfsgw::mounttest {
namespace {

/// mount(8) runs mount.fuse3 with the system's PATH, so the program has to be in it for `mount -t
/// fuse.ocfsgw`.
class ProgramInPath {
 public:
  ProgramInPath() {
    std::error_code error;
    if (std::filesystem::exists(kPath, error)) return;
    std::filesystem::remove(kPath, error);  // a link to nowhere
    std::filesystem::create_symlink(GatewayMount::Program(), kPath, error);
    ours_ = !error;
  }
  ~ProgramInPath() {
    std::error_code error;
    if (ours_) std::filesystem::remove(kPath, error);
  }

 private:
  static constexpr const char* kPath = "/usr/local/bin/ocfsgw";
  bool ours_ = false;
};

class LifeCycle : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    ASSERT_TRUE(WriteFile(gateway_.Source("hello"), "world"));
  }
  void ExpectServing() { EXPECT_EQ(ReadFile(gateway_.Mount("hello")), "world"); }
};

TEST_F(LifeCycle, BackgroundMountReturnsWhenItServes) {
  const Outcome outcome = gateway_.Mounting(gateway_.Options());
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.err, "");
  EXPECT_EQ(outcome.out, "");
  ExpectServing();
  const auto status = gateway_.Ctl("status");
  EXPECT_EQ(status.value("mountpoint", ""), gateway_.Mount());
  EXPECT_EQ(status.value("source", ""), gateway_.Source());
  EXPECT_EQ(status.value("pid", 0), gateway_.pid());
  EXPECT_EQ(status.value("guardian", 0), gateway_.guardian());
  EXPECT_EQ(status.value("restarts", -1), 0);
  EXPECT_EQ(status.value("lease_provider", ""), "local");
  EXPECT_EQ(status.value("cache_slot", ""), gateway_.cache_dir() + "/0");
  EXPECT_TRUE(std::filesystem::exists(gateway_.cache_dir() + "/0/control.sock"));
  EXPECT_EQ(gateway_.Metric("ocfsgw_page_store_info{directory=\"" + gateway_.cache_dir() + "/0\"}"), 1);
  EXPECT_TRUE(gateway_.Unmount());
  EXPECT_FALSE(std::filesystem::exists(gateway_.Mount("hello")));
  EXPECT_FALSE(std::filesystem::exists(gateway_.cache_dir() + "/0/control.sock"));
}

TEST_F(LifeCycle, ForegroundStaysUntilUnmounted) {
  const std::string program = GatewayMount::Program();
  const std::string options = gateway_.Options();
  Fork process([&] {
    return execl(program.c_str(), program.c_str(), gateway_.Source().c_str(), gateway_.Mount().c_str(), "-o",
                 options.c_str(), "-f", nullptr);
  });
  ASSERT_TRUE(Eventually([&] { return gateway_.mounted(); }));
  ExpectServing();
  EXPECT_EQ(gateway_.guardian(), process.pid());
  ASSERT_EQ(umount2(gateway_.Mount().c_str(), 0), 0);
  EXPECT_EQ(process.Wait(), 0);
}

TEST_F(LifeCycle, MountByHelper) {
  const Outcome outcome =
      RunProgram({"mount", "-t", "fuse", GatewayMount::Program() + "#" + gateway_.Source(), gateway_.Mount(),
                  "-o", gateway_.Options()});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  ExpectServing();
  EXPECT_TRUE(gateway_.Unmount());
}

TEST_F(LifeCycle, MountByType) {
  const ProgramInPath in_path;
  const Outcome outcome = RunProgram(
      {"mount", "-t", "fuse.ocfsgw", gateway_.Source(), gateway_.Mount(), "-o", gateway_.Options()});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  ExpectServing();
  const Outcome shown = RunProgram({"findmnt", "-n", "-o", "FSTYPE,SOURCE", gateway_.Mount()});
  EXPECT_EQ(shown.out, "fuse.ocfsgw " + gateway_.Source() + "\n");
  const Outcome unmounted = RunProgram({"umount", gateway_.Mount()});
  EXPECT_EQ(unmounted.exit_code, 0) << unmounted.err;
  EXPECT_TRUE(Eventually([&] { return gateway_.guardian() == 0; }));
}

TEST_F(LifeCycle, MountByFstab) {
  const ProgramInPath in_path;
  const std::string fstab = gateway_.Beside("fstab");
  ASSERT_TRUE(
      WriteFile(fstab, gateway_.Source() + " " + gateway_.Mount() + " fuse.ocfsgw " + gateway_.Options() +
                           ",noauto,nofail,_netdev,allow_other,noatime,x-systemd.requires=none 0 0\n"));
  const Outcome outcome = RunProgram({"mount", "--fstab", fstab, gateway_.Mount()});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  ExpectServing();
  EXPECT_TRUE(gateway_.Unmount());
}

TEST_F(LifeCycle, RemountIsRefusedWithOneLine) {
  const ProgramInPath in_path;
  ASSERT_EQ(RunProgram(
                {"mount", "-t", "fuse.ocfsgw", gateway_.Source(), gateway_.Mount(), "-o", gateway_.Options()})
                .exit_code,
            0);
  const Outcome outcome = RunProgram({"mount", "-o", "remount,ro", gateway_.Mount()});
  EXPECT_NE(outcome.exit_code, 0);
  EXPECT_EQ(outcome.err, "ocfsgw: remount is not supported: unmount and mount again\n");
  ExpectServing();
}

TEST_F(LifeCycle, FusermountUnmounts) {
  ASSERT_TRUE(gateway_.Start());
  const pid_t pid = gateway_.guardian();
  EXPECT_EQ(RunProgram({"fusermount3", "-u", gateway_.Mount()}).exit_code, 0);
  EXPECT_EQ(WaitForChild(pid), 0);
  EXPECT_FALSE(gateway_.mounted());
}

TEST_F(LifeCycle, SignalsUnmountAndEndWithSuccess) {
  for (const auto& [signal, to_guardian] :
       {std::pair{SIGTERM, false}, {SIGINT, false}, {SIGTERM, true}, {SIGINT, true}}) {
    ASSERT_TRUE(gateway_.Start());
    ExpectServing();
    const pid_t guardian = gateway_.guardian();
    ASSERT_EQ(kill(to_guardian ? guardian : gateway_.pid(), signal), 0);
    EXPECT_EQ(WaitForChild(guardian), 0) << "signal " << signal;
    EXPECT_FALSE(gateway_.mounted());
  }
}

TEST_F(LifeCycle, SignalUnmountsAMountInUse) {
  ASSERT_TRUE(gateway_.Start());
  const Descriptor in_use(open(gateway_.Mount("hello").c_str(), O_RDONLY));
  ASSERT_GE(in_use.get(), 0);
  const pid_t guardian = gateway_.guardian();
  ASSERT_EQ(kill(gateway_.pid(), SIGTERM), 0);
  EXPECT_EQ(WaitForChild(guardian), 0);
  EXPECT_FALSE(gateway_.mounted());
}

TEST_F(LifeCycle, MountOverTheSourceItself) {
  gateway_.set_mountpoint(gateway_.Source());
  ASSERT_TRUE(gateway_.Start());
  ExpectServing();
  EXPECT_TRUE(WriteFile(gateway_.Mount("new"), "through the mount"));
  EXPECT_EQ(ReadFile(gateway_.Mount("new")), "through the mount");
  EXPECT_TRUE(gateway_.Unmount());
  EXPECT_EQ(ReadFile(gateway_.Source("new")), "through the mount");
}

TEST_F(LifeCycle, ReadOnlyMountRefusesChanges) {
  ASSERT_TRUE(gateway_.Start("ro"));
  ExpectServing();
  const std::string file = gateway_.Mount("hello");
  const auto error_of = [](int result) { return result < 0 ? errno : 0; };
  EXPECT_EQ(error_of(open(file.c_str(), O_WRONLY)), EROFS);
  EXPECT_EQ(error_of(open(gateway_.Mount("new").c_str(), O_WRONLY | O_CREAT, 0600)), EROFS);
  EXPECT_EQ(error_of(mkdir(gateway_.Mount("dir").c_str(), 0700)), EROFS);
  EXPECT_EQ(error_of(unlink(file.c_str())), EROFS);
  EXPECT_EQ(error_of(chmod(file.c_str(), 0600)), EROFS);
  EXPECT_EQ(error_of(truncate(file.c_str(), 0)), EROFS);
  EXPECT_EQ(error_of(rename(file.c_str(), gateway_.Mount("other").c_str())), EROFS);
}

// No descriptor is kept for an inode, however many of them the kernel knows.
TEST_F(LifeCycle, FiftyThousandInodesWithAThousandDescriptors) {
#if defined(__has_feature) && __has_feature(address_sanitizer)
  constexpr int kDirectories = 10;  // it is five times slower
#else
  constexpr int kDirectories = 50;
#endif
  constexpr int kFiles = 1000, kOpen = 10 * kDirectories;
  constexpr size_t kDescriptors = 1024;
  const auto name = [](int directory, int file) {
    return "d" + std::to_string(directory) + "/" + std::to_string(file);
  };
  for (int d = 0; d < kDirectories; ++d) {
    ASSERT_EQ(mkdir(gateway_.Source("d" + std::to_string(d)).c_str(), 0755), 0);
    for (int f = 0; f < kFiles; ++f) ASSERT_TRUE(WriteFile(gateway_.Source(name(d, f)), name(d, f)));
  }
  const Outcome mounted =
      RunProgram({"prlimit", "--nofile=" + std::to_string(kDescriptors), GatewayMount::Program(),
                  gateway_.Source(), gateway_.Mount(), "-o", gateway_.Options()});
  ASSERT_EQ(mounted.exit_code, 0) << mounted.err;
  std::vector<std::unique_ptr<Descriptor>> open_files;
  for (int d = 0; d < kDirectories; ++d) {
    for (int f = 0; f < kFiles; ++f) {
      struct stat st {};
      ASSERT_EQ(stat(gateway_.Mount(name(d, f)).c_str(), &st), 0) << name(d, f);
      ASSERT_EQ(st.st_size, static_cast<off_t>(name(d, f).size())) << name(d, f);
      if (f % 10 == 0) ASSERT_EQ(ReadFile(gateway_.Mount(name(d, f))), name(d, f));
      if (f % 100 != 7) continue;
      open_files.push_back(
          std::make_unique<Descriptor>(open(gateway_.Mount(name(d, f)).c_str(), O_RDWR | O_CLOEXEC)));
      ASSERT_GE(open_files.back()->get(), 0) << name(d, f) << ": " << std::strerror(errno);
    }
  }
  ASSERT_EQ(open_files.size(), static_cast<size_t>(kOpen));
  EXPECT_GE(gateway_.Metric("ocfsgw_inodes_known"), kDirectories * kFiles);
  for (const auto& file : open_files) {
    EXPECT_EQ(pwrite(file->get(), "D", 1, 0), 1);
    EXPECT_EQ(ReadAt(file->get(), 1), "D");
  }
  const std::filesystem::directory_iterator held("/proc/" + std::to_string(gateway_.pid()) + "/fd");
  EXPECT_LT(static_cast<size_t>(std::distance(begin(held), end(held))), kDescriptors);
}

TEST_F(LifeCycle, KilledGatewayLeavesAMountThatCanBeReplaced) {
  ASSERT_TRUE(gateway_.Start());
  ExpectServing();
  gateway_.Kill();
  EXPECT_EQ(open(gateway_.Mount("hello").c_str(), O_RDONLY), -1);
  EXPECT_EQ(errno, ENOTCONN);
  const Outcome unmounted = RunProgram({"umount", gateway_.Mount()});
  EXPECT_EQ(unmounted.exit_code, 0) << unmounted.err;
  ASSERT_TRUE(gateway_.Start());
  ExpectServing();
  EXPECT_TRUE(gateway_.Ctl("status").is_object());
  EXPECT_TRUE(gateway_.Unmount());
}

TEST_F(LifeCycle, TheKernelReadsAheadAsFarAsItIsTold) {
  for (const auto& [option, kib] :
       {std::pair("", 1024), {"read_ahead=4M", 4096}, {"read_ahead=64K", 64}, {"read_ahead=0", 128}}) {
    ASSERT_EQ(gateway_.Mounting(gateway_.Options(option)).exit_code, 0) << option;
    ExpectServing();  // INIT has been answered
    struct stat st {};
    ASSERT_EQ(stat(gateway_.Mount().c_str(), &st), 0);
    const auto path = "/sys/class/bdi/" + std::to_string(major(st.st_dev)) + ":" +
                      std::to_string(minor(st.st_dev)) + "/read_ahead_kb";
    // Where the device cannot be told, the kernel takes no more than its own from the gateway.
    const int most = access(path.c_str(), W_OK) == 0 ? INT_MAX : 128;
    std::ifstream file(path);
    int found = 0;
    file >> found;
    EXPECT_EQ(found, std::min(kib, most)) << option;
    ASSERT_TRUE(gateway_.Unmount());
  }
}

}  // namespace
}  // namespace ocfsgw::mounttest
