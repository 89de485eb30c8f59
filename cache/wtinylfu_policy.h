#pragma once

#include "cache/frequency_sketch.h"
#include "cache/replacement_policy.h"
#include "cache/slot_table.h"

namespace ocfsgw::cache {

/// W-TinyLFU (Einziger, Friedman, Manes, "TinyLFU: a highly efficient cache admission policy", ACM ToS 2017):
/// new objects go through a window (LRU, 1 % of the capacity, at least one object). What leaves it replaces
/// the victim of the main part (segmented LRU, a fifth on probation) only if it was asked for more often. As
/// in libCacheSim, reads in the window are not counted, what leaves the window is counted once more, and the
/// counters are halved after 32 hits in the main part for each of its objects. Thread-compatible.
class WTinyLfuPolicy final : public ReplacementPolicy {
 public:
  explicit WTinyLfuPolicy(size_t capacity);

  AccessOutcome Access(ObjectId id) override;
  bool IsResident(ObjectId id) const override { return table_.Find(id) != kNoSlot; }
  void Remove(ObjectId id) override;
  size_t size() const override { return lists_[kWindow].size + MainSize(); }
  size_t MetadataBytes() const override { return table_.MetadataBytes() + sketch_.MetadataBytes(); }

 private:
  enum ListName : uint8_t { kWindow, kProbation, kProtected };
  struct Where {
    ListName list = kWindow;
  };
  size_t MainSize() const { return lists_[kProbation].size + lists_[kProtected].size; }
  void Move(uint32_t slot, ListName to);
  void Touch(uint32_t slot);
  ObjectId Evict();

  const size_t capacity_;
  const size_t main_max_;
  const size_t protected_max_;
  SlotTable<Where> table_;
  SlotList lists_[3];  // most recent first
  FrequencySketch sketch_;
  size_t main_hits_ = 0;  // since the counters were halved
};

}  // namespace ocfsgw::cache
