// The part of StoreWriter that opens, gives up and reopens the database.
#include <chrono>
#include <utility>

#include "base/log.h"
#include "cache/store_writer.h"

namespace ocfsgw::cache {

void StoreWriter::Open() {
  Touch();
  if (auto opened = OpenOrCreateStore(directory_, state_->volume, db_options_, /*discard=*/false);
      opened.ok()) {
    Install(std::move(*opened));
  } else {
    Degrade(opened.status().ToString());
  }
}

bool StoreWriter::Recover() {
  bool discard = false;
  Sequence flush_wanted;
  {
    MutexLock lock(state_->mutex);
    discard = state_->drops_missed;
    flush_wanted = state_->flush_wanted;
  }
  bool recovered = false;
  if (closing_.expired()) {  // RocksDB does not open a database twice
    if (auto opened = OpenOrCreateStore(directory_, state_->volume, db_options_, discard); opened.ok()) {
      Install(std::move(*opened));
      recovered = true;
    } else {
      log::Debug("page store {}: still not usable: {}", directory_.database_path(),
                 opened.status().ToString());
    }
  }
  retry_at_ = std::chrono::steady_clock::now() + retry_interval_;
  FlushFinished(flush_wanted);
  return recovered;
}

void StoreWriter::Install(OpenedStore opened) {
  db_ = std::move(opened.db);
  if (!opened.segments.empty()) {
    active_ = opened.segments.back();
    active_bytes_ = opened.youngest_bytes;
    last_segment_ = active_->id();
  }
  unflushed_bytes_ = 0;
  {
    MutexLock lock(state_->mutex);
    state_->index = std::move(opened.index);
    for (auto& segment : opened.segments) {
      state_->segments.emplace(segment->id(), std::move(segment));
    }
    state_->last_sequence = std::max(state_->last_sequence, opened.last_sequence);
    // While the store was degraded nothing could be put: all that is queued are tombstones, newer than every
    // record.
    for (const auto& [sequence, tombstone] : state_->queue.writes()) {
      for (IndexSlot* slot : state_->index.OfInode(tombstone.key.inode)) {
        state_->index.Erase(slot);
      }
    }
    state_->index_loaded = true;
    state_->drops_missed = false;
    state_->read_errors = false;
    state_->degraded = false;
  }
  // The quota may have become smaller since the database was written. What the active segment still grows by
  // is needed; if not even that is to be had, the next roll says so.
  const uint64_t active_growth =
      active_ == nullptr ? 0 : state_->segment_bytes - std::min(active_bytes_, state_->segment_bytes);
  (void)MakeRoom(active_growth, /*kept_bytes_max=*/0);
}

void StoreWriter::Degrade(const std::string& why) {
  std::map<SegmentId, std::shared_ptr<Segment>> closing;
  {
    MutexLock lock(state_->mutex);
    state_->degraded = true;
    for (const QueuedWrite& write : state_->queue.TakeRecordsOut()) {
      state_->counters.dropped.Add();
      IndexSlot* const slot = state_->index.Find(write.key);
      if (write.in_flight || slot->second.on_disk) {
        slot->second.on_disk = true;
        state_->index.SetVoid(slot);
      } else {
        state_->index.Erase(slot);
      }
    }
    closing.swap(state_->segments);
    state_->flush_done = state_->flush_wanted;
    state_->flushed.NotifyAll();
  }
  retry_at_ = std::chrono::steady_clock::now() + retry_interval_;
  closing_ = db_;
  active_ = nullptr;
  db_ = nullptr;
  closing.clear();  // the database closes here, or when the last reader is done
  if (!why.empty()) {
    log::Warning("page store {}: {}; nothing is cached until it works again, trying every {} s",
                 directory_.database_path(), why,
                 std::chrono::duration_cast<std::chrono::seconds>(retry_interval_).count());
  }
}

}  // namespace ocfsgw::cache
