#include "cache/store_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/log.h"
#include "cache/record_format.h"

namespace ocfsgw::cache {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLockFile = "/store.lock";
constexpr std::string_view kDatabase = "/store";
constexpr std::string_view kAsidePrefix = "store.aside-";
constexpr std::string_view kFormatFile = "/FORMAT";
constexpr std::string_view kFormatBegin = "ocfsgw page store, format ";
constexpr size_t kFormatBytesMax = 256;
constexpr uint64_t kStatBlockBytes = 512;  // unit of st_blocks, stat(2)

std::string FormatText(VolumeId volume) {
  return fmt::format("{}{}, volume {:016x}\n", kFormatBegin, kFormatVersion, volume.value);
}

/// What FORMAT says; empty if it cannot be read.
std::string ReadFormat(const std::string& database) {
  std::ifstream file(database + std::string(kFormatFile), std::ios::binary);
  std::string found(kFormatBytesMax, '\0');
  file.read(found.data(), static_cast<std::streamsize>(found.size()));
  found.resize(static_cast<size_t>(file.gcount()));
  return found;
}

bool Exists(const std::string& path) {
  struct stat info;
  return lstat(path.c_str(), &info) == 0;
}

/// Fit for a log line.
std::string Printable(std::string text) {
  while (!text.empty() && text.back() == '\n') {
    text.pop_back();
  }
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

struct Aside {
  std::string path;
  uint64_t number = 0;
};

std::vector<Aside> FindAsides(const std::string& directory) {
  std::vector<Aside> asides;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!name.starts_with(kAsidePrefix)) {
      continue;
    }
    Aside aside{it->path().string()};
    const char* const last = name.data() + name.size();
    const auto parsed = std::from_chars(name.data() + kAsidePrefix.size(), last, aside.number);
    if (parsed.ec == std::errc{} && parsed.ptr == last) {
      asides.push_back(std::move(aside));
    }
  }
  return asides;
}

}  // namespace

Result<StoreDirectory> StoreDirectory::Open(const std::string& path) {
  std::error_code error;
  const fs::path parent = fs::path(path).parent_path();
  if (!parent.empty()) {
    fs::create_directories(parent, error);
  }
  if (mkdir(path.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
    return Status::LastErrno("cannot create the cache directory " + path);
  }
  const std::string lock = path + std::string(kLockFile);
  const int fd = open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  if (fd < 0) {
    return Status::LastErrno("cannot open " + lock);
  }
  StoreDirectory directory(path, fd);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return Status(StatusCode::kBusy, "the cache directory " + path +
                                           " is in use by another process: one at a time can use it");
    }
    return Status::LastErrno("cannot lock " + lock);
  }
  return directory;
}

StoreDirectory::StoreDirectory(StoreDirectory&& other) noexcept
    : path_(std::move(other.path_)), lock_fd_(std::exchange(other.lock_fd_, -1)) {}

StoreDirectory::~StoreDirectory() {
  if (lock_fd_ >= 0) {
    close(lock_fd_);
  }
}

Status StoreDirectory::CheckFormatAt(const std::string& path, VolumeId volume) {
  const std::string database = path + std::string(kDatabase);
  if (!Exists(database)) {
    return Status(StatusCode::kNotFound, "no database");
  }
  const std::string found = ReadFormat(database);
  const std::string expected = FormatText(volume);
  if (found != expected) {
    return Status(StatusCode::kCorrupt, fmt::format("its FORMAT is '{}' where '{}' is wanted",
                                                    Printable(found), Printable(expected)));
  }
  if (!Exists(database + "/CURRENT")) {
    // RocksDB would take this for a new database.
    return Status(StatusCode::kCorrupt, "its file CURRENT is missing");
  }
  return Status::Ok();
}

bool StoreDirectory::HasForeignDatabaseAt(const std::string& path, VolumeId volume) {
  const std::string found = ReadFormat(path + std::string(kDatabase));
  return found.starts_with(kFormatBegin) && found != FormatText(volume);
}

int64_t StoreDirectory::LastUseAt(const std::string& path) {
  constexpr int64_t kNsPerSecond = 1'000'000'000;
  struct stat info;
  if (lstat((path + std::string(kLockFile)).c_str(), &info) != 0) {
    return 0;
  }
  return info.st_mtim.tv_sec * kNsPerSecond + info.st_mtim.tv_nsec;
}

void StoreDirectory::Touch() const { futimens(lock_fd_, nullptr); }

std::string StoreDirectory::database_path() const { return path_ + std::string(kDatabase); }

Status StoreDirectory::WriteFormat(VolumeId volume) const {
  const std::string path = database_path() + std::string(kFormatFile);
  const std::string text = FormatText(volume);
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (fd < 0) {
    return Status::LastErrno("cannot create " + path);
  }
  const ssize_t written = write(fd, text.data(), text.size());
  const int err = written < 0 ? errno : ENOSPC;
  close(fd);
  return written == static_cast<ssize_t>(text.size()) ? Status::Ok()
                                                      : Status::FromErrno(err, "cannot write " + path);
}

Status StoreDirectory::SetAside(const std::string& reason) const {
  uint64_t number = 0;
  for (const Aside& older : FindAsides(path_)) {
    number = std::max(number, older.number);
    std::error_code ignored;  // what cannot be deleted only takes space
    fs::remove_all(older.path, ignored);
  }
  const std::string aside = fmt::format("{}/{}{}", path_, kAsidePrefix, number + 1);
  if (rename(database_path().c_str(), aside.c_str()) != 0) {
    return Status::LastErrno("cannot rename " + database_path());
  }
  log::Warning("page store {}: cannot be used ({}); set aside as {}, starting with an empty one",
               database_path(), reason, aside);
  return Status::Ok();
}

Result<uint64_t> StoreDirectory::DiskBytesAt(const std::string& path) {
  uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    struct stat info;
    if (lstat(it->path().c_str(), &info) == 0) {
      bytes += static_cast<uint64_t>(info.st_blocks) * kStatBlockBytes;
    } else if (errno != ENOENT) {
      error.assign(errno, std::generic_category());
      break;
    }
  }
  if (error) {
    return Status::FromErrno(error.value(), "cannot look through " + path);
  }
  return bytes;
}

}  // namespace ocfsgw::cache
