#include "cache/ghost_table.h"

#include <algorithm>

namespace ocfsgw::cache {

GhostTable::GhostTable(size_t capacity, size_t cells, Forget forget, uint64_t seed)
    : unit_(static_cast<uint32_t>(std::max<size_t>(1, capacity / 256))),
      forget_(forget),
      cells_((cells + kWays - 1) / kWays * kWays),
      random_(SpreadBits(seed + 1) | 1) {}

uint32_t GhostTable::AgeOf(uint32_t cell, uint32_t now) const { return (now / unit_ - cell) & kTimeMask; }

void GhostTable::Put(ObjectId id, uint32_t time, uint32_t now, uint32_t useful_age) {
  if (cells_.empty()) return;
  const uint64_t hash = SpreadBits(id);
  uint32_t* const set = SetOf(hash);
  const uint32_t age_max = std::min(useful_age / unit_, kTimeMask / 2);
  uint32_t* cell =
      std::find_if(set, set + kWays, [&](uint32_t c) { return c == 0 || AgeOf(c, now) > age_max; });
  if (cell == set + kWays && forget_ == Forget::kOldest) {
    cell = std::max_element(set, set + kWays,
                            [&](uint32_t a, uint32_t b) { return AgeOf(a, now) < AgeOf(b, now); });
  } else if (cell == set + kWays) {
    // Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8 (2003): the 64-bit generator 13, 7, 17.
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    cell = set + HashToRange(random_, kWays);
  }
  *cell = FingerprintOf(hash) << kTimeBits | (time / unit_ & kTimeMask);
}

std::optional<uint32_t> GhostTable::Take(ObjectId id, uint32_t now) {
  if (cells_.empty()) return std::nullopt;
  const uint64_t hash = SpreadBits(id);
  uint32_t* const set = SetOf(hash);
  uint32_t* const cell =
      std::find_if(set, set + kWays, [&](uint32_t c) { return c >> kTimeBits == FingerprintOf(hash); });
  if (cell == set + kWays) return std::nullopt;
  const uint32_t age = AgeOf(*cell, now);
  *cell = 0;
  if (age > kTimeMask / 2) return std::nullopt;
  return age * unit_;
}

void GhostTable::Restore(std::vector<uint32_t> cells, uint64_t random_state) {
  cells_ = std::move(cells);
  random_ = random_state == 0 ? 1 : random_state;  // 0 would stay 0
}

}  // namespace ocfsgw::cache
