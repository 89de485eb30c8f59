#include "cache/wtinylfu_policy.h"

#include <algorithm>

namespace ocfsgw::cache {
namespace {

constexpr size_t kHitsToHalve = 32;

}  // namespace

WTinyLfuPolicy::WTinyLfuPolicy(size_t capacity)
    : capacity_(capacity),
      main_max_(capacity - std::min(capacity, std::max<size_t>(1, capacity / 100))),
      protected_max_(main_max_ * 4 / 5),
      table_(capacity),
      sketch_(main_max_) {}

AccessOutcome WTinyLfuPolicy::Access(ObjectId id) {
  AccessOutcome outcome;
  if (capacity_ == 0) return outcome;
  if (const uint32_t slot = table_.Find(id); slot != kNoSlot) {
    Touch(slot);
    outcome.hit = true;
    return outcome;
  }
  sketch_.Add(id);
  if (size() == capacity_) outcome.evicted = Evict();
  table_.PushFront(lists_[kWindow], table_.Add(id));
  return outcome;
}

void WTinyLfuPolicy::Move(uint32_t slot, ListName to) {
  table_.Unlink(lists_[table_[slot].list], slot);
  table_[slot].list = to;
  table_.PushFront(lists_[to], slot);
}

void WTinyLfuPolicy::Touch(uint32_t slot) {
  if (table_[slot].list == kWindow) return table_.MoveToFront(lists_[kWindow], slot);
  sketch_.Add(table_[slot].id);
  if (++main_hits_ >= kHitsToHalve * main_max_) {
    main_hits_ = 0;
    sketch_.Halve();
  }
  Move(slot, kProtected);
  if (lists_[kProtected].size > protected_max_) Move(lists_[kProtected].back, kProbation);
}

/// REQUIRES: the cache is full.
ObjectId WTinyLfuPolicy::Evict() {
  while (MainSize() < main_max_ && lists_[kWindow].size > 0) {
    const bool probation_full = lists_[kProbation].size >= main_max_ - protected_max_;
    Move(lists_[kWindow].back, probation_full ? kProtected : kProbation);
  }
  SlotList& main_victims = lists_[lists_[kProbation].size > 0 ? kProbation : kProtected];
  if (lists_[kWindow].size == 0) return table_.PopBack(main_victims);
  const uint32_t candidate = lists_[kWindow].back;
  const ObjectId candidate_id = table_[candidate].id;
  const bool admitted = main_victims.size > 0 &&
                        sketch_.Estimate(candidate_id) > sketch_.Estimate(table_[main_victims.back].id);
  sketch_.Add(candidate_id);
  if (!admitted) return table_.PopBack(lists_[kWindow]);
  const ObjectId victim = table_.PopBack(main_victims);
  Move(candidate, kProbation);
  return victim;
}

void WTinyLfuPolicy::Remove(ObjectId id) {
  const uint32_t slot = table_.Find(id);
  if (slot == kNoSlot) return;
  table_.Unlink(lists_[table_[slot].list], slot);
  table_.Erase(slot);
}

}  // namespace ocfsgw::cache
