#include "tests/mount/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace ocfsgw::mounttest {
namespace {

bool WriteOpened(int fd, const std::string& data) {
  if (fd < 0) return false;
  size_t done = 0;
  while (done < data.size()) {
    const ssize_t n = write(fd, data.data() + done, data.size() - done);
    if (n < 0) {
      const int error = errno;
      close(fd);
      errno = error;
      return false;
    }
    done += static_cast<size_t>(n);
  }
  return close(fd) == 0;
}

std::string TimeText(const timespec& time) {
  return std::to_string(time.tv_sec) + "." + std::to_string(time.tv_nsec);
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

Mapping::Mapping(int fd, size_t size, int protection, int flags) : size_(size) {
  void* const at = mmap(nullptr, size, protection, flags, fd, 0);
  if (at != MAP_FAILED) data_ = static_cast<char*>(at);
}

Mapping::~Mapping() {
  if (data_ != nullptr) munmap(data_, size_);
}

bool WriteFile(const std::string& path, const std::string& data) {
  return WriteOpened(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), data);
}

bool AppendFile(const std::string& path, const std::string& data) {
  return WriteOpened(open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC), data);
}

bool OverwriteFile(const std::string& path, const std::string& data) {
  return WriteOpened(open(path.c_str(), O_WRONLY | O_CLOEXEC), data);
}

std::optional<std::string> ReadFile(const std::string& path) {
  const Descriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return std::nullopt;
  std::string data;
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t n = read(fd.get(), buffer.data(), buffer.size());
    if (n < 0) return std::nullopt;
    if (n == 0) return data;
    data.append(buffer.data(), static_cast<size_t>(n));
  }
}

std::string ReadAt(int fd, size_t size, off_t offset) {
  std::string data(size, '\0');
  const ssize_t n = pread(fd, data.data(), size, offset);
  if (n < 0) return std::string("error: ") + std::strerror(errno);
  data.resize(static_cast<size_t>(n));
  return data;
}

std::string Pattern(size_t size, uint64_t seed) {
  std::string data(size, '\0');
  uint64_t x = seed * 0x9e3779b97f4a7c15ULL + 1;
  for (char& c : data) {
    x ^= x << 13;  // xorshift64
    x ^= x >> 7;
    x ^= x << 17;
    c = static_cast<char>(x);
  }
  return data;
}

std::string Describe(const struct stat& st) {
  char mode[16];
  std::snprintf(mode, sizeof mode, "%o", st.st_mode);
  std::string text = "ino " + std::to_string(st.st_ino) + " mode " + mode + " nlink " +
                     std::to_string(st.st_nlink) + " uid " + std::to_string(st.st_uid) + " gid " +
                     std::to_string(st.st_gid);
  text += " rdev " + std::to_string(st.st_rdev) + " size " + std::to_string(st.st_size) + " blocks " +
          std::to_string(st.st_blocks) + " blksize " + std::to_string(st.st_blksize);
  return text + " atime " + TimeText(st.st_atim) + " mtime " + TimeText(st.st_mtim) + " ctime " +
         TimeText(st.st_ctim);
}

std::string Describe(const std::string& path) {
  struct stat st {};
  if (lstat(path.c_str(), &st) != 0) return std::string("error: ") + std::strerror(errno);
  return Describe(st);
}

std::vector<std::string> List(const std::string& path) {
  std::vector<std::string> names;
  DIR* const directory = opendir(path.c_str());
  if (directory == nullptr) return {std::string("error: ") + std::strerror(errno)};
  while (const dirent* const entry = readdir(directory)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  closedir(directory);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace ocfsgw::mounttest
