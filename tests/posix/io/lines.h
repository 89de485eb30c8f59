#pragma once

#include <optional>
#include <string>

namespace ocfsgw::posixio {

/// Lines over a socket, which it owns.
class Lines {
 public:
  explicit Lines(int fd) : fd_(fd) {}
  ~Lines();
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;

  /// Sends the end, and waits for the other's: it has closed its file then.
  void End();
  bool Send(const std::string& line) const;
  /// Nothing when the other end has gone.
  std::optional<std::string> Receive();

  /// Sockets for it; they throw std::system_error.
  static int Connect(const std::string& address, int port);
  static int Listen(int port);
  /// Waits for one connection; closes what listens.
  static int Accept(int listener);

 private:
  const int fd_;
  std::string received_;
};

}  // namespace ocfsgw::posixio
