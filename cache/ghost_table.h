#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "cache/slot_table.h"

namespace ocfsgw::cache {

/// When objects that are no longer resident were last read, in 4 bytes each: sets of eight cells, as in a
/// set-associative cache, each cell a fingerprint of 12 bits and a time of 20. A wrong match has a
/// probability of at most 8/4095 and costs a wrong guess. Times are in the owner's clock, kept in units of a
/// 256th of the capacity; what is older than half their range is forgotten. Thread-compatible.
class GhostTable {
 public:
  enum class Forget { kByLot, kOldest };
  /// `forget`: which cell of a full set. `capacity`: of the cache, in objects. `cells`: at least; rounded up
  /// to whole sets.
  GhostTable(size_t capacity, size_t cells, Forget forget, uint64_t seed);

  /// Remembers that `id` was last read at `time`. In a full set a cell older than `useful_age` is used again,
  /// or else the one that `forget` says.
  void Put(ObjectId id, uint32_t time, uint32_t now, uint32_t useful_age);
  /// Forgets `id`; returns its age if it was known.
  std::optional<uint32_t> Take(ObjectId id, uint32_t now);

  size_t MetadataBytes() const { return cells_.size() * sizeof(uint32_t); }
  const std::vector<uint32_t>& cells() const { return cells_; }
  uint64_t random_state() const { return random_; }
  /// REQUIRES: as many cells as there are.
  void Restore(std::vector<uint32_t> cells, uint64_t random_state);

 private:
  static constexpr size_t kWays = 8;
  static constexpr unsigned kTimeBits = 20;
  static constexpr uint32_t kTimeMask = (1U << kTimeBits) - 1;

  uint32_t AgeOf(uint32_t cell, uint32_t now) const;  // in units
  uint32_t* SetOf(uint64_t hash) { return &cells_[HashToRange(hash, cells_.size() / kWays) * kWays]; }
  static uint32_t FingerprintOf(uint64_t hash) { return 1 + hash % 4095; }  // 0 marks an empty cell

  const uint32_t unit_;
  const Forget forget_;
  std::vector<uint32_t> cells_;
  uint64_t random_;
};

}  // namespace ocfsgw::cache
