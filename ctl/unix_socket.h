#pragma once

#include <string>
#include <utility>

#include "base/status.h"

namespace ocfsgw::ctl {

/// A file descriptor, closed at the end. Movable.
class UniqueFd {
 public:
  explicit UniqueFd(int fd = -1) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~UniqueFd();
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

/// Unix stream sockets whose path may be longer than the 107 bytes of sockaddr_un (unix(7)): such a path is
/// reached through its directory's descriptor in /proc/self/fd. Sockets are close-on-exec and non-blocking.

/// A socket bound to `path` with mode 0600, not yet listening. kSystem: EADDRINUSE, ...
Result<UniqueFd> BindUnixSocket(const std::string& path);
/// Never blocks: EAGAIN when the server's backlog is full. kSystem: ENOENT and ECONNREFUSED when there is no
/// server.
Result<UniqueFd> ConnectUnixSocket(const std::string& path);

}  // namespace ocfsgw::ctl
