#include "cache/sieve_policy.h"

namespace ocfsgw::cache {

AccessOutcome SievePolicy::Access(ObjectId id) {
  if (const uint32_t slot = table_.Find(id); slot != kNoSlot) {
    table_[slot].visited = true;
    return {.hit = true, .evicted = {}};
  }
  AccessOutcome outcome;
  if (capacity_ == 0) return outcome;
  if (queue_.size == capacity_) outcome.evicted = Evict();
  table_.PushFront(queue_, table_.Add(id));
  return outcome;
}

ObjectId SievePolicy::Evict() {
  uint32_t slot = hand_ == kNoSlot ? queue_.back : hand_;
  while (table_[slot].visited) {
    table_[slot].visited = false;
    slot = table_[slot].prev == kNoSlot ? queue_.back : table_[slot].prev;
  }
  hand_ = slot;
  const ObjectId id = table_[slot].id;
  Erase(slot);
  return id;
}

void SievePolicy::Erase(uint32_t slot) {
  if (hand_ == slot) hand_ = table_[slot].prev;
  table_.Unlink(queue_, slot);
  table_.Erase(slot);
}

void SievePolicy::Remove(ObjectId id) {
  if (const uint32_t slot = table_.Find(id); slot != kNoSlot) Erase(slot);
}

}  // namespace ocfsgw::cache
