#pragma once

#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "tests/posix/io/side.h"

// System calls as the sides make them: what must not fail throws Wrong.
namespace ocfsgw::posixio {

struct Wrong {
  std::string why;
};
struct NotSupported {};

template <typename T>
T Check(T result, const char* what) {
  if (result != T(-1)) return result;
  if (errno == EOPNOTSUPP || errno == ENOSYS) throw NotSupported{};
  throw Wrong{std::string(what) + ": " + std::strerror(errno)};
}

using Aligned = std::unique_ptr<char, void (*)(void*)>;
inline Aligned AlignedBytes(size_t size) { return {static_cast<char*>(aligned_alloc(kPage, size)), free}; }

inline void Whole(ssize_t n, size_t wanted, const char* what) {
  if (static_cast<size_t>(Check(n, what)) != wanted)
    throw Wrong{std::string(what) + ": only " + std::to_string(n) + " of " + std::to_string(wanted) +
                " bytes"};
}

inline off_t Off(uint64_t offset) { return static_cast<off_t>(offset); }

/// The pages of [offset, offset + length), for as long as it lives.
class Pages {
 public:
  Pages(int fd, int protection, uint64_t offset, uint64_t length)
      : skip_(offset % kPage), size_(skip_ + length) {
    void* const at = mmap(nullptr, size_, protection, MAP_SHARED, fd, Off(offset - skip_));
    if (at == MAP_FAILED) throw Wrong{std::string("mmap: ") + std::strerror(errno)};
    base_ = static_cast<char*>(at);
  }
  ~Pages() { munmap(base_, size_); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  char* data() const { return base_ + skip_; }
  void Sync() const { Check(msync(base_, size_, MS_SYNC), "msync"); }

 private:
  const uint64_t skip_, size_;
  char* base_ = nullptr;
};

class Side::Opened {
 public:
  Opened(int fd, bool ours) : fd_(fd), ours_(ours) {}
  ~Opened() {
    if (ours_) close(fd_);
  }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
  const bool ours_;
};

}  // namespace ocfsgw::posixio
