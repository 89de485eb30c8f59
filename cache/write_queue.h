#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cache/record_format.h"

namespace ocfsgw::cache {

/// One thing to write: a record, or a tombstone (`bytes` null) for `key.inode`.
struct QueuedWrite {
  Sequence sequence = 0;
  RecordKey key;
  StampHash stamp;
  std::shared_ptr<const std::string> bytes;
  bool in_flight = false;  ///< Taken by the writer: may reach the disk even if cancelled now.

  bool is_tombstone() const { return bytes == nullptr; }
};

/// What was put or dropped and is not written yet, in order of sequence. Bounded in bytes and number of
/// records; tombstones are not counted, there is at most one for each record on disk. Thread-compatible.
class WriteQueue {
 public:
  WriteQueue(uint64_t bytes_max, size_t records_max) : bytes_max_(bytes_max), records_max_(records_max) {}

  /// Whether a record of `bytes` payload bytes may be added.
  bool HasRoom(uint64_t bytes) const { return records_ < records_max_ && bytes <= bytes_max_ - bytes_; }
  /// REQUIRES: HasRoom for a record; a sequence above all before.
  void Add(QueuedWrite write);
  /// Null if it was never there, is written, or was cancelled.
  const QueuedWrite* Find(Sequence sequence) const;
  /// Written or cancelled. No effect if it is not there.
  void Remove(Sequence sequence);
  /// The oldest writes, at least one if there are any, up to `bytes` payload bytes; they stay, marked in
  /// flight.
  std::vector<QueuedWrite> Take(uint64_t bytes);
  /// Removes all records and returns them; tombstones stay, not in flight.
  std::vector<QueuedWrite> TakeRecordsOut();

  /// Payload bytes of the records.
  uint64_t bytes() const { return bytes_; }
  bool empty() const { return writes_.empty(); }
  /// REQUIRES: !empty().
  Sequence first() const { return writes_.begin()->first; }
  const std::map<Sequence, QueuedWrite>& writes() const { return writes_; }

 private:
  const uint64_t bytes_max_;
  const size_t records_max_;
  std::map<Sequence, QueuedWrite> writes_;
  uint64_t bytes_ = 0;  // payload bytes of the records in writes_
  size_t records_ = 0;  // number of the records in writes_
};

}  // namespace ocfsgw::cache
