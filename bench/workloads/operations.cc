#include "bench/workloads/operations.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/checksum.h"
#include "bench/workloads/content.h"

namespace ocfsgw::bench {
namespace {

Status Stopped() { return {StatusCode::kShutdown, "interrupted"}; }

int OpenForReading(const char* path) { return open(path, O_RDONLY | O_CLOEXEC); }

int LstatOnly(const char* path) {
  struct stat st {};
  return lstat(path, &st);
}

}  // namespace

void OpTotals::Merge(const OpTotals& other) {
  for (size_t i = 0; i < latencies.size(); ++i) latencies[i].Merge(other.latencies[i]);
  bytes_read += other.bytes_read;
  bytes_written += other.bytes_written;
  paths += other.paths;
  names += other.names;
  digest += other.digest;
}

LatencyHistogram OpTotals::All() const {
  LatencyHistogram all;
  for (const LatencyHistogram& one : latencies) all.Merge(one);
  return all;
}

OpenedFile::~OpenedFile() {
  if (fd_ >= 0) close(fd_);
}

int OpenedFile::Release() { return std::exchange(fd_, -1); }

std::string Operations::Walk(const std::string& path) {
  ++totals_.paths;
  totals_.names += static_cast<uint64_t>(std::count(path.begin(), path.end(), '/')) + (path.empty() ? 0 : 1);
  return Full(path);
}

/// `call` must leave errno as the system call has set it.
template <typename Call>
auto Operations::Measured(OpKind kind, std::string_view path, uint64_t offset, uint64_t bytes, Call call) {
  const auto begin = std::chrono::steady_clock::now();
  const auto result = call();
  const auto end = std::chrono::steady_clock::now();
  const int error = errno;
  const auto took = std::chrono::duration_cast<std::chrono::nanoseconds>(end - begin).count();
  totals_.latencies[static_cast<size_t>(kind)].Add(static_cast<uint64_t>(std::max<int64_t>(took, 0)));
  totals_.digest +=
      Mix(Xxh3(std::as_bytes(std::span(path)), static_cast<uint64_t>(kind)) + Mix(offset) + Mix(~bytes));
  errno = error;
  return result;
}

Status Operations::Plain(OpKind kind, const std::string& path, int (*call)(const char*)) {
  if (stop_) return Stopped();
  const std::string full = Walk(path);
  const int result = Measured(kind, path, 0, 0, [&] { return call(full.c_str()); });
  return result == 0 ? Status::Ok() : Status::LastErrno(full);
}

Status Operations::Missing(OpKind kind, const std::string& path, int (*call)(const char*)) {
  if (stop_) return Stopped();
  const std::string full = Walk(path);
  const int result = Measured(kind, path, 0, 0, [&] { return call(full.c_str()); });
  if (result < 0) return errno == ENOENT ? Status::Ok() : Status::LastErrno(full);
  if (kind == OpKind::kOpen) close(result);
  return Wrong(path, "exists, and should not");
}

Status Operations::Stat(const std::string& path, std::optional<uint64_t> bytes) {
  if (stop_) return Stopped();
  const std::string full = Walk(path);
  struct stat st {};
  if (Measured(OpKind::kStat, path, 0, 0, [&] { return lstat(full.c_str(), &st); }) != 0) {
    return Status::LastErrno(full);
  }
  if (!bytes || static_cast<uint64_t>(st.st_size) == *bytes) return Status::Ok();
  return Wrong(path, fmt::format("{} bytes long, not {}", st.st_size, *bytes));
}

Status Operations::StatMissing(const std::string& path) { return Missing(OpKind::kStat, path, LstatOnly); }

Status Operations::OpenMissing(const std::string& path) {
  return Missing(OpKind::kOpen, path, OpenForReading);
}

Result<OpenedFile> Operations::Open(const std::string& path, int flags) {
  if (stop_) return Stopped();
  const std::string full = Walk(path);
  const OpKind kind = (flags & O_CREAT) != 0 ? OpKind::kCreate : OpKind::kOpen;
  const int fd = Measured(kind, path, 0, 0, [&] { return open(full.c_str(), flags | O_CLOEXEC, 0644); });
  if (fd < 0) return Status::LastErrno(full);
  return OpenedFile(fd, path);
}

Result<uint64_t> Operations::Size(const OpenedFile& file) {
  if (stop_) return Stopped();
  struct stat st {};
  if (Measured(OpKind::kStat, file.path(), 0, 0, [&] { return fstat(file.fd(), &st); }) != 0) {
    return Status::LastErrno(Full(file.path()));
  }
  return static_cast<uint64_t>(st.st_size);
}

Result<size_t> Operations::Read(const OpenedFile& file, uint64_t offset, std::span<std::byte> into) {
  size_t done = 0;
  while (done < into.size()) {
    if (stop_) return Stopped();
    const auto at = static_cast<off_t>(offset + done);
    const ssize_t got = Measured(OpKind::kRead, file.path(), offset + done, into.size() - done, [&] {
      return pread(file.fd(), into.data() + done, into.size() - done, at);
    });
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Status::LastErrno(Full(file.path()));
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  totals_.bytes_read += done;
  return done;
}

Status Operations::ReadMapped(const OpenedFile& file, uint64_t offset, std::span<std::byte> into) {
  if (stop_) return Stopped();
  const int result = Measured(OpKind::kRead, file.path(), offset, into.size(), [&] {
    void* const mapped =
        mmap(nullptr, into.size(), PROT_READ, MAP_SHARED, file.fd(), static_cast<off_t>(offset));
    if (mapped == MAP_FAILED) return -1;
    std::memcpy(into.data(), mapped, into.size());
    return munmap(mapped, into.size());
  });
  if (result != 0) return Status::LastErrno(Full(file.path()));
  totals_.bytes_read += into.size();
  return Status::Ok();
}

Status Operations::Write(const OpenedFile& file, uint64_t offset, std::span<const std::byte> from) {
  size_t done = 0;
  while (done < from.size()) {
    if (stop_) return Stopped();
    const auto at = static_cast<off_t>(offset + done);
    const ssize_t put = Measured(OpKind::kWrite, file.path(), offset + done, from.size() - done, [&] {
      return pwrite(file.fd(), from.data() + done, from.size() - done, at);
    });
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return Status::LastErrno(Full(file.path()));
    done += static_cast<size_t>(put);
  }
  totals_.bytes_written += done;
  return Status::Ok();
}

Status Operations::Lock(const OpenedFile& file) {
  if (stop_) return Stopped();
  const int result = Measured(OpKind::kLock, file.path(), 0, 0, [&] { return flock(file.fd(), LOCK_EX); });
  return result == 0 ? Status::Ok() : Status::LastErrno(Full(file.path()));
}

Status Operations::Sync(const OpenedFile& file) {
  if (stop_) return Stopped();
  const int result = Measured(OpKind::kSync, file.path(), 0, 0, [&] { return fsync(file.fd()); });
  return result == 0 ? Status::Ok() : Status::LastErrno(Full(file.path()));
}

Status Operations::Close(OpenedFile file) {
  const int fd = file.Release();
  const int result = Measured(OpKind::kClose, file.path(), 0, 0, [&] { return close(fd); });
  return result == 0 ? Status::Ok() : Status::LastErrno(Full(file.path()));
}

Result<std::vector<std::string>> Operations::List(const std::string& path) {
  if (stop_) return Stopped();
  const std::string full = Walk(path);
  std::vector<std::string> names;
  const int result = Measured(OpKind::kReadDir, path, 0, 0, [&] {
    DIR* const directory = opendir(full.c_str());
    if (directory == nullptr) return -1;
    errno = 0;
    while (const dirent* const entry = readdir(directory)) {  // NOLINT(concurrency-mt-unsafe): one thread
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
      errno = 0;
    }
    const int error = errno;
    closedir(directory);
    errno = error;
    return error == 0 ? 0 : -1;
  });
  if (result != 0) return Status::LastErrno(full);
  std::sort(names.begin(), names.end());
  return names;
}

Status Operations::MakeDirectory(const std::string& path) {
  return Plain(OpKind::kCreate, path, [](const char* full) { return mkdir(full, 0755); });
}

Status Operations::MakeSymlink(const std::string& target, const std::string& path) {
  if (stop_) return Stopped();
  const std::string full = Walk(path);
  const int result =
      Measured(OpKind::kCreate, path, 0, 0, [&] { return symlink(target.c_str(), full.c_str()); });
  return result == 0 ? Status::Ok() : Status::LastErrno(full);
}

Status Operations::Rename(const std::string& from, const std::string& to) {
  if (stop_) return Stopped();
  const std::string full_from = Walk(from), full_to = Walk(to);
  const int result =
      Measured(OpKind::kRename, to, 0, 0, [&] { return rename(full_from.c_str(), full_to.c_str()); });
  return result == 0 ? Status::Ok() : Status::LastErrno(full_from);
}

Status Operations::Remove(const std::string& path) { return Plain(OpKind::kRemove, path, unlink); }

Status Operations::RemoveDirectory(const std::string& path) { return Plain(OpKind::kRemove, path, rmdir); }

Status Operations::Wrong(const std::string& path, const std::string& what) const {
  return {StatusCode::kCorrupt, fmt::format("{}: {}", Full(path), what)};
}

}  // namespace ocfsgw::bench
