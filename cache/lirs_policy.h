#pragma once

#include "cache/replacement_policy.h"
#include "cache/slot_table.h"

namespace ocfsgw::cache {

/// LIRS (Jiang and Zhang, "LIRS: an efficient low inter-reference recency set replacement policy", SIGMETRICS
/// 2002): hot blocks (LIR) were read twice within the age of the oldest hot block; the others (HIR) share 1 %
/// of the capacity, and ghosts of them are kept, at most as many as the capacity has blocks.
///
/// The paper's stack S holds what was read after the oldest hot block was. A time of the last access says
/// the same, so that each block is on one list only and nothing has to be pruned. Thread-compatible.
class LirsPolicy final : public ReplacementPolicy {
 public:
  explicit LirsPolicy(size_t capacity);

  AccessOutcome Access(ObjectId id) override;
  bool IsResident(ObjectId id) const override;
  void Remove(ObjectId id) override;
  size_t size() const override { return lists_[kHot].size + lists_[kCold].size; }
  size_t MetadataBytes() const override { return table_.MetadataBytes(); }

 private:
  enum ListName : uint8_t { kHot, kCold, kGhost };
  struct State {
    uint64_t time = 0;  // of the last access
    ListName list = kHot;
  };
  void Move(uint32_t slot, ListName to);
  void BecomeHot(uint32_t slot);
  ObjectId Evict();
  bool InStack(uint32_t slot) const;

  const size_t capacity_;
  const size_t hot_max_;
  SlotTable<State> table_;
  SlotList lists_[3];  // hot: most recent first; cold: last in, first; ghosts: evicted last, first
  uint64_t now_ = 0;   // accesses so far
};

}  // namespace ocfsgw::cache
