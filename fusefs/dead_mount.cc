#include "fusefs/dead_mount.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <thread>

#include "base/mount_info.h"
#include "fusefs/take_back.h"

namespace ocfsgw::fusefs {
namespace {

constexpr std::chrono::milliseconds kAnswerMax{1000};
constexpr std::chrono::milliseconds kPoll{2};
/// More than a guardian leaves in weeks; a bound all the same.
constexpr int kLayersMax = 10'000;

/// What is mounted at `path`, if it is a mount point.
std::optional<MountInfo> MountAt(const std::string& path) {
  struct statx stx {};  // mountinfo has the number that is used again, MountId() the other
  const int flags = AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT;
  if (statx(AT_FDCWD, path.c_str(), flags, STATX_MNT_ID, &stx) != 0) return {};
  for (auto& mount : ParseMountInfo(ReadMountInfo())) {
    if (mount.id == stx.stx_mnt_id && mount.path == path) return std::move(mount);
  }
  return {};
}

bool IsFuse(const MountInfo& mount) { return mount.type == "fuse" || mount.type.starts_with("fuse."); }

/// statfs is always a request; cached attributes of a dead mount would be answered by the kernel.
bool NobodyServes(const std::string& path) {
  const pid_t pid = fork();
  if (pid < 0) return false;
  if (pid == 0) {
    struct statfs info {};
    _exit(statfs(path.c_str(), &info) != 0 && errno == ENOTCONN ? 1 : 0);
  }
  int status = 0;
  const auto end = std::chrono::steady_clock::now() + kAnswerMax;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() >= end) {
      kill(pid, SIGKILL);
      waitpid(pid, &status, 0);
      return false;
    }
    std::this_thread::sleep_for(kPoll);
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

}  // namespace

uint64_t DeadMountAt(const std::string& path) {
  const auto mount = MountAt(path);
  return mount && IsFuse(*mount) && NobodyServes(path) ? MountId(path) : 0;
}

void RemoveDeadMounts(const std::string& path) {
  for (int i = 0; i < kLayersMax; ++i) {
    const uint64_t dead = DeadMountAt(path);
    if (dead == 0) return;
    UnmountDead(path, dead);
    if (MountId(path) == dead) return;  // it will not go
  }
}

bool IsShared(const std::string& path) {
  const auto mount = MountAt(path);
  return mount && std::any_of(mount->options.begin(), mount->options.end(),
                              [](const std::string& option) { return option.starts_with("shared:"); });
}

Result<MountStep> MountStep::Make() {
  for (const char* directory : {"/run", "/tmp", "/dev/shm"}) {
    std::string path = std::string(directory) + "/ocfsgw-mount-XXXXXX";
    if (mkdtemp(path.data()) != nullptr) return MountStep(std::move(path));
  }
  return Status(StatusCode::kUnavailable,
                "cannot mount: a dead mount is in the way, and no directory can be made in /run, /tmp or "
                "/dev/shm to mount elsewhere first");
}

MountStep::~MountStep() {
  if (path_.empty()) return;
  umount2(path_.c_str(), MNT_DETACH);
  rmdir(path_.c_str());
}

Status MountStep::MoveTo(const std::string& mountpoint) const {
  if (mount(path_.c_str(), mountpoint.c_str(), nullptr, MS_BIND, nullptr) == 0) return Status::Ok();
  return {StatusCode::kUnavailable, fmt::format("cannot mount at {}, over a dead mount: {}", mountpoint,
                                                Status::LastErrno("mount").ToString())};
}

}  // namespace ocfsgw::fusefs
