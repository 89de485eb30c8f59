#pragma once

#include <algorithm>
#include <map>
#include <memory>

#include "base/mutex.h"
#include "cache/rocksdb_page_store.h"
#include "cache/segment_db.h"
#include "cache/slow_disk.h"
#include "cache/store_index.h"
#include "cache/store_memory.h"
#include "cache/write_queue.h"

namespace ocfsgw::cache {

/// What a record, a tombstone and a flush count for in a segment: not less than they take on disk.
inline constexpr uint64_t kRecordChargeMin = 4096;
inline constexpr uint64_t kRecordOverhead =
    256;  // both keys, header, index value, and RocksDB's block and index entry
inline constexpr uint64_t kTombstoneCharge = 256;
inline constexpr uint64_t kFlushCharge = 8192;  // a table's properties, index, filter and partial last block

inline uint64_t RecordCharge(uint64_t payload_bytes) {
  return std::max(kRecordChargeMin, payload_bytes + kRecordOverhead);
}

/// A segment has at most this share of the records that index_bytes_max has room for.
inline constexpr uint64_t kIndexShares = 64;

struct StoreCounters {
  Counter hits, misses, evicted, dropped, corrupt, refused, put_bytes, written_bytes;
};

/// What the store's callers and its writer share.
///
/// 1. Every record in `queue` has an entry in `index`, kQueued, with the same sequence, and the other way
/// round.
/// 2. Every kStored entry is in a segment of `segments`, unless the store is degraded: then that is empty,
/// and the
///    index only serves to know which drops need a tombstone.
/// 3. All records of an inode on disk that are older than one of its tombstones are in the tombstone's
/// segment or an
///    older one. (The writer writes in order of sequence, and keeps only what is still in the index.)
struct StoreState {
  StoreState(const RocksdbPageStoreOptions& options, std::unique_ptr<EvictionPolicy> eviction_policy)
      : volume(options.volume),
        cache_size(options.cache_size),
        segment_bytes(SegmentBytes(options.cache_size)),
        index_bytes_max(options.index_bytes_max),
        segment_records_max(
            std::max<uint64_t>(1, options.index_bytes_max / kIndexShares / StoreIndex::kEntryBytesMax)),
        memory(std::make_shared<StoreMemory>(options.memory_bytes, options.memtable_bytes)),
        kept_bytes_max(static_cast<uint64_t>(options.kept_share * static_cast<double>(segment_bytes))),
        write_amplification_max(options.write_amplification_max),
        admission(options.admission),
        policy(std::move(eviction_policy)),
        queue(options.queue_bytes_max, options.queue_records_max),
        disk(options.slow_limit) {}

  const VolumeId volume;
  const uint64_t cache_size;
  const uint64_t segment_bytes;
  const uint64_t index_bytes_max;
  /// Records in a segment that is written: what is evicted at a time is a small share of the index, too.
  const uint64_t segment_records_max;
  const std::shared_ptr<StoreMemory> memory;
  const uint64_t kept_bytes_max;  // in a segment
  const double write_amplification_max;
  const bool admission;

  mutable Mutex mutex;
  CondVar work;       // the writer waits for something to do
  CondVar flushed;    // Flush() waits for flush_done
  CondVar disk_slow;  // the probe waits for disk.slow()
  const std::unique_ptr<EvictionPolicy> policy PT_GUARDED_BY(mutex);
  StoreIndex index GUARDED_BY(mutex);
  WriteQueue queue GUARDED_BY(mutex);
  std::map<SegmentId, std::shared_ptr<Segment>> segments GUARDED_BY(mutex);
  SlowDisk disk GUARDED_BY(mutex);
  /// Every Get misses and every Put is dropped.
  bool OutOfService() const REQUIRES(mutex) { return degraded || disk.slow(); }
  /// Whether a record of `length` payload bytes can be put now.
  bool Takes(uint64_t length) const REQUIRES(mutex) {
    return !OutOfService() && !stopping && RecordCharge(length) <= segment_bytes && queue.HasRoom(length);
  }
  Sequence last_sequence GUARDED_BY(mutex) = 0;
  Sequence flush_wanted GUARDED_BY(mutex) = 0;  // everything up to here should become durable
  Sequence flush_done GUARDED_BY(mutex) = 0;    // flush_wanted as of the last flush
  uint64_t disk_bytes GUARDED_BY(mutex) = 0;
  /// Of memory for what is stored: bounded by index_bytes_max.
  uint64_t IndexBytes() const REQUIRES(mutex) { return index.MemoryBytes() + policy->MetadataBytes(); }
  double write_credit GUARDED_BY(mutex) = 0;  // bytes of kept records that may still be written
  bool degraded GUARDED_BY(mutex) = true;
  bool index_loaded GUARDED_BY(mutex) = false;  // the database was open at least once
  bool drops_missed GUARDED_BY(mutex) = false;  // an inode was dropped before the index was loaded
  bool read_errors GUARDED_BY(mutex) = false;   // readers ask the writer to degrade the store
  bool stopping GUARDED_BY(mutex) = false;
  TimePoint stop_deadline GUARDED_BY(mutex);

  StoreCounters counters;  // atomic
};

}  // namespace ocfsgw::cache
