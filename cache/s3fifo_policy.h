#pragma once

#include "cache/replacement_policy.h"
#include "cache/slot_table.h"

namespace ocfsgw::cache {

/// S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023): a small queue that
/// most objects only pass through, a main queue with re-insertion, and ghosts of what left the small one. Its
/// parameters are those of libCacheSim: the small queue has 10 % of the capacity, ghosts 90 %, and two reads
/// take an object to the main queue. Thread-compatible.
class S3FifoPolicy final : public ReplacementPolicy {
 public:
  explicit S3FifoPolicy(size_t capacity);

  AccessOutcome Access(ObjectId id) override;
  bool IsResident(ObjectId id) const override;
  void Remove(ObjectId id) override;
  size_t size() const override { return lists_[kSmall].size + lists_[kMain].size; }
  size_t MetadataBytes() const override { return table_.MetadataBytes(); }

 private:
  enum ListName : uint8_t { kSmall, kMain, kGhost };
  struct State {
    ListName list = kSmall;
    uint8_t reads = 0;  // since it came to the list, at most kReadsMax
  };
  void Move(uint32_t slot, ListName to);
  ObjectId Evict();
  ObjectId EvictFromMain();

  const size_t capacity_;
  const size_t small_target_;
  const size_t ghosts_max_;
  SlotTable<State> table_;
  SlotList lists_[3];  // youngest first
};

}  // namespace ocfsgw::cache
