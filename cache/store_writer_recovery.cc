// The part of StoreWriter that opens, gives up and reopens the database.
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "base/log.h"
#include "cache/policy_state_file.h"
#include "cache/state_bytes.h"
#include "cache/store_writer.h"

namespace ocfsgw::cache {
namespace {

/// A database that could not be read so often in a row is replaced: bad sectors do not pass. At the default
/// retry interval that is five minutes, for disks that come back.
constexpr int kOpenErrorsMax = 10;

}  // namespace

void StoreWriter::Open() {
  Touch();
  if (auto opened = OpenOrCreateStore(*directory_, state_->volume, db_options_, state_->index_bytes_max,
                                      /*discard=*/false);
      opened.ok()) {
    RestorePolicy(&*opened);
    if (const rocksdb::Status status = Install(std::move(*opened)); !status.ok()) {
      Degrade(status.ToString());
    }
  } else {
    Degrade(opened.status().ToString());
  }
}

/// The words that are not 0 of all that is stored.
std::vector<StoreWriter::SavedWord> StoreWriter::PolicyWords() {
  std::vector<SavedWord> words;
  MutexLock lock(state_->mutex);
  for (const auto& [id, segment] : state_->segments) {
    for (const IndexSlot* slot : state_->index.OfSegment(id)) {
      if (slot->second.state == IndexEntry::State::kStored && slot->second.policy_word != 0) {
        words.push_back({slot->second.sequence, slot->second.policy_word});
      }
    }
  }
  return words;
}

void StoreWriter::RestorePolicy(OpenedStore* store) {
  const std::string saved = TakePolicyState(*directory_);
  StateReader reader{saved};
  SavedPolicy header;
  if (!reader.Take(header) || header.words > reader.rest.size() / sizeof(SavedWord)) {
    return;
  }
  std::vector<SavedWord> words(header.words);
  for (SavedWord& word : words) {
    reader.Take(word);
  }
  const auto earlier = [](const SavedWord& a, const SavedWord& b) { return a.sequence < b.sequence; };
  std::sort(words.begin(), words.end(), earlier);
  for (const auto& segment : store->segments) {
    for (IndexSlot* slot : store->index.OfSegment(segment->id())) {
      const SavedWord wanted{slot->second.sequence, 0};
      const auto found = std::lower_bound(words.begin(), words.end(), wanted, earlier);
      if (found != words.end() && found->sequence == wanted.sequence) {
        slot->second.policy_word = found->word;
      }
    }
  }
  MutexLock lock(state_->mutex);
  state_->write_credit = header.write_credit;
  if (reader.rest.empty()) {
    return;  // the store has not been full
  }
  if (const Status status = state_->policy->Restore(reader.rest); !status.ok()) {
    log::Info("page store {}: the policy begins anew: {}", directory_->database_path(), status.ToString());
  }
}

/// REQUIRES: the database is closed, so that its size does not change any more.
void StoreWriter::SavePolicy(std::span<const SavedWord> words) {
  std::string state;
  {
    MutexLock lock(state_->mutex);
    AppendState(state, SavedPolicy{state_->write_credit, words.size()});
    for (const SavedWord& word : words) {
      AppendState(state, word);
    }
    state += state_->policy->Serialize();
  }
  if (const Status status = SavePolicyState(*directory_, state_->cache_size, state); !status.ok()) {
    log::Info("page store {}: the policy will begin anew: {}", directory_->database_path(),
              status.ToString());
  }
}

void StoreWriter::Recover() {
  bool discard = false;
  Sequence flush_wanted;
  {
    MutexLock lock(state_->mutex);
    discard = state_->drops_missed;
    flush_wanted = state_->flush_wanted;
  }
  if (closing_.expired() && FindDirectory()) {  // RocksDB does not open a database twice
    if (hidden_) {
      ShowDatabase(*directory_);
      hidden_ = false;
    }
    discard |= open_errors_ >= kOpenErrorsMax;
    if (auto opened =
            OpenOrCreateStore(*directory_, state_->volume, db_options_, state_->index_bytes_max, discard);
        opened.ok()) {
      open_errors_ = 0;
      hide_failed_ = false;
      log::Info("page store {}: works again", directory_->database_path());
      if (const rocksdb::Status status = Install(std::move(*opened)); !status.ok()) {
        Degrade(status.ToString());
      }
    } else {
      open_errors_ = opened.status().Is(StatusCode::kSystem) ? open_errors_ + 1 : 0;
      log::Debug("page store {}: still not usable: {}", directory_->database_path(),
                 opened.status().ToString());
      HideDropped();
    }
  }
  retry_at_ = std::chrono::steady_clock::now() + retry_interval_;
  FlushFinished(flush_wanted);
}

/// Whoever deletes the directory deletes our lock on it: it is taken anew before anything is made there.
bool StoreWriter::FindDirectory() {
  struct stat info;
  if (lstat((directory_->path() + "/store.lock").c_str(), &info) == 0 || errno != ENOENT) {
    return true;
  }
  auto directory = StoreDirectory::Open(directory_->path());
  if (!directory.ok()) {
    log::Debug("page store {}: {}", directory_->database_path(), directory.status().ToString());
    return false;
  }
  directory_.emplace(std::move(*directory));
  return true;
}

/// Without the database, all that is queued are tombstones.
bool StoreWriter::DropsPending() const { return !state_->queue.empty() || state_->drops_missed; }

/// Until the tombstones are written nobody may open the database, this process killed or not.
void StoreWriter::HideDropped() {
  {
    MutexLock lock(state_->mutex);
    if (hidden_ || !DropsPending()) {
      return;
    }
  }
  hidden_ = true;
  const Status status = HideDatabase(*directory_);
  if (!status.ok() && !hide_failed_) {
    hide_failed_ = true;
    log::Error("page store {}: {}; it has what must not be served any more: delete it before the next start",
               directory_->database_path(), status.ToString());
  }
}

rocksdb::Status StoreWriter::Install(OpenedStore opened) {
  db_ = std::move(opened.db);
  if (!opened.segments.empty()) {
    active_ = opened.segments.back();
    active_bytes_ = opened.youngest_bytes;
    last_segment_ = active_->id();
    active_records_ = 0;
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
    LimitBlockCache();
  }
  // The quota may have become smaller since the database was written. What the active segment still grows by
  // is needed; if not even that is to be had, the next roll says so.
  rocksdb::Status status =
      MakeRoom(active_ == nullptr ? 0 : state_->segment_bytes, SegmentIndexBytes(), /*kept_bytes_max=*/0);
  return status.IsIncomplete() ? rocksdb::Status::OK() : status;
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
                 directory_->database_path(), why,
                 std::chrono::duration_cast<std::chrono::seconds>(retry_interval_).count());
  }
}

}  // namespace ocfsgw::cache
