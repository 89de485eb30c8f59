#include "fusefs/dead_mount.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>
#include <vector>

#include "fusefs/take_back.h"

namespace ocfsgw::fusefs {
namespace {

constexpr std::chrono::milliseconds kAnswerMax{1000};
constexpr std::chrono::milliseconds kPoll{2};
/// More than a guardian leaves in weeks; a bound all the same.
constexpr int kLayersMax = 10'000;

/// As the kernel writes paths in mountinfo.
std::string Escaped(const std::string& path) {
  std::string text;
  for (const char c : path) {
    if (c == ' ' || c == '\t' || c == '\n' || c == '\\') {
      text += fmt::format("\\{:03o}", static_cast<unsigned>(c));
    } else {
      text += c;
    }
  }
  return text;
}

/// The line of /proc/self/mountinfo about what is mounted at `path`, if it is a mount point: fields as in
/// proc(5).
std::optional<std::vector<std::string>> MountInfo(const std::string& path) {
  struct statx stx {};
  const int flags = AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT;
  if (statx(AT_FDCWD, path.c_str(), flags, STATX_MNT_ID, &stx) != 0) return {};
  std::ifstream file("/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    if (std::strtoull(line.c_str(), nullptr, 10) != stx.stx_mnt_id) continue;
    std::istringstream words(line);
    std::vector<std::string> fields;
    for (std::string word; words >> word;) fields.push_back(word);
    if (fields.size() > 6 && fields[4] == Escaped(path)) return fields;
    return {};
  }
  return {};
}

/// The type comes after the optional fields and "-".
bool IsFuse(const std::vector<std::string>& fields) {
  for (size_t i = 6; i + 1 < fields.size(); ++i) {
    if (fields[i] == "-") return fields[i + 1] == "fuse" || fields[i + 1].starts_with("fuse.");
  }
  return false;
}

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
  const auto info = MountInfo(path);
  return info && IsFuse(*info) && NobodyServes(path) ? MountId(path) : 0;
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
  const auto info = MountInfo(path);
  for (size_t i = 6; info && i < info->size() && (*info)[i] != "-"; ++i) {
    if ((*info)[i].starts_with("shared:")) return true;
  }
  return false;
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
