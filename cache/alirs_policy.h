#pragma once

#include <string>

#include "base/status.h"
#include "cache/ghost_table.h"
#include "cache/replacement_policy.h"
#include "cache/slot_table.h"

namespace ocfsgw::cache {

/// Each may be turned off to measure what it brings. The numbers are those of AlirsPolicy's comment.
struct AlirsOptions {
  bool lots = true;         ///< 1; without: the oldest ghost of a full set goes.
  bool adaptation = true;   ///< 2
  bool correlation = true;  ///< 3
  bool reuse_limit = true;  ///< 4; without: the share is 1.
  bool renewal = true;      ///< 5
};

/// Adaptive LIRS, the policy of our own: LIRS (see lirs_policy.h) with five changes. docs/CACHE.md has what
/// each brings, and how the constants were chosen.
///
/// 1. Ghosts are in a GhostTable, 10 bytes for each block of the capacity. What a full set forgets is drawn
///    by lot: of blocks read again beyond the table's reach some are still recognized, where an ordered table
///    would recognize none, and a few are enough to fill the hot blocks bit by bit.
/// 2. The share of cold blocks follows the hits at its border: a miss that a slightly larger cold queue would
///    have avoided enlarges it, a hit among the hot blocks demoted next makes it smaller. On loops it stays
///    at its minimum, where LIRS is best; where recency counts it grows, and the policy tends to LRU.
/// 3. Reads of a cold block soon after its first one count as one (correlated references, as in O'Neil et
///    al., LRU-K, SIGMOD 1993): they neither make it hot nor young.
/// 4. A ghost becomes hot only if its reuse distance is at most a share of the age of the oldest hot block.
///    The share shrinks while blocks that barely qualified are read again less often than blocks renewed (5),
///    and grows while they are read more often: it is low where popularity decides (Zipf), as one short
///    distance says little there, and high where loops do.
/// 5. A hot block read twice or more since it came in is renewed once instead of being demoted, while at
///    least kRenewalYieldMin of such blocks are then read again: what is read often outlives a gap.
///
/// Time counts misses. 39 bytes of metadata for each block of the capacity. Thread-compatible.
class AlirsPolicy final : public ReplacementPolicy {
 public:
  AlirsPolicy(size_t capacity, uint64_t seed, const AlirsOptions& options = {});

  AccessOutcome Access(ObjectId id) override;
  bool IsResident(ObjectId id) const override { return table_.Find(id) != kNoSlot; }
  void Remove(ObjectId id) override;
  size_t size() const override { return hot_.size + margin_.size + cold_.size; }
  bool RemembersEvicted() const override { return true; }
  size_t MetadataBytes() const override { return table_.MetadataBytes() + ghosts_.MetadataBytes(); }

  /// Everything that is remembered, resident objects in their order too: to be kept across a restart. Begins
  /// with a version; no checksum.
  std::string Serialize() const override;
  /// Becomes what was serialized. kInvalidArgument, and no change, unless `bytes` are of a policy of the same
  /// capacity.
  Status Restore(std::string_view bytes) override;

 private:
  struct Block {
    enum class Where : uint8_t { kHot, kMargin, kCold };
    uint32_t time = 0;  // of the last access that counted
    Where where = Where::kCold;
    uint8_t hits = 0;          // hot: since it became hot or was renewed, at most kRenewalHits
    bool renewed : 1 = false;  // hot: not read since it was renewed
    bool barely : 1 =
        false;  // hot: not read since it became so with a distance in the upper half of the limit
    bool was_hot : 1 = false;  // cold: demoted, so its age says nothing about the cold queue
  };

  void HitHot(uint32_t slot);
  void HitCold(uint32_t slot);
  void BecomeHot(uint32_t slot, bool barely);
  std::optional<ObjectId> Evict();
  void DemoteOne();
  void FillMargin();
  bool Renew(uint32_t slot);
  void BarelyHotWas(bool read_again);

  uint32_t HotCount() const { return hot_.size + margin_.size; }
  uint32_t AgeOf(uint32_t slot) const { return now_ - table_[slot].time; }
  uint32_t OldestHotAge();

  const AlirsOptions options_;
  const uint32_t capacity_;
  const uint32_t margin_target_;
  const double cold_min_;
  const double cold_max_;
  const double step_;
  const uint32_t correlated_;

  SlotTable<Block> table_;
  SlotList hot_;     // most recent first
  SlotList margin_;  // the oldest margin_target_ of the hot blocks, most recent first
  SlotList cold_;    // last in, first
  GhostTable ghosts_;
  uint32_t now_ = 0;             // misses so far; differences are taken modulo 2^32
  uint32_t last_residence_ = 0;  // misses that the block evicted last had been cold for
  double cold_target_;           // blocks
  double renewal_yield_ = 0.5;   // share of renewals that were followed by a read, moving average
  uint32_t renewals_refused_ = 0;
  double barely_yield_ = 0.5;  // share of barely hot blocks that were read again, moving average
  double reuse_share_;         // reuse distance that makes hot / age of the oldest hot block
};

}  // namespace ocfsgw::cache
