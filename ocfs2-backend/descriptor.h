#pragma once

#include <array>
#include <cerrno>
#include <charconv>

#include "base/unique_fd.h"

namespace ocfsgw::ocfs2 {

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
