#pragma once

#include <string>

#include "base/status.h"
#include "base/unique_fd.h"

namespace ocfsgw::ctl {

/// Unix stream sockets whose path may be longer than the 107 bytes of sockaddr_un (unix(7)): such a path is
/// reached through its directory's descriptor in /proc/self/fd. Sockets are close-on-exec and non-blocking.

/// A socket bound to `path` with mode 0600, not yet listening. kSystem: EADDRINUSE, ...
Result<UniqueFd> BindUnixSocket(const std::string& path);
/// Never blocks: EAGAIN when the server's backlog is full. kSystem: ENOENT and ECONNREFUSED when there is no
/// server.
Result<UniqueFd> ConnectUnixSocket(const std::string& path);

}  // namespace ocfsgw::ctl
