#include "bench/latency_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "bench/workloads/content.h"

namespace ocfsgw::bench {
namespace {

TEST(LatencyHistogram, Empty) {
  const LatencyHistogram none;
  EXPECT_EQ(none.count(), 0U);
  EXPECT_EQ(none.Percentile(0.5), 0U);
  EXPECT_EQ(none.max(), 0U);
}

TEST(LatencyHistogram, SmallValuesAreExact) {
  LatencyHistogram h;
  for (uint64_t i = 1; i <= 200; ++i) h.Add(i);
  EXPECT_EQ(h.count(), 200U);
  EXPECT_EQ(h.sum(), 200U * 201 / 2);
  EXPECT_EQ(h.Percentile(0), 1U);
  EXPECT_EQ(h.Percentile(0.5), 100U);
  EXPECT_EQ(h.Percentile(0.501), 101U);  // the rank is rounded up
  EXPECT_EQ(h.Percentile(0.9), 180U);
  EXPECT_EQ(h.Percentile(0.99), 198U);
  EXPECT_EQ(h.Percentile(1), 200U);
}

TEST(LatencyHistogram, NoPercentileIsAboveTheMaximum) {
  LatencyHistogram h;
  h.Add(1'000'000'007);
  for (const double share : {0.0, 0.5, 1.0}) EXPECT_EQ(h.Percentile(share), 1'000'000'007U);
  h.Add(UINT64_MAX);
  EXPECT_EQ(h.Percentile(1), UINT64_MAX);
  EXPECT_EQ(h.max(), UINT64_MAX);
}

TEST(LatencyHistogram, LargeValuesAreAtMostOneIn128TooHigh) {
  Random random(7);
  LatencyHistogram h;
  std::vector<uint64_t> all;
  for (int i = 0; i < 10'000; ++i) {
    all.push_back(random.Next() >> random.Below(60));
    h.Add(all.back());
  }
  std::sort(all.begin(), all.end());
  for (const size_t rank : {1, 10, 255, 5000, 9000, 9900, 9990, 10'000}) {
    const uint64_t exact = all[rank - 1];
    const uint64_t told = h.Percentile((static_cast<double>(rank) - 0.5) / 10'000);
    EXPECT_GE(told, exact) << rank;
    EXPECT_LE(told - exact, exact / 128) << rank;
  }
}

TEST(LatencyHistogram, MergeIsTheSameAsAddingAll) {
  LatencyHistogram a, b, both;
  for (uint64_t i = 0; i < 3000; i += 3) {
    a.Add(i);
    b.Add(7 * i);
    both.Add(i);
    both.Add(7 * i);
  }
  a.Merge(b);
  a.Merge(LatencyHistogram());
  EXPECT_EQ(a.count(), both.count());
  EXPECT_EQ(a.sum(), both.sum());
  EXPECT_EQ(a.max(), both.max());
  for (const double share : {0.1, 0.5, 0.9, 0.999}) EXPECT_EQ(a.Percentile(share), both.Percentile(share));
}

TEST(Median, OddEvenNone) {
  EXPECT_EQ(Median({}), 0);
  EXPECT_EQ(Median({3, 1, 2}), 2);
  EXPECT_EQ(Median({4, 1, 2, 3}), 2.5);
}

}  // namespace
}  // namespace ocfsgw::bench
