#pragma once

#include <cstdint>
#include <string>

#include "base/ids.h"
#include "base/status.h"

namespace ocfsgw::cache {

/// The place of a store in the file system, a slot (store_slots.h), owned by one process at a time:
///
/// | name in the directory | what                                                                       |
/// |-----------------------|----------------------------------------------------------------------------|
/// | store.lock            | flock(2)ed exclusively while this object lives; its mtime is the last use  |
/// | store/                | the database                                                               |
/// | store/FORMAT          | which format and which volume                                              |
/// | store/POLICY          | what its policy remembers (policy_state_file.h)                            |
/// | store/PROBE           | there for a moment while its disk is tried (disk_probe.h)                  |
/// | store.aside-<n>       | a database that could not be used, for a person to look at; at most one,   |
/// |                       | not in the quota                                                           |
///
/// Nothing else in the directory is touched. Thread-compatible.
class StoreDirectory {
 public:
  /// Creates `path` (its missing parents too; mode 0700) and takes the lock. kBusy if another process or
  /// object has it, kSystem if the directory cannot be made or written.
  static Result<StoreDirectory> Open(const std::string& path);
  StoreDirectory(StoreDirectory&& other) noexcept;
  StoreDirectory& operator=(StoreDirectory&&) = delete;
  ~StoreDirectory();

  const std::string& path() const { return path_; }
  std::string database_path() const;

  /// Ok if there is a database in our format for `volume`; kNotFound if there is none at all; kCorrupt, with
  /// what was found instead, otherwise. Says nothing of the database's contents.
  Status CheckFormat(VolumeId volume) const { return CheckFormatAt(path_, volume); }
  /// The same for the directory `path`, of which the lock is not needed: another process may be changing it.
  static Status CheckFormatAt(const std::string& path, VolumeId volume);
  /// Whether there is a database of another volume or of another format there. One whose FORMAT says nothing
  /// (it is damaged, or the making of it was cut short) is nobody's.
  static bool HasForeignDatabaseAt(const std::string& path, VolumeId volume);
  /// When Touch was called last on the directory `path`, in nanoseconds since the epoch; 0 if never.
  static int64_t LastUseAt(const std::string& path);
  /// Notes that the directory is in use now. That it cannot be noted is no error.
  void Touch() const;
  /// Marks the database as ours. kSystem on failure.
  Status WriteFormat(VolumeId volume) const;
  /// Renames the database to store.aside-<n> after deleting older ones. Logs `reason` and what was done.
  /// kSystem on failure.
  Status SetAside(const std::string& reason) const;
  /// Bytes of disk the database takes (st_blocks of all its files). Files that vanish meanwhile are not
  /// counted. kSystem if a directory or file of it cannot be looked at, or it is not there.
  Result<uint64_t> DiskBytes() const { return DiskBytesAt(database_path()); }
  /// The same of all that is below `path`.
  static Result<uint64_t> DiskBytesAt(const std::string& path);

 private:
  StoreDirectory(std::string path, int lock_fd) : path_(std::move(path)), lock_fd_(lock_fd) {}

  std::string path_;
  int lock_fd_;  // -1: moved from
};

}  // namespace ocfsgw::cache
