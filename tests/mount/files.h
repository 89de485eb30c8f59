#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ocfsgw::mounttest {

/// A descriptor, closed by the destructor.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

/// A mapping of the first `size` bytes of a file.
class Mapping {
 public:
  Mapping(int fd, size_t size, int protection, int flags);
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  bool ok() const { return data_ != nullptr; }
  char* data() const { return data_; }
  std::string Text() const { return {data_, size_}; }

 private:
  char* data_ = nullptr;
  const size_t size_;
};

/// Creates or truncates, writes, closes. False with errno if a step fails.
bool WriteFile(const std::string& path, const std::string& data);
bool AppendFile(const std::string& path, const std::string& data);
/// Writes over the beginning of an existing file, without truncating it.
bool OverwriteFile(const std::string& path, const std::string& data);
/// All of it, by open, read and close; nothing with errno if a step fails.
std::optional<std::string> ReadFile(const std::string& path);
/// Up to `size` bytes at `offset`.
std::string ReadAt(int fd, size_t size, off_t offset = 0);
/// `size` bytes that differ with `seed` and from place to place.
std::string Pattern(size_t size, uint64_t seed);

/// Everything stat(2) tells of a path but the device, one line; symbolic links are not followed. The error
/// instead if there is one.
std::string Describe(const std::string& path);
std::string Describe(const struct stat& st);

/// Names in a directory, sorted, each as often as it was listed; `.` and `..` left out.
std::vector<std::string> List(const std::string& path);

}  // namespace ocfsgw::mounttest
