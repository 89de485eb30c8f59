#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cache/segment_db.h"
#include "cache/store_directory.h"
#include "cache/store_recovery.h"
#include "cache/store_state.h"

namespace ocfsgw::cache {

/// The one thread that changes the database: writes the queue, rolls over to new segments, evicts old ones,
/// degrades the store on errors and recovers it, and notes that the directory is in use. Everything but
/// `state` is used by that thread alone.
///
/// Disk, with D the measured use, S = segment_bytes and K = kept_bytes_max: a new segment is begun only when
/// D + K fits into the quota, is filled with at most K of what is kept while old segments are evicted until
/// D + S + K fits (S less what of the new segment D has already), and then grows to at most S. So D never
/// passes the quota, and the next roll finds its K.
class StoreWriter {
 public:
  StoreWriter(StoreState* state, StoreDirectory directory, const RocksdbPageStoreOptions& options);

  /// Opens the database, before Run(); if that fails now, the store begins degraded.
  void Open();
  /// The thread: until state->stopping and the queue is written, or state->stop_deadline passes.
  void Run();

 private:
  enum class Work { kWrite, kFlush, kTouch, kDegrade, kHide, kRecover, kStop };
  Work WaitForWork();
  void Stop();

  // Each returns the first error, upon which the caller degrades the store.
  rocksdb::Status WriteQueued();
  rocksdb::Status WriteToActive(std::span<const QueuedWrite> writes);
  rocksdb::Status FlushActive();
  rocksdb::Status Roll();
  rocksdb::Status MakeRoom(uint64_t bytes, uint64_t index_bytes, uint64_t kept_bytes_max);
  /// What the records of one segment may add to the index.
  uint64_t SegmentIndexBytes() const { return state_->segment_records_max * StoreIndex::kEntryBytesMax; }
  void SetPolicyCapacity() REQUIRES(state_->mutex);
  rocksdb::Status Evict(const std::shared_ptr<Segment>& victim, uint64_t* kept_bytes_max);

  struct KeptRecord {
    RecordKey key;
    StampHash stamp;
    Sequence sequence;
    uint32_t length;
    PolicyWord policy_word;
  };
  std::vector<KeptRecord> ChooseKept(SegmentId victim, uint64_t* kept_bytes_max);
  rocksdb::Status WriteKept(const Segment& victim, std::span<const KeptRecord> kept);
  void Forget(SegmentId segment);

  void Recover();
  bool FindDirectory();
  bool DropsPending() const REQUIRES(state_->mutex);
  void HideDropped();

  // The file POLICY (policy_state_file.h): a SavedPolicy, its SavedWords, and what the policy serializes.
  struct SavedPolicy {
    double write_credit = 0;
    uint64_t words = 0;
  };
  struct [[gnu::packed]] SavedWord {
    Sequence sequence;
    PolicyWord word;
  };
  std::vector<SavedWord> PolicyWords();
  void RestorePolicy(OpenedStore* store);
  void SavePolicy(std::span<const SavedWord> words);

  rocksdb::Status Install(OpenedStore opened);
  void Degrade(const std::string& why);
  void LimitBlockCache() REQUIRES(state_->mutex);
  void FlushFinished(Sequence wanted);
  void Touch();

  StoreState* const state_;
  std::optional<StoreDirectory> directory_;  // always one; taken anew when it was deleted
  const SegmentDbOptions db_options_;
  const uint64_t flush_bytes_;  // what kill -9 may lose, and half of the memory it waits in
  const uint64_t memory_bytes_;
  const uint64_t memory_bytes_min_;
  const Duration retry_interval_;
  const Duration touch_interval_;

  std::shared_ptr<SegmentDb> db_;     // null while degraded
  std::weak_ptr<SegmentDb> closing_;  // the database given up last: readers may still have it open
  std::shared_ptr<Segment> active_;   // the segment written to; null until one is needed
  uint64_t active_bytes_ = 0;         // charges of what is in active_
  uint64_t active_records_ = 0;       // what was written to active_ since it was opened
  uint64_t unflushed_bytes_ = 0;      // of these, what is not on disk yet
  SegmentId last_segment_ = 0;
  TimePoint retry_at_{};
  TimePoint touch_at_{};
  int open_errors_ = 0;       // in a row: times the database could not be read
  bool hide_failed_ = false;  // and logged, since the store degraded
  bool hidden_ = false;       // HideDatabase() was called since the store degraded or tried to recover
};

}  // namespace ocfsgw::cache
