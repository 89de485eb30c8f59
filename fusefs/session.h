#pragma once

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

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

  /// Handles requests until the file system is unmounted or a SIGTERM or SIGINT arrives. The error if the
  /// connection broke for another reason.
  Status Serve();
  fuse_session* get() const { return session_; }

 private:
  explicit Session(fuse_session* session) : session_(session) {}
  fuse_session* const session_;
};

}  // namespace ocfsgw::fusefs
