#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ocfsgw::bench {

/// Counts of durations in nanoseconds. Below 256 ns each has a bucket of its own, above that an octave has
/// 128 (as in HdrHistogram, http://hdrhistogram.org), so that a percentile is at most 1/128 too high. The
/// maximum and the sum are exact. Takes 59 KiB once there is a value. Thread-compatible.
class LatencyHistogram {
 public:
  void Add(uint64_t nanoseconds);
  void Merge(const LatencyHistogram& other);

  uint64_t count() const { return count_; }
  uint64_t max() const { return max_; }
  uint64_t sum() const { return sum_; }
  /// The least value that at least `share` of all values are at or below: that of rank ceil(share x count),
  /// as the upper end of its bucket. 0 if there is none. REQUIRES: 0 <= share <= 1.
  uint64_t Percentile(double share) const;

 private:
  static size_t BucketOf(uint64_t value);
  static uint64_t UpperEnd(size_t bucket);

  std::vector<uint64_t> buckets_;  // empty until the first value
  uint64_t count_ = 0;
  uint64_t max_ = 0;
  uint64_t sum_ = 0;
};

/// The middle value, or the mean of the two in the middle; 0 if there is none.
double Median(std::vector<double> values);

}  // namespace ocfsgw::bench
