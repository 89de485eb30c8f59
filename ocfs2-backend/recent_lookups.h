#pragma once

#include <array>
#include <atomic>
#include <chrono>

#include "base/clock.h"
#include "base/mutex.h"
#include "ocfs2-backend/descriptor.h"

namespace ocfsgw::ocfs2 {

/// A file that is replaced by rename(2) all the time may be gone between the lookup of its name and its being
/// opened by its handle. The kernel then walks once more, and must not fail twice: once a handle was found to
/// be stale, what lookups find is held for a while, as an open(2) by name would hold it. Not always, since
/// what is held is not wiped when it is deleted. Thread-safe; the mutex is a leaf.
class RecentLookups {
 public:
  static constexpr size_t kMax = 64;
  static constexpr Duration kFor = std::chrono::seconds(1);

  /// A handle was stale.
  void Begin() {
    until_.store((std::chrono::steady_clock::now() + kFor).time_since_epoch().count());
    active_.store(true);
  }
  /// Takes the descriptor of what a lookup found, if it is a time for that.
  void Offer(UniqueFd& found) {
    if (!active_.load(std::memory_order_relaxed)) return;
    const bool over = std::chrono::steady_clock::now().time_since_epoch().count() > until_.load();
    std::array<UniqueFd, kMax> dead;  // closed outside of the mutex
    MutexLock lock(mutex_);
    if (over) {
      active_.store(false);
      std::swap(dead, held_);
    } else {
      std::swap(held_[next_++ % kMax], found);
    }
  }

 private:
  std::atomic<bool> active_{false};
  std::atomic<TimePoint::rep> until_{0};
  Mutex mutex_;
  size_t next_ GUARDED_BY(mutex_) = 0;
  std::array<UniqueFd, kMax> held_ GUARDED_BY(mutex_);
};

}  // namespace ocfsgw::ocfs2
