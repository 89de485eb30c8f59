#include "cache/alirs_policy.h"

#include <algorithm>

namespace ocfsgw::cache {
namespace {

constexpr double kGhostsPerBlock = 2.5;
constexpr double kColdMin = 0.01;  // as in LIRS
constexpr double kColdMax = 0.9;
constexpr double kMargin = 1.0 / 16;
constexpr double kStep = 0.002;   // of the capacity, for each hit at the border
constexpr double kStepMin = 0.3;  // blocks
constexpr double kCorrelated = 0.01;
constexpr double kReuseShareFirst = 0.7;
constexpr double kReuseShareMin = 0.15;
constexpr double kReuseShareMax = 0.9;
constexpr double kReuseShareGain = 0.005;  // relative, for each barely hot block
constexpr uint8_t kRenewalHits = 2;
constexpr int kRenewalsMax = 2;  // for each demotion: bounds the time of an access
constexpr double kRenewalYieldMin = 0.45;
constexpr double kYieldGain = 0.02;     // of the moving averages
constexpr uint32_t kRenewalProbe = 16;  // one renewal of so many is tried whatever the yield

uint32_t ShareOf(size_t capacity, double share) {
  return static_cast<uint32_t>(std::max(1.0, static_cast<double>(capacity) * share));
}

}  // namespace

AlirsPolicy::AlirsPolicy(size_t capacity, uint64_t seed, const AlirsOptions& options)
    : options_(options),
      capacity_(static_cast<uint32_t>(capacity)),
      margin_target_(ShareOf(capacity, kMargin)),
      cold_min_(ShareOf(capacity, kColdMin)),
      cold_max_(std::max(cold_min_, kColdMax * static_cast<double>(capacity))),
      step_(options.adaptation ? std::max(kStepMin, kStep * static_cast<double>(capacity)) : 0),
      correlated_(options.correlation ? ShareOf(capacity, kCorrelated) : 0),
      table_(capacity),
      ghosts_(capacity, static_cast<size_t>(kGhostsPerBlock * static_cast<double>(capacity)),
              options.lots ? GhostTable::Forget::kByLot : GhostTable::Forget::kOldest, seed),
      cold_target_(cold_min_),
      reuse_share_(options.reuse_limit ? kReuseShareFirst : 1) {}

AccessOutcome AlirsPolicy::Access(ObjectId id) {
  if (capacity_ == 0) return {};
  if (const uint32_t slot = table_.Find(id); slot != kNoSlot) {
    table_[slot].where == Block::Where::kCold ? HitCold(slot) : HitHot(slot);
    return {.hit = true, .evicted = {}};
  }
  ++now_;
  const std::optional<uint32_t> age = ghosts_.Take(id, now_);
  // One block goes with each miss: so many went since this one did.
  if (age && *age <= uint64_t{last_residence_} + margin_target_) {
    cold_target_ = std::min(cold_max_, cold_target_ + step_);
  }
  const double age_limit = reuse_share_ * OldestHotAge();
  bool becomes_hot = age && *age <= age_limit;
  const bool barely = becomes_hot && *age > age_limit / 2;
  AccessOutcome outcome;
  outcome.remembered = age.has_value();
  if (size() == capacity_) {
    outcome.evicted = Evict();
  } else {
    becomes_hot = becomes_hot || HotCount() + cold_target_ + 1 <= capacity_;
  }
  const uint32_t slot = table_.Add(id);
  table_[slot].time = now_;
  table_.PushFront(cold_, slot);
  if (becomes_hot) BecomeHot(slot, barely);
  return outcome;
}

void AlirsPolicy::HitHot(uint32_t slot) {
  Block& block = table_[slot];
  if (block.where == Block::Where::kMargin) {
    cold_target_ = std::max(cold_min_, cold_target_ - step_);
    table_.Unlink(margin_, slot);
  } else {
    table_.Unlink(hot_, slot);
  }
  if (block.renewed) renewal_yield_ += kYieldGain * (1 - renewal_yield_);
  block.renewed = false;
  if (block.barely) BarelyHotWas(true);
  block.barely = false;
  block.hits = std::min<uint8_t>(block.hits + 1, kRenewalHits);
  block.time = now_;
  block.where = Block::Where::kHot;
  table_.PushFront(hot_, slot);
}

void AlirsPolicy::HitCold(uint32_t slot) {
  const uint32_t age = AgeOf(slot);
  const bool counts = age > correlated_ || !options_.correlation;
  if (counts && age <= OldestHotAge()) return BecomeHot(slot, false);
  if (counts) table_[slot].time = now_;
  table_[slot].was_hot = false;
  table_.MoveToFront(cold_, slot);
}

void AlirsPolicy::BecomeHot(uint32_t slot, bool barely) {
  table_.Unlink(cold_, slot);
  Block& block = table_[slot];
  block.time = now_;
  block.where = Block::Where::kHot;
  block.hits = 0;
  block.was_hot = false;
  block.barely = barely;
  table_.PushFront(hot_, slot);
  while (HotCount() > capacity_ - static_cast<uint32_t>(cold_target_)) DemoteOne();
}

/// REQUIRES: something is resident.
std::optional<ObjectId> AlirsPolicy::Evict() {
  if (cold_.size == 0) DemoteOne();
  const uint32_t slot = cold_.back;
  const uint32_t age = AgeOf(slot);
  if (!table_[slot].was_hot) last_residence_ = age;
  if (const uint32_t oldest = OldestHotAge(); age <= oldest) {
    ghosts_.Put(table_[slot].id, table_[slot].time, now_, static_cast<uint32_t>(reuse_share_ * oldest));
  }
  return table_.PopBack(cold_);
}

/// The oldest hot block becomes the youngest cold one. REQUIRES: a block is hot.
void AlirsPolicy::DemoteOne() {
  FillMargin();
  for (int i = 0; i < kRenewalsMax && Renew(margin_.back); ++i) FillMargin();
  const uint32_t slot = margin_.back;
  if (table_[slot].barely) BarelyHotWas(false);
  table_.Unlink(margin_, slot);
  table_[slot].where = Block::Where::kCold;
  table_[slot].was_hot = true;
  table_[slot].barely = false;
  table_.PushFront(cold_, slot);
}

bool AlirsPolicy::Renew(uint32_t slot) {
  Block& block = table_[slot];
  if (block.renewed) {
    block.renewed = false;
    renewal_yield_ -= kYieldGain * renewal_yield_;
  }
  if (!options_.renewal || block.hits < kRenewalHits) return false;
  if (renewal_yield_ < kRenewalYieldMin && ++renewals_refused_ % kRenewalProbe != 0) return false;
  table_.Unlink(margin_, slot);
  block.renewed = true;
  block.hits = 0;
  block.time = now_;
  block.where = Block::Where::kHot;
  table_.PushFront(hot_, slot);
  return true;
}

void AlirsPolicy::BarelyHotWas(bool read_again) {
  barely_yield_ += kYieldGain * (read_again - barely_yield_);
  if (!options_.reuse_limit) return;
  reuse_share_ = barely_yield_ < renewal_yield_
                     ? std::max(kReuseShareMin, reuse_share_ * (1 - kReuseShareGain))
                     : std::min(kReuseShareMax, reuse_share_ * (1 + kReuseShareGain));
}

void AlirsPolicy::FillMargin() {
  while (margin_.size < margin_target_ && hot_.size > 0) {
    const uint32_t slot = hot_.back;
    table_.Unlink(hot_, slot);
    table_[slot].where = Block::Where::kMargin;
    table_.PushFront(margin_, slot);
  }
}

/// In misses; unbounded while no block is hot.
uint32_t AlirsPolicy::OldestHotAge() {
  FillMargin();
  return margin_.size == 0 ? UINT32_MAX : AgeOf(margin_.back);
}

void AlirsPolicy::Remove(ObjectId id) {
  const uint32_t slot = table_.Find(id);
  if (slot == kNoSlot) return;
  const auto where = table_[slot].where;
  table_.Unlink(where == Block::Where::kHot ? hot_ : where == Block::Where::kMargin ? margin_ : cold_, slot);
  table_.Erase(slot);
}

}  // namespace ocfsgw::cache
