#include "cache/lru_policy.h"

namespace ocfsgw::cache {

AccessOutcome LruPolicy::Access(ObjectId id) {
  if (const uint32_t slot = table_.Find(id); slot != kNoSlot) {
    table_.MoveToFront(queue_, slot);
    return {.hit = true, .evicted = {}};
  }
  AccessOutcome outcome;
  if (capacity_ == 0) return outcome;
  if (queue_.size == capacity_) outcome.evicted = table_.PopBack(queue_);
  table_.PushFront(queue_, table_.Add(id));
  return outcome;
}

void LruPolicy::Remove(ObjectId id) {
  const uint32_t slot = table_.Find(id);
  if (slot == kNoSlot) return;
  table_.Unlink(queue_, slot);
  table_.Erase(slot);
}

}  // namespace ocfsgw::cache
