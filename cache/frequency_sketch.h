#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cache/slot_table.h"

namespace ocfsgw::cache {

/// How often objects were asked for lately: a counting Bloom filter (Fan et al., "Summary cache", SIGCOMM
/// 1998) of 8-bit counters that saturate, dimensioned as libCacheSim's: for each object ln(1000) / ln(2)^2 =
/// 14.4 counters, ten of which are the object's own, which would make a false positive of 0.1 % in a Bloom
/// filter. Thread-compatible.
class FrequencySketch {
 public:
  explicit FrequencySketch(size_t objects);

  void Add(ObjectId id);
  /// 0 to 255; not less than the additions, up to 255, as Halve() left them.
  unsigned Estimate(ObjectId id) const;
  void Halve();
  size_t MetadataBytes() const { return counters_.size(); }

 private:
  static constexpr uint64_t kHashes = 10;
  size_t PlaceOf(uint64_t hash, uint64_t i) const;

  std::vector<uint8_t> counters_;
};

}  // namespace ocfsgw::cache
