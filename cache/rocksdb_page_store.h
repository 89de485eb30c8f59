#pragma once

#include <algorithm>
#include <chrono>
#include <memory>

#include "base/clock.h"
#include "base/metrics.h"
#include "cache/eviction_policy.h"
#include "cache/page_store.h"
#include "cache/store_directory.h"

namespace rocksdb {
class FileSystem;
}

namespace ocfsgw::cache {

inline constexpr uint64_t kCacheSizeMin = 16ULL << 20;
inline constexpr uint64_t kStoreMemoryMin = 64ULL << 20;

struct RocksdbPageStoreOptions {
  VolumeId volume;          ///< Records of another volume are never served.
  uint64_t cache_size = 0;  ///< Quota of the database in bytes of disk, kCacheSizeMin or more.
  /// Memory tier (RocksDB's block cache: records below 2 KiB, open tables included) while the index is small;
  /// 0 for none. It gives way to the index: both together take memory_bytes_min + index_bytes_max, each no
  /// more than its own bound.
  uint64_t memory_bytes = 64ULL << 20;
  uint64_t memory_bytes_min = 16ULL << 20;  ///< What is left of memory_bytes when the index is full.
  /// The index. Old segments are evicted to stay within it, one at a time; it may pass it by what is queued,
  /// and while its table doubles.
  uint64_t index_bytes_max = 208ULL << 20;
  uint64_t memtable_bytes =
      32ULL << 20;  ///< Records written to the database and not flushed yet, twice over.
  uint64_t queue_bytes_max = 32ULL << 20;  ///< Payload bytes put and not written yet.
  size_t queue_records_max = 4096;         ///< Records put and not written yet.
  /// How long a degraded store waits before it tries again.
  Duration retry_interval = std::chrono::seconds(30);
  /// How often a store that is open notes in its directory that it is in use.
  Duration touch_interval = std::chrono::minutes(1);
  /// A look-up that waits for the disk for longer takes the store out of service. A disk that works, even a
  /// busy one, has answered by then; and a look-up that takes a second is worth less than a read of the
  /// source.
  Duration slow_limit = std::chrono::seconds(1);
  Duration slow_probe_interval = std::chrono::seconds(5);  ///< How often a slow disk is tried.
  std::unique_ptr<EvictionPolicy> policy;  ///< Null: ReplacementEviction, of kDefaultReplacementPolicy.
  /// Of a new segment, at most this share is filled with records of evicted ones. 0 to 0.9.
  double kept_share = 0.8;
  /// Once the store is full, file data that the policy does not remember is refused: what is read once only
  /// is never written. Whether the policy remembers is up to it (EvictionPolicy::Offered).
  bool admission = false;
  /// Bytes written to disk over bytes put and not refused: nothing is kept beyond it. 1 or more.
  double write_amplification_max = 1.3;
  MetricsRegistry* metrics = nullptr;  ///< Outlives the store, serves one store only. Null: no metrics.
  /// How long the destructor goes on writing what is queued.
  Duration drain_time = std::chrono::seconds(10);
  /// What the database does its I/O through, for tests of faults. Null: the operating system.
  std::shared_ptr<rocksdb::FileSystem> file_system;
};

/// Bytes of a segment of a store with this quota: 1/64 of it, 1 to 256 MiB.
constexpr uint64_t SegmentBytes(uint64_t cache_size) {
  return std::clamp<uint64_t>(cache_size / 64, 1ULL << 20, 256ULL << 20);
}

/// Divides `bytes` of memory, kStoreMemoryMin or more, between the parts of a store: the members of `options`
/// that end in _bytes, _bytes_min and _bytes_max, but for cache_size.
void ShareMemory(uint64_t bytes, RocksdbPageStoreOptions* options);

/// PageStore on RocksDB. Records are appended to the youngest of a row of segments (one column family each,
/// 1/64 of the quota, 1 to 256 MiB); evicting drops the oldest, after what the policy keeps was appended
/// again. A record larger than a segment is not stored.
///
/// Thread-safe. One mutex, a leaf, never held across a RocksDB call; one thread of its own, the writer, does
/// all writing, evicting and recovering; another, the probe, has nothing to do but when the disk is slow.
///
/// 1. A record is served only if key, stamp, length and checksum are those it was put with.
/// 2. The newest Put under a key wins; DropInode hides everything put before it; both also across a restart.
/// After
///    kill -9 the newest Puts may be missing, and a drop not yet taken from the queue by the writer may be
///    undone; after a power failure so may the drops since the last flush. A log of drops that is damaged
///    costs the database.
/// 3. The database takes no more disk than cache_size. (A database set aside as unusable comes on top.)
/// 4. The memory taken is bounded by the options, and counted: PageStoreStats::memory.
/// 5. What is written, records kept included, is at most write_amplification_max times what was put. What
///    `admission` refuses does not count as put.
/// 6. Put waits for nothing but the mutex: what the queue has no room for is dropped and counted.
///
/// On failure: a database that cannot be used is set aside and replaced; an I/O error degrades the store
/// (every Get misses, every Put is dropped), which tries to open the database anew every retry_interval. Both
/// are one log line. A database that ten attempts in a row could not read counts as one that cannot be used,
/// and a deleted directory is made anew. Drops whose tombstones cannot be written hide the database: who
/// opens it before they are written sets it aside.
///
/// A disk that takes longer than slow_limit for a look-up (slow_disk.h) takes the store out of service in the
/// same way, but the database stays open: the index stays, drops are written as ever, and what is stored is
/// served again when the disk was quick three times in a row, tried every slow_probe_interval. A disk that is
/// slow only to write makes the queue full, and Puts are dropped.
class RocksdbPageStore final : public PageStore {
 public:
  /// Reads the index of what is stored: about a second for a million records. kInvalidArgument if cache_size
  /// is too small. A full disk or I/O errors give a degraded store.
  static Result<std::unique_ptr<RocksdbPageStore>> Open(StoreDirectory directory,
                                                        RocksdbPageStoreOptions options);
  /// Writes what is queued, for at most drain_time, and closes the database. On a slow disk the calls that
  /// are under way at that moment come on top, and what is not flushed is not stored.
  ~RocksdbPageStore() override;

  Result<size_t> Get(const RecordKey& key, StampHash stamp, size_t offset,
                     std::span<std::byte> into) override;
  Result<std::string> GetWhole(const RecordKey& key, StampHash stamp) override;
  void Put(const RecordKey& key, StampHash stamp, std::shared_ptr<const std::string> bytes) override;
  void DropInode(InodeId inode) override;
  bool Has(InodeId inode) const override;
  bool Wants(const RecordKey& key, StampHash stamp, uint64_t bytes) const override;
  /// A degraded store does not wait for retry_interval but tries to recover now, once.
  void Flush() override;
  PageStoreStats Stats() const override;

 private:
  struct Impl;
  explicit RocksdbPageStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ocfsgw::cache
