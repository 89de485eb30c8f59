#include "cache/arc_policy.h"

#include <algorithm>

namespace ocfsgw::cache {

AccessOutcome ArcPolicy::Access(ObjectId id) {
  AccessOutcome outcome;
  if (capacity_ == 0) return outcome;
  const uint32_t slot = table_.Find(id);
  if (slot != kNoSlot && table_[slot].list <= kT2) {
    Move(slot, kT2);
    outcome.hit = true;
    return outcome;
  }
  if (slot != kNoSlot) {
    const bool ghost_of_t2 = table_[slot].list == kB2;
    const auto b1 = static_cast<double>(SizeOf(kB1)), b2 = static_cast<double>(SizeOf(kB2));
    p_ = ghost_of_t2 ? std::max(0.0, p_ - std::max(1.0, b1 / b2))
                     : std::min(static_cast<double>(capacity_), p_ + std::max(1.0, b2 / b1));
    if (size() == capacity_) outcome.evicted = Replace(ghost_of_t2);
    Move(slot, kT2);
    return outcome;
  }
  if (SizeOf(kT1) + SizeOf(kB1) == capacity_) {
    if (SizeOf(kB1) > 0) {
      table_.PopBack(lists_[kB1]);
      if (size() == capacity_) outcome.evicted = Replace(false);
    } else {
      outcome.evicted = table_.PopBack(lists_[kT1]);
    }
  } else {
    if (size() + SizeOf(kB1) + SizeOf(kB2) == 2 * capacity_) table_.PopBack(lists_[kB2]);
    if (size() == capacity_) outcome.evicted = Replace(false);
  }
  table_.PushFront(lists_[kT1], table_.Add(id));
  return outcome;
}

void ArcPolicy::Move(uint32_t slot, ListName to) {
  table_.Unlink(lists_[table_[slot].list], slot);
  table_[slot].list = to;
  table_.PushFront(lists_[to], slot);
}

/// Makes a ghost of the oldest object of T1 or T2. REQUIRES: something is resident.
ObjectId ArcPolicy::Replace(bool ghost_of_t2) {
  const auto t1 = static_cast<double>(SizeOf(kT1));
  const bool from_t1 = SizeOf(kT2) == 0 || (t1 >= 1 && (t1 > p_ || (ghost_of_t2 && t1 == p_)));
  const uint32_t slot = lists_[from_t1 ? kT1 : kT2].back;
  Move(slot, from_t1 ? kB1 : kB2);
  return table_[slot].id;
}

bool ArcPolicy::IsResident(ObjectId id) const {
  const uint32_t slot = table_.Find(id);
  return slot != kNoSlot && table_[slot].list <= kT2;
}

void ArcPolicy::Remove(ObjectId id) {
  const uint32_t slot = table_.Find(id);
  if (slot == kNoSlot || table_[slot].list > kT2) return;
  table_.Unlink(lists_[table_[slot].list], slot);
  table_.Erase(slot);
}

}  // namespace ocfsgw::cache
