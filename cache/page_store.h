#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/ids.h"
#include "base/status.h"

namespace ocfsgw::cache {

/// Bytes of file data in one record; the last block of a file is shorter, small files are one record.
inline constexpr uint64_t kBlockBytes = 128 * 1024;

/// What a record holds. The values are part of the on-disk format.
enum class RecordKind : uint8_t {
  kData = 0,     ///< Block `index` of a file's data.
  kListing = 1,  ///< A directory's names (index 0).
  kSymlink = 2,  ///< A symlink's target (index 0).
  kNode = 3,   ///< How the backend finds the inode again (index 0, generation 0); a hint, verified when used.
  kXattr = 4,  ///< An extended attribute, or that there is none (index: hash of its name).
  kAttr = 5,   ///< The attributes of an inode of a sealed tree (index 0).
};

struct RecordKey {
  InodeId inode;
  RecordKind kind = RecordKind::kData;
  BlockIndex index{};
  bool operator==(const RecordKey&) const = default;
};

/// Memory that a store takes, in bytes, by part.
struct PageStoreMemory {
  uint64_t index = 0;
  uint64_t memtables = 0;
  uint64_t block_cache = 0;  ///< Open tables included.
  uint64_t queue = 0;        ///< Payload put and not written yet.
};

struct PageStoreStats {
  uint64_t records = 0;
  uint64_t bytes = 0;       ///< Payload bytes stored.
  uint64_t disk_bytes = 0;  ///< What it takes on disk, as far as known.
  uint64_t quota_bytes = 0;
  uint64_t evicted_records = 0;
  uint64_t dropped_puts = 0;  ///< Puts refused because the queue was full or the store degraded.
  uint64_t corrupt_records = 0;
  uint64_t refused_puts = 0;   ///< Puts of what the policy did not find worth storing.
  uint64_t put_bytes = 0;      ///< Of all puts neither dropped nor refused, as they count for the quota.
  uint64_t written_bytes = 0;  ///< Of all records written, those written again included, counted likewise.
  PageStoreMemory memory;
  bool degraded = false;  ///< Every Get misses and every Put is dropped.
  bool slow = false;      ///< Degraded, and the reason is that the disk takes too long.
};

/// The persistent page store: records under a version stamp. It knows nothing of leases: whoever asks must
/// hold the right to serve what it gets. Thread-safe.
///
/// 1. Get never returns bytes that were not Put under exactly this key and stamp: what fails its checksum is
/// a miss.
/// 2. The store never takes more disk than its quota and never fails its caller: a broken, full or corrupt
/// store is a
///    store that misses.
class PageStore {
 public:
  virtual ~PageStore() = default;

  /// Copies bytes [offset, offset + into.size()) of the record to `into`; returns how many there were (fewer
  /// at the record's end, 0 beyond it). kNotFound when there is no record under this stamp; anything may be
  /// in `into` then. May block on the cache's disk.
  virtual Result<size_t> Get(const RecordKey& key, StampHash stamp, size_t offset,
                             std::span<std::byte> into) = 0;
  /// The whole record. Errors as Get.
  virtual Result<std::string> GetWhole(const RecordKey& key, StampHash stamp) = 0;

  /// Stores `bytes` (any record under the same key is replaced) some time soon. Never blocks; under pressure
  /// the record is dropped and counted. `bytes` must not change any more.
  virtual void Put(const RecordKey& key, StampHash stamp, std::shared_ptr<const std::string> bytes) = 0;

  /// Forgets all records of `inode`; a Put queued before is forgotten too.
  virtual void DropInode(InodeId inode) = 0;

  /// Whether there is any record of `inode`, under whatever stamp. Never blocks; a store that is still being
  /// opened may know of less than it has.
  virtual bool Has(InodeId inode) const = 0;

  /// Whether there is no record under this stamp and one of `bytes` bytes would be stored if it were Put now,
  /// as far as can be told. Never blocks, and is no access to the record. As Has while a store is being
  /// opened.
  virtual bool Wants(const RecordKey& key, StampHash stamp, uint64_t bytes) const = 0;

  /// Waits until what was Put before is stored so that it survives the end of the process. For shutdown and
  /// tests.
  virtual void Flush() = 0;

  virtual PageStoreStats Stats() const = 0;
};

}  // namespace ocfsgw::cache
