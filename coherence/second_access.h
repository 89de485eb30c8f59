#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"

namespace ocfsgw::coherence {

/// Tells the second access to an inode from its first, so that what is looked at once (by a backup, a scan)
/// costs no lease. Requests within kOneAccess of the first are one access: a file is looked up, opened and
/// read by several.
///
/// Remembers kSlots inodes, 512 KiB; of two that meet in a slot the later, and the earlier one begins anew.
/// An inode mistaken for another (one in 2^32) gets its lease an access early. Thread-safe, lock-free.
class SecondAccess {
 public:
  static constexpr size_t kSlots = 1 << 16;
  static constexpr Duration kOneAccess = std::chrono::seconds(1);

  /// `window`: how long after the first access the second may come. 0: every access passes for a second one,
  /// and nothing is remembered.
  explicit SecondAccess(Duration window)
      : window_(window), one_access_(std::min(kOneAccess, window / 2)), slots_(enabled() ? kSlots : 0) {}

  bool enabled() const { return window_ > Duration{}; }

  /// Notes an access; whether it is a second one.
  bool Note(InodeId id, TimePoint now) {
    if (!enabled()) return true;
    const uint64_t hash = std::hash<InodeId>()(id);
    std::atomic<uint64_t>& slot = slots_[hash % kSlots];
    const uint64_t tag = hash >> 32 << 32;
    const auto time = static_cast<uint32_t>(now.time_since_epoch() / kTick);  // wraps after 49 days
    const uint64_t was = slot.load(std::memory_order_relaxed);
    const Duration since = static_cast<uint32_t>(time - static_cast<uint32_t>(was)) * kTick;
    if (was == 0 || (was & ~uint64_t{UINT32_MAX}) != tag || since > window_) {
      slot.store(tag | time, std::memory_order_relaxed);
      return false;
    }
    return since >= one_access_;
  }

 private:
  static constexpr Duration kTick = std::chrono::milliseconds(1);

  const Duration window_;
  const Duration one_access_;
  std::vector<std::atomic<uint64_t>> slots_;  // upper half of the hash | time of the first access, in ticks
};

}  // namespace ocfsgw::coherence
