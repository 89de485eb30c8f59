#pragma once

#include <rocksdb/file_system.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"

namespace ocfsgw::cache {

/// The operating system's files, whose calls fail or wait when a test says so. Nothing is synced to the disk:
/// the processes of these tests survive. Thread-safe.
class FaultFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  /// Kinds of calls, to be added up.
  enum Kind : unsigned {
    kOpen = 1,    ///< Of files and directories that exist; sizes, listings.
    kRead = 2,    ///< Bytes of files.
    kWrite = 4,   ///< What takes space: bytes, new files, new directories.
    kSync = 8,    ///< fsync, fdatasync, close of what was written.
    kChange = 16  ///< Renames, links, deletions, locks.
  };
  static constexpr unsigned kAll = 31;

  FaultFileSystem() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "FaultFileSystem"; }

  /// The `nth` call of `kinds` from now on fails with `error` (a write of bytes after half of them), and with
  /// `lasting` all those that follow.
  void Fail(uint64_t nth, unsigned kinds, rocksdb::IOStatus error, bool lasting);
  /// Nothing fails any more. Whether anything has since Fail().
  bool Heal();
  /// Calls of `kinds` wait from now on, until Release().
  void Hold(unsigned kinds);
  void Release();
  /// Waits until a call is held.
  void AwaitHeld();
  /// Calls of `kinds` take so much longer from now on; 0: none does any more.
  void Delay(unsigned kinds, Duration by);

  /// For the files of this file system: a call of `kind` begins.
  rocksdb::IOStatus Begin(Kind kind);

  using IOStatus = rocksdb::IOStatus;
  using IOOptions = rocksdb::IOOptions;
  using FileOptions = rocksdb::FileOptions;
  using Debug = rocksdb::IODebugContext;
  IOStatus NewSequentialFile(const std::string& path, const FileOptions& options,
                             std::unique_ptr<rocksdb::FSSequentialFile>* file, Debug* debug) override;
  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions& options,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* file, Debug* debug) override;
  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* file, Debug* debug) override;
  IOStatus ReopenWritableFile(const std::string& path, const FileOptions& options,
                              std::unique_ptr<rocksdb::FSWritableFile>* file, Debug* debug) override;
  IOStatus NewDirectory(const std::string& path, const IOOptions& options,
                        std::unique_ptr<rocksdb::FSDirectory>* directory, Debug* debug) override;
  IOStatus FileExists(const std::string& path, const IOOptions& options, Debug* debug) override;
  IOStatus GetChildren(const std::string& path, const IOOptions& options, std::vector<std::string>* names,
                       Debug* debug) override;
  IOStatus GetFileSize(const std::string& path, const IOOptions& options, uint64_t* size,
                       Debug* debug) override;
  IOStatus CreateDir(const std::string& path, const IOOptions& options, Debug* debug) override;
  IOStatus CreateDirIfMissing(const std::string& path, const IOOptions& options, Debug* debug) override;
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      Debug* debug) override;
  IOStatus LinkFile(const std::string& from, const std::string& to, const IOOptions& options,
                    Debug* debug) override;
  IOStatus DeleteFile(const std::string& path, const IOOptions& options, Debug* debug) override;
  IOStatus LockFile(const std::string& path, const IOOptions& options, rocksdb::FileLock** lock,
                    Debug* debug) override;

 private:
  Mutex mutex_;
  CondVar changed_;
  unsigned held_kinds_ GUARDED_BY(mutex_) = 0;
  uint64_t held_ GUARDED_BY(mutex_) = 0;  // calls that wait
  unsigned delayed_kinds_ GUARDED_BY(mutex_) = 0;
  Duration delay_ GUARDED_BY(mutex_){};
  unsigned kinds_ GUARDED_BY(mutex_) = 0;
  uint64_t left_ GUARDED_BY(mutex_) = 0;  // calls until the first that fails
  rocksdb::IOStatus error_ GUARDED_BY(mutex_);
  bool lasting_ GUARDED_BY(mutex_) = false;
  bool hit_ GUARDED_BY(mutex_) = false;
};

}  // namespace ocfsgw::cache
