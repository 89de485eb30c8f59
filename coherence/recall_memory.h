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
    if (records_.insert_or_assign(inode, record).second) order_.push_back(inode);
    while (order_.size() > kMax) {
      const auto oldest = records_.find(order_.front());
      order_.pop_front();
      if (oldest == records_.end()) continue;
      const InodeId id = oldest->first;
      const bool recalled = oldest->second.recalled;
      records_.erase(oldest);
      if (recalled) return id;
    }
    return std::nullopt;
  }
  std::optional<RecallRecord> Take(InodeId inode) {
    MutexLock lock(mutex_);
    const auto it = records_.find(inode);
    if (it == records_.end()) return std::nullopt;
    const RecallRecord record = it->second;
    records_.erase(it);
    return record;
  }

 private:
  Mutex mutex_;
  std::unordered_map<InodeId, RecallRecord> records_ GUARDED_BY(mutex_);
  std::deque<InodeId> order_ GUARDED_BY(mutex_);  ///< Taken ones, too, until their turn comes.
};

}  // namespace ocfsgw::coherence
