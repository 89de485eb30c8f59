#include "cache/frequency_sketch.h"

#include <algorithm>

namespace ocfsgw::cache {
namespace {

constexpr double kCountersPerObject = 14.378;
constexpr size_t kCountersMin = 256;  // or objects share most of theirs

}  // namespace

FrequencySketch::FrequencySketch(size_t objects)
    : counters_(
          std::max(kCountersMin, static_cast<size_t>(kCountersPerObject * static_cast<double>(objects)))) {}

size_t FrequencySketch::PlaceOf(uint64_t hash, uint64_t i) const {
  return HashToRange(SpreadBits(hash + i * 0x9e3779b97f4a7c15), counters_.size());
}

void FrequencySketch::Add(ObjectId id) {
  const uint64_t hash = SpreadBits(id);
  for (uint64_t i = 0; i < kHashes; ++i) {
    uint8_t& counter = counters_[PlaceOf(hash, i)];
    counter = static_cast<uint8_t>(counter + (counter < 255));
  }
}

unsigned FrequencySketch::Estimate(ObjectId id) const {
  const uint64_t hash = SpreadBits(id);
  unsigned least = 255;
  for (uint64_t i = 0; i < kHashes; ++i) least = std::min<unsigned>(least, counters_[PlaceOf(hash, i)]);
  return least;
}

void FrequencySketch::Halve() {
  for (uint8_t& counter : counters_) counter >>= 1;
}

}  // namespace ocfsgw::cache
