#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace ocfsgw::fusefs {

/// What a gateway leaves mounted when it dies together with its guardian, as all of a container does: every
/// access fails with ENOTCONN.
///
/// Containers that were started while it lived have a bind mount of *it*, as their parent mount tells nothing
/// of a mount that takes its place. But a mount made on top of it reaches them, if they follow it (a slave,
/// HostToContainer): so the next gateway covers it, and takes it away when it ends itself.

/// MountId of what is mounted at `path` if that is FUSE's and nobody serves it; else 0. Forks, since a server
/// that hangs would hold up who asks: blocks for a second at most. REQUIRES: one thread.
uint64_t DeadMountAt(const std::string& path);

/// Takes away the dead mounts at `path`, one below the other, here and where they were propagated to, but not
/// what is mounted below them. As DeadMountAt.
void RemoveDeadMounts(const std::string& path);

/// Whether what is mounted on top of the mount at `path` reaches others (a shared mount).
bool IsShared(const std::string& path);

/// Where libfuse mounts when the mount point is a dead mount, at which it would not even look: a directory of
/// its own, removed by the destructor.
class MountStep {
 public:
  /// Tries /run, /tmp and /dev/shm. Errors: kUnavailable with one line for the user.
  static Result<MountStep> Make();
  MountStep(MountStep&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  MountStep& operator=(MountStep&&) = delete;
  ~MountStep();
  const std::string& path() const { return path_; }
  /// Mounts on `mountpoint` what is mounted here. Errors: kUnavailable with one line for the user.
  Status MoveTo(const std::string& mountpoint) const;

 private:
  explicit MountStep(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace ocfsgw::fusefs
