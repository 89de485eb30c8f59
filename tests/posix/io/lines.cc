#include "tests/posix/io/lines.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace ocfsgw::posixio {
namespace {

int Check(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

sockaddr_in Address(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

/// Each line is waited for.
int SendAtOnce(int fd) {
  const int on = 1;
  Check(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "setsockopt");
  return fd;
}

}  // namespace

Lines::~Lines() { close(fd_); }

void Lines::End() {
  shutdown(fd_, SHUT_WR);
  while (Receive()) continue;
}

bool Lines::Send(const std::string& line) const {
  const std::string bytes = line + "\n";
  size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t n = send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n < 0) return false;
    sent += static_cast<size_t>(n);
  }
  return true;
}

std::optional<std::string> Lines::Receive() {
  while (true) {
    const size_t end = received_.find('\n');
    if (end != std::string::npos) {
      std::string line = received_.substr(0, end);
      received_.erase(0, end + 1);
      return line;
    }
    char bytes[4096];
    const ssize_t n = read(fd_, bytes, sizeof bytes);
    if (n <= 0) return std::nullopt;
    received_.append(bytes, static_cast<size_t>(n));
  }
}

int Lines::Connect(const std::string& address, int port) {
  sockaddr_in to = Address(port);
  if (inet_pton(AF_INET, address.c_str(), &to.sin_addr) != 1)
    throw std::system_error(EINVAL, std::generic_category(), address);
  const int fd = Check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  Check(connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to), "connect");
  return SendAtOnce(fd);
}

int Lines::Listen(int port) {
  const sockaddr_in address = Address(port);
  const int listener = Check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  const int on = 1;
  Check(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), "setsockopt");
  Check(bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind");
  Check(listen(listener, 1), "listen");
  return listener;
}

int Lines::Accept(int listener) {
  const int fd = Check(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC), "accept");
  close(listener);
  return SendAtOnce(fd);
}

}  // namespace ocfsgw::posixio
