#include "cache/s3fifo_policy.h"

#include <algorithm>

namespace ocfsgw::cache {
namespace {

constexpr uint8_t kReadsMax = 3;
constexpr uint8_t kReadsForMain = 2;

}  // namespace

S3FifoPolicy::S3FifoPolicy(size_t capacity)
    : capacity_(capacity),
      small_target_(std::max<size_t>(1, capacity / 10)),
      ghosts_max_(capacity * 9 / 10),
      table_(capacity + ghosts_max_) {}

AccessOutcome S3FifoPolicy::Access(ObjectId id) {
  AccessOutcome outcome;
  if (capacity_ == 0) return outcome;
  uint32_t slot = table_.Find(id);
  if (slot != kNoSlot && table_[slot].list != kGhost) {
    table_[slot].reads = std::min<uint8_t>(table_[slot].reads + 1, kReadsMax);
    outcome.hit = true;
    return outcome;
  }
  const bool was_ghost = slot != kNoSlot;
  if (was_ghost) {
    table_.Unlink(lists_[kGhost], slot);
    table_.Erase(slot);
  }
  if (size() == capacity_) outcome.evicted = Evict();
  slot = table_.Add(id);
  table_[slot].list = was_ghost ? kMain : kSmall;
  table_.PushFront(lists_[table_[slot].list], slot);
  return outcome;
}

void S3FifoPolicy::Move(uint32_t slot, ListName to) {
  table_.Unlink(lists_[table_[slot].list], slot);
  table_[slot].list = to;
  table_.PushFront(lists_[to], slot);
}

/// REQUIRES: something is resident.
ObjectId S3FifoPolicy::Evict() {
  while (lists_[kMain].size <= capacity_ - small_target_ && lists_[kSmall].size > 0) {
    const uint32_t slot = lists_[kSmall].back;
    if (table_[slot].reads >= kReadsForMain) {
      table_[slot].reads = 0;
      Move(slot, kMain);
      continue;
    }
    if (ghosts_max_ == 0) return table_.PopBack(lists_[kSmall]);
    if (lists_[kGhost].size == ghosts_max_) table_.PopBack(lists_[kGhost]);
    Move(slot, kGhost);
    return table_[slot].id;
  }
  return EvictFromMain();
}

/// Constant time on average: each turn of the loop uses up one read.
ObjectId S3FifoPolicy::EvictFromMain() {
  for (;;) {
    const uint32_t slot = lists_[kMain].back;
    if (table_[slot].reads == 0) return table_.PopBack(lists_[kMain]);
    --table_[slot].reads;
    table_.MoveToFront(lists_[kMain], slot);
  }
}

bool S3FifoPolicy::IsResident(ObjectId id) const {
  const uint32_t slot = table_.Find(id);
  return slot != kNoSlot && table_[slot].list != kGhost;
}

void S3FifoPolicy::Remove(ObjectId id) {
  const uint32_t slot = table_.Find(id);
  if (slot == kNoSlot || table_[slot].list == kGhost) return;
  table_.Unlink(lists_[table_[slot].list], slot);
  table_.Erase(slot);
}

}  // namespace ocfsgw::cache
