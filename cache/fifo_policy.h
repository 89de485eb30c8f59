#pragma once

#include "cache/replacement_policy.h"
#include "cache/slot_table.h"

namespace ocfsgw::cache {

/// First in, first out. Thread-compatible.
class FifoPolicy final : public ReplacementPolicy {
 public:
  explicit FifoPolicy(size_t capacity) : capacity_(capacity), table_(capacity) {}

  AccessOutcome Access(ObjectId id) override;
  bool IsResident(ObjectId id) const override { return table_.Find(id) != kNoSlot; }
  void Remove(ObjectId id) override;
  size_t size() const override { return queue_.size; }
  size_t MetadataBytes() const override { return table_.MetadataBytes(); }

 private:
  struct Nothing {};

  const size_t capacity_;
  SlotTable<Nothing> table_;
  SlotList queue_;  // youngest first
};

}  // namespace ocfsgw::cache
