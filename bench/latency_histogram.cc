#include "bench/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace ocfsgw::bench {
namespace {

constexpr size_t kExact = 256;
constexpr size_t kPerOctave = 128;
constexpr size_t kOctaves = 64 - 8;

}  // namespace

size_t LatencyHistogram::BucketOf(uint64_t value) {
  if (value < kExact) return value;
  const auto octave = static_cast<size_t>(std::bit_width(value)) - 8;  // 1 for 256 to 511
  return kExact + (octave - 1) * kPerOctave + ((value >> octave) - kPerOctave);
}

uint64_t LatencyHistogram::UpperEnd(size_t bucket) {
  if (bucket < kExact) return bucket;
  const size_t octave = (bucket - kExact) / kPerOctave + 1;
  const uint64_t begin = (bucket - kExact) % kPerOctave + kPerOctave;
  return (begin << octave) + ((uint64_t{1} << octave) - 1);
}

void LatencyHistogram::Add(uint64_t nanoseconds) {
  if (buckets_.empty()) buckets_.resize(kExact + kOctaves * kPerOctave);
  ++buckets_[BucketOf(nanoseconds)];
  ++count_;
  sum_ += nanoseconds;
  max_ = std::max(max_, nanoseconds);
}

void LatencyHistogram::Merge(const LatencyHistogram& other) {
  if (other.buckets_.empty()) return;
  if (buckets_.empty()) buckets_.resize(other.buckets_.size());
  for (size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

uint64_t LatencyHistogram::Percentile(double share) const {
  if (count_ == 0) return 0;
  const auto rank =
      std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(share * static_cast<double>(count_))));
  uint64_t seen = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= rank) return std::min(UpperEnd(i), max_);
  }
  return max_;
}

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace ocfsgw::bench
