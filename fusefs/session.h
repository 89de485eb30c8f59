#pragma once

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/status.h"
#include "fusefs/request.h"

namespace ocfsgw::fusefs {

/// One libfuse session: mounted by Mount, served from Start on, unmounted by the destructor. Not thread-safe.
class Session {
 public:
  /// Requests handled at once: each may wait for the cluster, and 64 waiting ones leave a node's other work
  /// alone.
  static constexpr unsigned kThreadsMax = 64;

  /// Mounts at `mountpoint`; `options` are arguments of -o for libfuse. `context` outlives the session.
  /// `over_dead`: on top of a dead mount (fusefs/dead_mount.h). Errors: kUnavailable with one line for the
  /// user.
  static Result<std::unique_ptr<Session>> Mount(const std::string& mountpoint,
                                                const std::vector<std::string>& options,
                                                MountContext* context, bool over_dead);
  /// Stops it first if it is still served.
  ~Session();

  /// Begins to handle requests, on threads of its own, until the file system is unmounted or Stop is called.
  /// Call once. kSystem if there is no descriptor. REQUIRES: SIGTERM and SIGINT blocked in this thread,
  /// SIGUSR1 not.
  Status Start();
  /// Readable once serving has ended. REQUIRES: started.
  int ended_fd() const { return ended_fd_; }
  /// Unmounts as soon as nobody uses the mount, here or where it was propagated to, and serves until nobody
  /// has it mounted, `deadline` has come, or `interrupt_fd` is readable. REQUIRES: started.
  void AwaitUnused(std::chrono::steady_clock::time_point deadline, int interrupt_fd);
  /// Unmounts if nobody uses the mount; else ends the serving, after everything written has been passed on,
  /// and leaves the mount to Cut. REQUIRES: started.
  void Stop();
  /// Returns when serving has ended: the error if the connection broke, unless it was told to stop.
  /// REQUIRES: started.
  Status Wait();
  /// After Wait: unmounts lazily what is still mounted, and cuts the connection.
  void Cut();
  const std::string& mountpoint() const { return mountpoint_; }
  uint64_t mount_id() const { return mount_id_; }
  uint32_t device() const { return device_; }  ///< See DeviceOf.
  fuse_session* get() const { return session_; }

 private:
  Session(fuse_session* session, std::string mountpoint);

  fuse_session* const session_;
  const std::string mountpoint_;
  const uint64_t mount_id_;
  const uint32_t device_;
  int ended_fd_ = -1;
  std::thread serving_;
  int result_ = 0;  ///< Of serving_.
  bool told_to_stop_ = false;
  bool unmounted_ = false;  ///< Here, by this object.
};

}  // namespace ocfsgw::fusefs
