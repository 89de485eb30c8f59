#pragma once

#include "cache/replacement_policy.h"
#include "cache/slot_table.h"

namespace ocfsgw::cache {

/// ARC (Megiddo and Modha, "ARC: a self-tuning, low overhead replacement cache", FAST 2003), names as there:
/// T1 holds what was read once recently, T2 what was read twice; B1 and B2 are their ghosts, and a hit there
/// moves p, the size that T1 should have. Thread-compatible.
///
/// |T1| + |T2| <= c, |T1| + |B1| <= c, and all four together <= 2c.
class ArcPolicy final : public ReplacementPolicy {
 public:
  explicit ArcPolicy(size_t capacity) : capacity_(capacity), table_(2 * capacity) {}

  AccessOutcome Access(ObjectId id) override;
  bool IsResident(ObjectId id) const override;
  void Remove(ObjectId id) override;
  size_t size() const override { return lists_[kT1].size + lists_[kT2].size; }
  size_t MetadataBytes() const override { return table_.MetadataBytes(); }

 private:
  enum ListName : uint8_t { kT1, kT2, kB1, kB2 };
  struct Where {
    ListName list = kT1;
  };
  size_t SizeOf(ListName list) const { return lists_[list].size; }
  void Move(uint32_t slot, ListName to);
  ObjectId Replace(bool ghost_of_t2);

  const size_t capacity_;
  SlotTable<Where> table_;
  SlotList lists_[4];  // most recent first
  double p_ = 0;
};

}  // namespace ocfsgw::cache
