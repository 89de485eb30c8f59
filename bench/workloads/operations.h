#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "bench/latency_histogram.h"

namespace ocfsgw::bench {

/// What latencies are told apart by. kStat also for names that do not exist and for fstat; kReadDir is a
/// whole listing from opendir to closedir; kCreate a file, directory or symbolic link.
enum class OpKind { kStat, kOpen, kRead, kReadDir, kWrite, kCreate, kRename, kRemove, kLock, kClose, kSync };
inline constexpr std::array<std::string_view, 11> kOpNames = {
    "stat", "open", "read", "readdir", "write", "create", "rename", "remove", "lock", "close", "sync"};

/// What a sequence of operations added up to.
struct OpTotals {
  std::array<LatencyHistogram, kOpNames.size()> latencies;  ///< By OpKind.
  uint64_t bytes_read = 0;
  uint64_t bytes_written = 0;
  uint64_t paths = 0;  ///< Given to system calls.
  uint64_t names = 0;  ///< Components of them below the root: what the kernel has to look up.
  /// A sum over kind, path, offset and length of each operation: equal for equal sets of operations.
  uint64_t digest = 0;

  void Merge(const OpTotals& other);
  LatencyHistogram All() const;
  const LatencyHistogram& of(OpKind kind) const { return latencies[static_cast<size_t>(kind)]; }
};

/// An open file; closes it unless Operations::Close has.
class OpenedFile {
 public:
  OpenedFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~OpenedFile();
  OpenedFile(OpenedFile&& other) noexcept : fd_(other.Release()), path_(std::move(other.path_)) {}
  OpenedFile& operator=(OpenedFile&&) = delete;
  int fd() const { return fd_; }
  const std::string& path() const { return path_; }  ///< Below the root.
  int Release();

 private:
  int fd_;
  std::string path_;
};

/// System calls below a directory, each measured. Every call blocks as long as the file system does. Errors:
/// kSystem (message: the full path) from the system call; kCorrupt when the file system shows something else
/// than what the workload knows to be true; kShutdown once `stop` is set. Paths are relative to the root.
/// Thread-compatible: each thread has its own.
class Operations {
 public:
  /// `stop` must outlive it.
  Operations(std::string root, const std::atomic<bool>& stop) : root_(std::move(root)), stop_(stop) {}

  /// lstat; with `bytes`, a file of another size is kCorrupt.
  Status Stat(const std::string& path, std::optional<uint64_t> bytes = std::nullopt);
  /// lstat and open of a name that must not exist.
  Status StatMissing(const std::string& path);
  Status OpenMissing(const std::string& path);
  /// With O_CREAT in `flags` it counts as kCreate.
  Result<OpenedFile> Open(const std::string& path, int flags);
  Result<uint64_t> Size(const OpenedFile& file);
  /// pread until `into` is full or the file ends, one operation for each call. Bytes read.
  Result<size_t> Read(const OpenedFile& file, uint64_t offset, std::span<std::byte> into);
  /// Maps that part of the file, copies it out of the mapping and unmaps it, as one kRead. REQUIRES: `offset`
  /// is a multiple of the page size, and the file is that long, or else SIGBUS comes (mmap(2)).
  Status ReadMapped(const OpenedFile& file, uint64_t offset, std::span<std::byte> into);
  /// pwrite of all of it; to a file opened with O_APPEND at its end, whatever the offset is (pwrite(2)).
  Status Write(const OpenedFile& file, uint64_t offset, std::span<const std::byte> from);
  /// flock(LOCK_EX); closing gives it back.
  Status Lock(const OpenedFile& file);
  /// fsync.
  Status Sync(const OpenedFile& file);
  Status Close(OpenedFile file);
  /// Names, sorted, without . and ..
  Result<std::vector<std::string>> List(const std::string& path);
  Status MakeDirectory(const std::string& path);
  Status MakeSymlink(const std::string& target, const std::string& path);
  Status Rename(const std::string& from, const std::string& to);
  Status Remove(const std::string& path);
  Status RemoveDirectory(const std::string& path);

  /// kCorrupt, with the full path.
  Status Wrong(const std::string& path, const std::string& what) const;
  const OpTotals& totals() const { return totals_; }

 private:
  template <typename Call>
  auto Measured(OpKind kind, std::string_view path, uint64_t offset, uint64_t bytes, Call call);
  Status Plain(OpKind kind, const std::string& path, int (*call)(const char*));
  Status Missing(OpKind kind, const std::string& path, int (*call)(const char*));
  /// Full(path), which is given to a system call now.
  std::string Walk(const std::string& path);
  std::string Full(const std::string& path) const { return path.empty() ? root_ : root_ + "/" + path; }

  const std::string root_;
  const std::atomic<bool>& stop_;
  OpTotals totals_;
};

}  // namespace ocfsgw::bench
