#pragma once

#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

namespace ocfsgw::ocfs2 {

/// Owns one file descriptor. Movable, closes on destruction; -1 = none.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  // close(2) is never repeated: on Linux the descriptor is gone even after EINTR.
  ~UniqueFd() {
    if (fd_ >= 0) ::close(fd_);
  }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// Calls `call` until it does not fail with EINTR; returns what it returned.
template <typename Call>
auto Retry(Call call) {
  for (;;) {
    const auto result = call();
    if (result != -1 || errno != EINTR) return result;
  }
}

/// "/proc/self/fd/N": the door to calls that have no variant for O_PATH descriptors. It leads to the inode
/// itself, even if that is a symbolic link (proc(5), "magic links").
class ProcPath {
 public:
  explicit ProcPath(int fd) {
    // Room: the prefix's 14 bytes, at most 10 digits, NUL.
    *std::to_chars(path_.data() + 14, path_.data() + path_.size() - 1, fd).ptr = '\0';
  }
  const char* c_str() const { return path_.data(); }

 private:
  std::array<char, 32> path_{"/proc/self/fd/"};
};

}  // namespace ocfsgw::ocfs2
