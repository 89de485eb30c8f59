#pragma once

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cache/record_format.h"
#include "cache/store_index.h"
#include "cache/store_memory.h"

namespace ocfsgw::cache {

class SegmentDb;

/// One segment: a column family. Its files go from the disk when it was dropped and its last owner lets go of
/// it. Keeps its database open.
class Segment {
 public:
  Segment(std::shared_ptr<SegmentDb> db, SegmentId id, rocksdb::ColumnFamilyHandle* handle)
      : db_(std::move(db)), id_(id), handle_(handle) {}
  ~Segment();
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  SegmentId id() const { return id_; }
  rocksdb::ColumnFamilyHandle* handle() const { return handle_; }
  /// The record ('d' value) under `key`; may read the disk. RocksDB's block checksums are verified.
  rocksdb::Status Read(const RecordKey& key, rocksdb::PinnableSlice* record) const;
  /// The same of a record with `payload.size()` bytes of payload. It is in `header` and `payload` when
  /// `record` is empty, and nothing is verified then.
  rocksdb::Status ReadInto(const RecordKey& key, HeaderBytes* header, std::span<char> payload,
                           rocksdb::PinnableSlice* record) const;

 private:
  const std::shared_ptr<SegmentDb> db_;
  const SegmentId id_;
  rocksdb::ColumnFamilyHandle* const handle_;
};

struct SegmentDbOptions {
  std::string path;
  uint64_t cache_size = 0;                           ///< Bytes; sizes RocksDB's manifest.
  std::shared_ptr<StoreMemory> memory;               ///< Not null.
  std::shared_ptr<rocksdb::FileSystem> file_system;  ///< For tests; null: the operating system's.
};

/// RocksDB, set up for segments: no compaction, no automatic flush to speak of, every file small enough to
/// bound. Thread-safe; every call may block on the disk. Closed when the last owner, segments included, lets
/// go.
class SegmentDb : public std::enable_shared_from_this<SegmentDb> {
 public:
  using Segments = std::vector<std::shared_ptr<Segment>>;

  /// A new database; `path` must not hold one.
  static rocksdb::Status Create(const SegmentDbOptions& options, std::shared_ptr<SegmentDb>* db);
  /// An existing one, and its segments, oldest first. Corruption if it has column families that are no
  /// segments.
  static rocksdb::Status Open(const SegmentDbOptions& options, std::shared_ptr<SegmentDb>* db,
                              Segments* segments);
  ~SegmentDb();

  /// REQUIRES: `id` above that of all segments before.
  rocksdb::Status CreateSegment(SegmentId id, std::shared_ptr<Segment>* segment);
  rocksdb::Status DropSegment(const Segment& segment);
  /// `logged`: survives the end of the process even before Flush, by the write-ahead log.
  rocksdb::Status Write(rocksdb::WriteBatch* batch, bool logged);
  /// What was written to `segment` is on disk, synced, when this returns.
  rocksdb::Status Flush(const Segment& segment);

  using OnTombstone = std::function<void(InodeId, Sequence)>;
  using OnRecord = std::function<void(const RecordKey&, const IndexValue&)>;
  // Calls back for every tombstone, or every record, of `segment`. Corruption also for entries that make no
  // sense.
  rocksdb::Status ScanTombstones(const Segment& segment, const OnTombstone& found);
  rocksdb::Status ScanRecords(const Segment& segment, const OnRecord& found);

 private:
  friend class Segment;
  explicit SegmentDb(const SegmentDbOptions& options);

  const std::unique_ptr<rocksdb::Env> env_;
  const rocksdb::Options options_;
  rocksdb::DB* db_ = nullptr;                              // set once, while opening
  rocksdb::ColumnFamilyHandle* default_handle_ = nullptr;  // RocksDB insists on this family; it stays empty
};

}  // namespace ocfsgw::cache
