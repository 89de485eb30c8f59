#include "cache/store_writer.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>

#include "base/log.h"

namespace ocfsgw::cache {
namespace {

constexpr uint64_t kBatchBytes = 1 << 20;  // payload in one RocksDB write, unless a single record is larger
constexpr double kPolicyShare = 0.9;

template <size_t size>
rocksdb::Slice ToSlice(const std::array<char, size>& bytes) {
  return {bytes.data(), bytes.size()};
}

void AddRecord(rocksdb::WriteBatch* batch, const Segment& segment, VolumeId volume, const RecordKey& key,
               StampHash stamp, Sequence sequence, std::string_view payload) {
  const HeaderBytes header = EncodeHeader(volume, key, stamp, payload);
  const RecordKeyBytes data_key = EncodeKey(kDataPrefix, key);
  const std::array<rocksdb::Slice, 1> key_parts = {ToSlice(data_key)};
  const std::array<rocksdb::Slice, 2> value_parts = {ToSlice(header), rocksdb::Slice(payload)};
  (void)batch->Put(segment.handle(), {key_parts.data(), 1}, {value_parts.data(), 2});
  (void)batch->Put(segment.handle(), ToSlice(EncodeKey(kIndexPrefix, key)),
                   ToSlice(EncodeIndexValue({stamp, sequence, static_cast<uint32_t>(payload.size())})));
}

uint64_t Charge(const QueuedWrite& write) {
  return write.is_tombstone() ? kTombstoneCharge : RecordCharge(write.bytes->size());
}

}  // namespace

StoreWriter::StoreWriter(StoreState* state, StoreDirectory directory, const RocksdbPageStoreOptions& options)
    : state_(state),
      directory_(std::move(directory)),
      db_options_{directory_->database_path(), options.cache_size, state->memory, options.file_system},
      flush_bytes_(options.memtable_bytes / 2),
      memory_bytes_(options.memory_bytes),
      memory_bytes_min_(options.memory_bytes_min),
      retry_interval_(options.retry_interval),
      touch_interval_(options.touch_interval) {}

void StoreWriter::Run() {
  for (;;) {
    rocksdb::Status status;
    switch (WaitForWork()) {
      case Work::kWrite:
        status = WriteQueued();
        break;
      case Work::kFlush: {
        Sequence wanted;
        {
          MutexLock lock(state_->mutex);
          wanted = state_->flush_wanted;
        }
        status = FlushActive();
        if (status.ok()) {
          FlushFinished(wanted);
        }
        break;
      }
      case Work::kTouch:
        Touch();
        break;
      case Work::kDegrade:
        status = rocksdb::Status::IOError("reading fails again and again");
        break;
      case Work::kHide:
        HideDropped();
        break;
      case Work::kRecover:
        Recover();
        break;
      case Work::kStop:
        Stop();
        return;
    }
    if (!status.ok()) {
      Degrade(status.ToString());
    }
  }
}

StoreWriter::Work StoreWriter::WaitForWork() {
  MutexLock lock(state_->mutex);
  for (;;) {
    const TimePoint now = std::chrono::steady_clock::now();
    const bool flush = state_->flush_wanted > state_->flush_done;
    if (state_->stopping && (state_->degraded || state_->queue.empty() || now >= state_->stop_deadline)) {
      return Work::kStop;
    }
    if (state_->degraded) {
      if (!hidden_ && DropsPending()) {
        return Work::kHide;
      }
      if (flush || now >= retry_at_) {
        return Work::kRecover;
      }
      state_->work.WaitUntil(state_->mutex, retry_at_);
      continue;
    }
    if (state_->read_errors) {
      return Work::kDegrade;
    }
    if (flush && (state_->queue.empty() || state_->queue.first() > state_->flush_wanted)) {
      return Work::kFlush;
    }
    if (now >= touch_at_) {
      return Work::kTouch;
    }
    if (!state_->queue.empty()) {
      return Work::kWrite;
    }
    state_->work.WaitUntil(state_->mutex, touch_at_);
  }
}

/// Whoever looks for the slot used last is to find this one, even if this process is killed.
void StoreWriter::Touch() {
  directory_->Touch();
  touch_at_ = std::chrono::steady_clock::now() + touch_interval_;
}

void StoreWriter::Stop() {
  bool late = false;
  {
    MutexLock lock(state_->mutex);
    late = state_->disk.slow() || std::chrono::steady_clock::now() >= state_->stop_deadline;
  }
  if (!late) {
    (void)FlushActive();
  }
  Touch();
  const bool save = db_ != nullptr && !late;
  const std::vector<SavedWord> words = save ? PolicyWords() : std::vector<SavedWord>();
  Degrade("");  // closes the database
  HideDropped();
  if (save) {
    SavePolicy(words);
  }
}

rocksdb::Status StoreWriter::WriteQueued() {
  std::vector<QueuedWrite> taken;
  {
    MutexLock lock(state_->mutex);
    taken = state_->queue.Take(kBatchBytes);
  }
  std::span<const QueuedWrite> rest(taken);
  while (!rest.empty()) {
    if (active_ == nullptr || active_bytes_ + Charge(rest.front()) > state_->segment_bytes ||
        active_records_ >= state_->segment_records_max) {
      if (rocksdb::Status status = Roll(); !status.ok()) {
        return status;
      }
    }
    size_t fitting = 0;
    for (uint64_t bytes = active_bytes_; fitting < rest.size(); ++fitting) {
      bytes += Charge(rest[fitting]);
      const bool full =
          bytes > state_->segment_bytes || active_records_ + fitting >= state_->segment_records_max;
      if (full && fitting > 0) {
        break;
      }
    }
    if (rocksdb::Status status = WriteToActive(rest.first(fitting)); !status.ok()) {
      return status;
    }
    rest = rest.subspan(fitting);
  }
  return rocksdb::Status::OK();
}

rocksdb::Status StoreWriter::WriteToActive(std::span<const QueuedWrite> writes) {
  rocksdb::WriteBatch records;
  rocksdb::WriteBatch tombstones;
  uint64_t charge = 0;
  uint64_t records_charge = 0;
  for (const QueuedWrite& write : writes) {
    charge += Charge(write);
    records_charge += write.is_tombstone() ? 0 : Charge(write);
    if (write.is_tombstone()) {
      (void)tombstones.Put(active_->handle(), ToSlice(EncodeTombstoneKey(write.key.inode)),
                           ToSlice(EncodeSequence(write.sequence)));
    } else {
      AddRecord(&records, *active_, state_->volume, write.key, write.stamp, write.sequence, *write.bytes);
    }
  }
  rocksdb::Status status = db_->Write(&records, /*logged=*/false);
  if (status.ok() && tombstones.Count() > 0) {
    status = db_->Write(&tombstones, /*logged=*/true);
  }
  if (!status.ok()) {
    return status;
  }
  active_bytes_ += charge;
  unflushed_bytes_ += charge;
  active_records_ += writes.size();
  state_->counters.written_bytes.Add(records_charge);
  {
    MutexLock lock(state_->mutex);
    for (const QueuedWrite& write : writes) {
      if (state_->queue.Find(write.sequence) == nullptr) {
        continue;  // cancelled meanwhile
      }
      if (!write.is_tombstone()) {
        state_->index.SetStored(state_->index.Find(write.key), active_->id());
      }
      state_->queue.Remove(write.sequence);
    }
  }
  return unflushed_bytes_ >= flush_bytes_ ? FlushActive() : status;
}

rocksdb::Status StoreWriter::FlushActive() {
  if (active_ == nullptr || unflushed_bytes_ == 0) {
    return rocksdb::Status::OK();
  }
  const rocksdb::Status status = db_->Flush(*active_);
  active_bytes_ += kFlushCharge;
  unflushed_bytes_ = 0;
  const Result<uint64_t> disk_bytes = directory_->DiskBytes();
  MutexLock lock(state_->mutex);
  if (disk_bytes.ok()) {  // otherwise the next MakeRoom says so
    state_->disk_bytes = *disk_bytes;
  }
  LimitBlockCache();
  return status;
}

/// To what the index does not take.
void StoreWriter::LimitBlockCache() {
  const uint64_t index = std::min(state_->IndexBytes(), state_->index_bytes_max);
  state_->memory->LimitBlockCache(
      std::min(memory_bytes_, memory_bytes_min_ + state_->index_bytes_max - index));
}

rocksdb::Status StoreWriter::Roll() {
  rocksdb::Status status = FlushActive();
  active_ = nullptr;
  if (status.ok()) {
    status = MakeRoom(state_->kept_bytes_max, /*index_bytes=*/0, /*kept_bytes_max=*/0);
  }
  if (status.ok()) {
    status = db_->CreateSegment(++last_segment_, &active_);
  }
  if (!status.ok()) {
    return status;
  }
  active_bytes_ = 0;
  active_records_ = 0;
  uint64_t kept_bytes_max = state_->kept_bytes_max;
  {
    MutexLock lock(state_->mutex);
    state_->segments.emplace(active_->id(), active_);
    kept_bytes_max =
        static_cast<uint64_t>(std::clamp(state_->write_credit, 0.0, static_cast<double>(kept_bytes_max)));
    if (state_->disk_bytes + state_->segment_bytes + state_->kept_bytes_max > state_->cache_size) {
      SetPolicyCapacity();
    }
  }
  return MakeRoom(state_->segment_bytes + state_->kept_bytes_max, SegmentIndexBytes(), kept_bytes_max);
}

/// As many records as would fill the quota if all were as large as the present ones, less a tenth: what is
/// not resident fills the segments too, until they go, and the more of that there is the less has to be
/// written again for each record put.
void StoreWriter::SetPolicyCapacity() {
  const double full = static_cast<double>(state_->cache_size) /
                      static_cast<double>(std::max<uint64_t>(state_->disk_bytes, state_->segment_bytes));
  const double records = kPolicyShare * full * static_cast<double>(state_->index.records());
  if (!state_->policy->SetCapacity(static_cast<uint64_t>(records))) {
    return;
  }
  // What was read comes first, so that it is this that fills the policy.
  for (const bool read : {true, false}) {
    for (const auto& [id, segment] : state_->segments) {
      const std::vector<IndexSlot*> newest_first = state_->index.OfSegment(id);
      for (auto it = newest_first.rbegin(); it != newest_first.rend(); ++it) {
        auto& [key, entry] = **it;
        if (entry.state == IndexEntry::State::kStored && (entry.policy_word != 0) == read) {
          entry.policy_word = state_->policy->Inserted(key, entry.length);
          if (read) {
            entry.policy_word = state_->policy->Touched(key, entry.policy_word);
          }
        }
      }
    }
  }
}

/// For `bytes` of disk and `index_bytes` of index; with 0 the index may be as large as it is.
rocksdb::Status StoreWriter::MakeRoom(uint64_t bytes, uint64_t index_bytes, uint64_t kept_bytes_max) {
  bool disk_fits = false;
  for (;;) {
    const Result<uint64_t> disk_bytes = directory_->DiskBytes();
    if (!disk_bytes.ok()) {
      return rocksdb::Status::IOError(disk_bytes.status().ToString());
    }
    std::shared_ptr<Segment> victim;
    {
      MutexLock lock(state_->mutex);
      state_->disk_bytes = *disk_bytes;
      // What of the new segment was flushed is in disk_bytes already.
      const uint64_t counted = active_ == nullptr ? 0 : std::min(bytes, active_bytes_ - unflushed_bytes_);
      disk_fits = *disk_bytes + bytes - counted <= state_->cache_size;
      if (disk_fits && (index_bytes == 0 || state_->IndexBytes() + index_bytes <= state_->index_bytes_max)) {
        return rocksdb::Status::OK();
      }
      if (!state_->segments.empty() && state_->segments.begin()->second != active_) {
        victim = state_->segments.begin()->second;
      }
    }
    if (victim == nullptr) {
      // What is queued is all that the index has left.
      return disk_fits ? rocksdb::Status::OK()
                       : rocksdb::Status::Incomplete("the quota leaves no room for a segment");
    }
    if (rocksdb::Status status = Evict(victim, &kept_bytes_max); !status.ok()) {
      return status;
    }
  }
}

rocksdb::Status StoreWriter::Evict(const std::shared_ptr<Segment>& victim, uint64_t* kept_bytes_max) {
  const std::vector<KeptRecord> kept = ChooseKept(victim->id(), kept_bytes_max);
  if (rocksdb::Status status = WriteKept(*victim, kept); !status.ok()) {
    return status;
  }
  Forget(victim->id());
  return db_->DropSegment(*victim);
}

/// What was read since it was put or kept goes first, as there may not be room for all, and then what was put
/// last: an order that a restart leaves as it is. (With another order after it, 1.1 % of the hits were lost.)
std::vector<StoreWriter::KeptRecord> StoreWriter::ChooseKept(SegmentId victim, uint64_t* kept_bytes_max) {
  std::vector<KeptRecord> kept;
  std::vector<std::pair<Sequence, const IndexSlot*>> newest_first;
  MutexLock lock(state_->mutex);
  for (const IndexSlot* slot : state_->index.OfSegment(victim)) {
    newest_first.emplace_back(slot->second.sequence, slot);
  }
  std::sort(newest_first.begin(), newest_first.end(), std::greater<>());
  for (const bool read : {true, false}) {
    for (const auto& [sequence, slot] : newest_first) {
      const auto& [key, entry] = *slot;
      const uint64_t charge = RecordCharge(entry.length);
      if (entry.state != IndexEntry::State::kStored || (entry.policy_word != 0) != read) {
        continue;
      }
      if (charge > *kept_bytes_max) {
        if (!state_->admission) {
          state_->policy->Gone(key);
        }  // otherwise the policy still has it, so that it is stored at once when it is put again
        continue;
      }
      if (const auto word = state_->policy->Keep(key, entry.policy_word)) {
        kept.push_back({key, entry.stamp, entry.sequence, entry.length, *word});
        *kept_bytes_max -= charge;
      }
    }
  }
  return kept;
}

/// The copies have the sequence of the original, so that a newer Put or drop of the same key stays the
/// newest.
rocksdb::Status StoreWriter::WriteKept(const Segment& victim, std::span<const KeptRecord> kept) {
  while (!kept.empty()) {
    rocksdb::WriteBatch batch;
    uint64_t charge = 0;
    std::vector<const KeptRecord*> copied;
    size_t tried = 0;
    for (; tried < kept.size() && charge < kBatchBytes; ++tried) {
      const KeptRecord& record = kept[tried];
      rocksdb::PinnableSlice value;
      if (!victim.Read(record.key, &value).ok()) {
        continue;
      }
      const auto payload =
          VerifiedPayload(state_->volume, record.key, record.stamp, record.length, value.ToStringView());
      if (payload) {
        AddRecord(&batch, *active_, state_->volume, record.key, record.stamp, record.sequence, *payload);
        charge += RecordCharge(record.length);
        copied.push_back(&record);
      }
    }
    if (rocksdb::Status status = db_->Write(&batch, /*logged=*/false); !status.ok()) {
      return status;
    }
    active_bytes_ += charge;
    active_records_ += copied.size();
    unflushed_bytes_ += charge;
    state_->counters.written_bytes.Add(charge);
    {
      MutexLock lock(state_->mutex);
      state_->write_credit -= static_cast<double>(charge);
      for (const KeptRecord* record : copied) {
        IndexSlot* const slot = state_->index.Find(record->key);
        if (slot != nullptr && slot->second.segment == victim.id() &&
            slot->second.sequence == record->sequence) {
          state_->index.SetStored(slot, active_->id());
          slot->second.policy_word = record->policy_word;
        }
      }
    }
    if (unflushed_bytes_ >= flush_bytes_) {
      if (rocksdb::Status status = FlushActive(); !status.ok()) {
        return status;
      }
    }
    kept = kept.subspan(tried);
  }
  return rocksdb::Status::OK();
}

void StoreWriter::Forget(SegmentId segment) {
  MutexLock lock(state_->mutex);
  for (IndexSlot* slot : state_->index.OfSegment(segment)) {
    if (slot->second.state == IndexEntry::State::kStored) {
      state_->counters.evicted.Add();
    }
    state_->index.Erase(slot);
  }
  state_->segments.erase(segment);
}

void StoreWriter::FlushFinished(Sequence wanted) {
  MutexLock lock(state_->mutex);
  state_->flush_done = std::max(state_->flush_done, wanted);
  state_->flushed.NotifyAll();
}

}  // namespace ocfsgw::cache
