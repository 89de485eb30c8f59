#include "cache/fifo_policy.h"

namespace ocfsgw::cache {

AccessOutcome FifoPolicy::Access(ObjectId id) {
  if (table_.Find(id) != kNoSlot) return {.hit = true, .evicted = {}};
  AccessOutcome outcome;
  if (capacity_ == 0) return outcome;
  if (queue_.size == capacity_) outcome.evicted = table_.PopBack(queue_);
  table_.PushFront(queue_, table_.Add(id));
  return outcome;
}

void FifoPolicy::Remove(ObjectId id) {
  const uint32_t slot = table_.Find(id);
  if (slot == kNoSlot) return;
  table_.Unlink(queue_, slot);
  table_.Erase(slot);
}

}  // namespace ocfsgw::cache
