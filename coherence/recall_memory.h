#pragma once

#include <deque>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/ids.h"
#include "base/mutex.h"
#include "coherence/hold_off.h"
#include "coherence/stamp.h"

namespace ocfsgw::coherence {

/// What is to be known of an inode when it is met again after nobody knew it for a while.
struct RecallRecord {
  bool recalled = false;  ///< A writer recalled it when it had `stamp`, which proves nothing if it is the
                          ///< same still (O_DIRECT leaves the times to chance).
  Stamp stamp;
  HoldOff hold_off;
  TimePoint hold_off_until{};
};

/// The records of inodes that writers took from us and that nobody knows any more. Thread-safe; the mutex is
/// a leaf.
class RecallMemory {
 public:
  static constexpr size_t kMax = 1 << 16;

  /// Returns a recalled inode that is not remembered any more, if there are too many: what is stored of it
  /// must go.
  std::optional<InodeId> Remember(InodeId inode, const RecallRecord& record) {
    MutexLock lock(mutex_);
    const uint64_t sequence = ++sequence_;
    records_.insert_or_assign(inode, Entry{record, sequence});
    order_.push_back({inode, sequence});
    std::optional<InodeId> dropped;
    while (records_.size() > kMax || order_.size() > 2 * kMax) {
      const auto [id, at] = order_.front();
      order_.pop_front();
      const auto oldest = records_.find(id);
      if (oldest == records_.end() || oldest->second.sequence != at) continue;
      if (records_.size() <= kMax) {
        order_.push_back({id, at});  // old, but not too many
        continue;
      }
      if (oldest->second.record.recalled) dropped = id;
      records_.erase(oldest);
    }
    return dropped;
  }
  std::optional<RecallRecord> Take(InodeId inode) {
    MutexLock lock(mutex_);
    const auto it = records_.find(inode);
    if (it == records_.end()) return std::nullopt;
    const RecallRecord record = it->second.record;
    records_.erase(it);
    return record;
  }

 private:
  Mutex mutex_;
  struct Entry {
    RecallRecord record;
    uint64_t sequence;
  };
  std::unordered_map<InodeId, Entry> records_ GUARDED_BY(mutex_);
  std::deque<std::pair<InodeId, uint64_t>> order_ GUARDED_BY(mutex_);  ///< Some of them taken meanwhile.
  uint64_t sequence_ GUARDED_BY(mutex_) = 0;
};

}  // namespace ocfsgw::coherence
