#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>

#include "base/ids.h"
#include "base/mutex.h"
#include "base/status.h"

namespace rocksdb {
class DB;
}

namespace ocfsgw::cache {

struct BlobKey {
  uint64_t file = 0;
  uint64_t block = 0;
  bool operator==(const BlobKey&) const = default;
};

struct BlobCacheOptions {
  std::string path;                      ///< Of the database, which must not exist.
  uint64_t cache_size = 0;               ///< Quota in bytes of disk.
  uint64_t file_bytes = 0;               ///< Of a blob file, and of a memtable.
  uint64_t memory_bytes = 0;             ///< Of RocksDB's block and blob cache.
  std::function<uint64_t()> disk_bytes;  ///< What the database takes. Called from a thread of the cache.
  bool lru = true;                       ///< False: FIFO.
  double age_cutoff = 0.25;              ///< blob_garbage_collection_age_cutoff; RocksDB's default.
  double force_threshold = 1.0;          ///< blob_garbage_collection_force_threshold; RocksDB's default.
  int compaction_trigger = 4;            ///< level0_file_num_compaction_trigger; RocksDB's default.
  /// Of the quota, for live records: the rest is for garbage that was not collected yet.
  double live_share = 0.8;
};

/// The layout that the page store does not have, to be measured beside it: one column family with blobs in
/// files of their own (RocksDB's integrated BlobDB), and the eviction of single records by Delete. In no
/// product: docs/decisions/0001-page-store-layout.md.
///
/// One thread at a time gets and puts. Another, its own, looks at the disk, and where collecting garbage does
/// not keep within the quota, evicts more and compacts by hand until it does. One mutex, a leaf, never held
/// across a RocksDB call. Records do not survive the process.
class BlobCache {
 public:
  /// kUnavailable if RocksDB cannot make the database.
  static Result<std::unique_ptr<BlobCache>> Create(BlobCacheOptions options);
  ~BlobCache();
  BlobCache(const BlobCache&) = delete;
  BlobCache& operator=(const BlobCache&) = delete;

  /// Whether the record was there; as much of it as has room is copied to `into`. May block on the disk.
  bool Get(const BlobKey& key, std::span<std::byte> into);
  /// False if RocksDB failed. Blocks while RocksDB has no memtable free.
  bool Put(const BlobKey& key, std::string_view bytes);
  /// The disk is full; whoever puts now may pass the quota.
  bool full() const { return full_; }
  void Flush();

  uint64_t evicted_bytes() const { return evicted_bytes_; }
  uint64_t inserted_bytes() const { return inserted_bytes_; }

 private:
  struct Record {
    BlobKey key;
    uint64_t charge;
  };
  struct KeyHash {
    size_t operator()(const BlobKey& key) const noexcept { return HashMix(key.file, key.block); }
  };

  BlobCache(BlobCacheOptions options, rocksdb::DB* db);
  void Remove(const BlobKey& key) REQUIRES(mutex_);
  void EvictDownTo(uint64_t bytes);
  void Reclaim();

  const BlobCacheOptions options_;
  const std::unique_ptr<rocksdb::DB> db_;
  Mutex mutex_;
  std::list<Record> order_ GUARDED_BY(mutex_);  // the next to go is last
  std::unordered_map<BlobKey, std::list<Record>::iterator, KeyHash> records_ GUARDED_BY(mutex_);
  uint64_t live_bytes_ GUARDED_BY(mutex_) = 0;
  std::atomic<uint64_t> evicted_bytes_ = 0;
  std::atomic<uint64_t> inserted_bytes_ = 0;
  std::atomic<bool> full_ = false;
  std::atomic<bool> stop_ = false;
  std::thread reclaimer_;
};

}  // namespace ocfsgw::cache
