#include "cache/lirs_policy.h"

#include <algorithm>

namespace ocfsgw::cache {

LirsPolicy::LirsPolicy(size_t capacity)
    : capacity_(capacity),
      hot_max_(capacity - std::min(capacity, std::max<size_t>(1, capacity / 100))),
      table_(2 * capacity) {}

AccessOutcome LirsPolicy::Access(ObjectId id) {
  AccessOutcome outcome;
  if (capacity_ == 0) return outcome;
  ++now_;
  uint32_t slot = table_.Find(id);
  const bool in_stack = slot != kNoSlot && InStack(slot);
  if (slot != kNoSlot && table_[slot].list != kGhost) {
    table_[slot].time = now_;
    table_.MoveToFront(lists_[table_[slot].list], slot);
    if (table_[slot].list == kCold && in_stack) BecomeHot(slot);
    outcome.hit = true;
    return outcome;
  }
  if (slot != kNoSlot) {
    table_.Unlink(lists_[kGhost], slot);
    table_.Erase(slot);
  }
  if (size() == capacity_) outcome.evicted = Evict();
  const bool filling = !outcome.evicted && lists_[kHot].size < hot_max_;
  slot = table_.Add(id);
  table_[slot].time = now_;
  table_[slot].list = kCold;
  table_.PushFront(lists_[kCold], slot);
  if (in_stack || filling) BecomeHot(slot);
  return outcome;
}

bool LirsPolicy::InStack(uint32_t slot) const {
  const uint32_t oldest = lists_[kHot].back;
  return oldest != kNoSlot && table_[slot].time >= table_[oldest].time;
}

void LirsPolicy::Move(uint32_t slot, ListName to) {
  table_.Unlink(lists_[table_[slot].list], slot);
  table_[slot].list = to;
  table_.PushFront(lists_[to], slot);
}

void LirsPolicy::BecomeHot(uint32_t slot) {
  Move(slot, kHot);
  if (lists_[kHot].size > hot_max_) Move(lists_[kHot].back, kCold);
}

/// REQUIRES: something is resident.
ObjectId LirsPolicy::Evict() {
  if (lists_[kCold].size == 0) Move(lists_[kHot].back, kCold);
  const uint32_t slot = lists_[kCold].back;
  if (!InStack(slot)) return table_.PopBack(lists_[kCold]);
  // Ghosts that fell out of the stack go first where they are last in the queue; others are known by their
  // time.
  Move(slot, kGhost);
  while (lists_[kGhost].size > capacity_ || !InStack(lists_[kGhost].back)) table_.PopBack(lists_[kGhost]);
  return table_[slot].id;
}

bool LirsPolicy::IsResident(ObjectId id) const {
  const uint32_t slot = table_.Find(id);
  return slot != kNoSlot && table_[slot].list != kGhost;
}

void LirsPolicy::Remove(ObjectId id) {
  const uint32_t slot = table_.Find(id);
  if (slot == kNoSlot || table_[slot].list == kGhost) return;
  table_.Unlink(lists_[table_[slot].list], slot);
  table_.Erase(slot);
}

}  // namespace ocfsgw::cache
