#include "ctl/unix_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

namespace ocfsgw::ctl {
namespace {

/// Calls `use(address)` with the address of `path`; `use` returns 0 or fails with errno.
Status WithAddress(const std::string& path, const std::function<int(const sockaddr*, socklen_t)>& use) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  UniqueFd directory;
  std::string name = path;
  if (path.size() >= sizeof(address.sun_path)) {
    const std::filesystem::path full(path);
    directory = UniqueFd(open(full.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (directory.get() < 0) {
      return Status::LastErrno("socket " + path);
    }
    name = fmt::format("/proc/self/fd/{}/{}", directory.get(), full.filename().native());
  }
  if (name.size() >= sizeof(address.sun_path)) {
    return {StatusCode::kInvalidArgument, fmt::format("socket {}: its file name is too long", path)};
  }
  name.copy(address.sun_path, name.size());
  if (use(reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return Status::LastErrno("socket " + path);
  }
  return Status::Ok();
}

}  // namespace

Result<UniqueFd> BindUnixSocket(const std::string& path) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // The file gets the mode that the socket has when it is bound, less the umask (net/unix/af_unix.c,
  // unix_bind_bsd).
  if (fd.get() < 0 || fchmod(fd.get(), 0600) != 0) {
    return Status::LastErrno("socket " + path);
  }
  OCFSGW_RETURN_IF_ERROR(WithAddress(
      path, [&fd](const sockaddr* address, socklen_t size) { return bind(fd.get(), address, size); }));
  return fd;
}

Result<UniqueFd> ConnectUnixSocket(const std::string& path) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) {
    return Status::LastErrno("socket " + path);
  }
  OCFSGW_RETURN_IF_ERROR(WithAddress(
      path, [&fd](const sockaddr* address, socklen_t size) { return connect(fd.get(), address, size); }));
  return fd;
}

}  // namespace ocfsgw::ctl
