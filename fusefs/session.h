#pragma once

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "fusefs/request.h"

namespace ocfsgw::fusefs {

/// One libfuse session: mounted by Mount, served by Serve, unmounted by the destructor. Not thread-safe.
class Session {
 public:
  /// Requests handled at once: each may wait for the cluster, and 64 waiting ones leave a node's other work
  /// alone.
  static constexpr unsigned kThreadsMax = 64;

  /// Mounts at `mountpoint`; `options` are arguments of -o for libfuse. `context` outlives the session.
  /// Errors: kUnavailable with one line for the user.
  static Result<std::unique_ptr<Session>> Mount(const std::string& mountpoint,
                                                const std::vector<std::string>& options,
                                                MountContext* context);
  ~Session();

  /// Handles requests until the file system is unmounted, which a SIGTERM or SIGINT does if nobody uses it;
  /// else they end the serving, after everything written has been passed on, and leave the mount to Cut. The
  /// error if the connection broke for another reason. REQUIRES: both signals blocked in every thread,
  /// SIGUSR1 in none.
  Status Serve();
  /// After Serve: unmounts lazily what is still mounted, and cuts the connection.
  void Cut();
  uint64_t mount_id() const { return mount_id_; }
  fuse_session* get() const { return session_; }

 private:
  Session(fuse_session* session, std::string mountpoint);
  void WaitForSignal(int stop_fd, pthread_t serving);

  fuse_session* const session_;
  const std::string mountpoint_;
  const uint64_t mount_id_;
  std::atomic<bool> told_to_stop_{false};
};

}  // namespace ocfsgw::fusefs
