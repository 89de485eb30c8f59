#pragma once

#include <cstdint>
#include <vector>

#include "base/mutex.h"
#include "fusefs/shared_state.h"

namespace ocfsgw::fusefs {

/// Hands out the slots in which the guardian finds what the kernel knows. Thread-safe; the mutex is a leaf.
class GrantTable {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  /// `capacity`: slots that are used at most. `slots` outlives the table.
  explicit GrantTable(GrantSlots& slots, uint32_t capacity = GrantSlots::kCapacity)
      : slots_(slots), capacity_(capacity) {}

  /// Enters what the kernel is about to know; its slot, or kNone if the table is full.
  uint32_t Add(const Grant& grant) {
    MutexLock lock(mutex_);
    uint32_t slot = slots_.used.load(std::memory_order_relaxed);
    if (!free_.empty()) {
      slot = free_.back();
      free_.pop_back();
    } else if (slot < capacity_) {
      slots_.used.store(slot + 1, std::memory_order_relaxed);
    } else {
      return kNone;
    }
    // The guardian reads only after this process's end, which orders everything.
    slots_.slots[slot].store(grant.Packed(), std::memory_order_relaxed);
    return slot;
  }
  /// REQUIRES: `slot` is from Add and was not removed since, or is kNone.
  void Remove(uint32_t slot) {
    if (slot == kNone) return;
    MutexLock lock(mutex_);
    slots_.slots[slot].store(0, std::memory_order_relaxed);
    free_.push_back(slot);
  }

 private:
  GrantSlots& slots_;
  const uint32_t capacity_;
  Mutex mutex_;
  std::vector<uint32_t> free_ GUARDED_BY(mutex_);
};

}  // namespace ocfsgw::fusefs
