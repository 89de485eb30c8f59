#pragma once

#include <deque>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/ids.h"
#include "base/mutex.h"
#include "coherence/stamp.h"

namespace ocfsgw::coherence {

/// The stamps of inodes that a writer recalled and that nobody knows any more, so that an unchanged stamp is
/// not taken for an unchanged inode when they are met again (O_DIRECT leaves the times to chance).
/// Thread-safe; the mutex is a leaf.
class RecalledStamps {
 public:
  static constexpr size_t kMax = 1 << 16;

  /// Returns an inode that is not remembered any more, if there are too many: what is stored of it must go.
  std::optional<InodeId> Remember(InodeId inode, const Stamp& stamp) {
    MutexLock lock(mutex_);
    if (stamps_.insert_or_assign(inode, stamp).second) order_.push_back(inode);
    while (order_.size() > kMax) {
      const InodeId oldest = order_.front();
      order_.pop_front();
      if (stamps_.erase(oldest) != 0) return oldest;
    }
    return std::nullopt;
  }
  std::optional<Stamp> Take(InodeId inode) {
    MutexLock lock(mutex_);
    const auto it = stamps_.find(inode);
    if (it == stamps_.end()) return std::nullopt;
    const Stamp stamp = it->second;
    stamps_.erase(it);
    return stamp;
  }

 private:
  Mutex mutex_;
  std::unordered_map<InodeId, Stamp> stamps_ GUARDED_BY(mutex_);
  std::deque<InodeId> order_ GUARDED_BY(mutex_);  ///< Taken ones, too, until their turn comes.
};

}  // namespace ocfsgw::coherence
