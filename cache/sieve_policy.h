#pragma once

#include "cache/replacement_policy.h"
#include "cache/slot_table.h"

namespace ocfsgw::cache {

/// SIEVE (Zhang et al., "SIEVE is simpler than LRU", NSDI 2024): a queue in order of arrival, and a hand that
/// moves from the oldest to the youngest; it evicts what was not read since it passed last.
/// Thread-compatible.
class SievePolicy final : public ReplacementPolicy {
 public:
  explicit SievePolicy(size_t capacity) : capacity_(capacity), table_(capacity) {}

  AccessOutcome Access(ObjectId id) override;
  bool IsResident(ObjectId id) const override { return table_.Find(id) != kNoSlot; }
  void Remove(ObjectId id) override;
  size_t size() const override { return queue_.size; }
  size_t MetadataBytes() const override { return table_.MetadataBytes(); }

 private:
  struct Visited {
    bool visited = false;
  };
  ObjectId Evict();
  void Erase(uint32_t slot);

  const size_t capacity_;
  SlotTable<Visited> table_;
  SlotList queue_;           // youngest first
  uint32_t hand_ = kNoSlot;  // what it looks at next; kNoSlot: the oldest
};

}  // namespace ocfsgw::cache
