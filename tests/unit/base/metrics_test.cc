#include "base/metrics.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace ocfsgw {
namespace {

TEST(MetricsTest, SnapshotHasCountersThenGaugesInOrder) {
  MetricsRegistry registry;
  int owner = 0;
  registry.AddGauge(&owner, "ocfsgw_leases_held", "Leases.", [] { return 3.5; }, {{"kind", "file"}});
  Counter& hits = registry.AddCounter("ocfsgw_reads_total", "Reads.", {{"from", "store"}});
  Counter& misses = registry.AddCounter("ocfsgw_reads_total", "Reads.", {{"from", "backend"}});
  hits.Add();
  hits.Add(41);
  misses.Add(2);

  const auto samples = registry.Snapshot();
  ASSERT_EQ(samples.size(), 3U);
  EXPECT_EQ(samples[0].name, "ocfsgw_reads_total");
  EXPECT_EQ(samples[0].help, "Reads.");
  EXPECT_EQ(samples[0].kind, MetricKind::kCounter);
  EXPECT_EQ(samples[0].labels, (MetricLabels{{"from", "store"}}));
  EXPECT_EQ(samples[0].value, 42);
  EXPECT_EQ(samples[1].value, 2);
  EXPECT_EQ(samples[2].name, "ocfsgw_leases_held");
  EXPECT_EQ(samples[2].kind, MetricKind::kGauge);
  EXPECT_EQ(samples[2].value, 3.5);
}

TEST(MetricsTest, CounterAddressesAreStable) {
  MetricsRegistry registry;
  Counter& first = registry.AddCounter("ocfsgw_first_total", "");
  for (int i = 0; i < 1000; ++i) {
    registry.AddCounter("ocfsgw_other_total", "", {{"n", std::to_string(i)}});
  }
  first.Add(5);
  EXPECT_EQ(registry.Snapshot()[0].value, 5);
}

TEST(MetricsTest, RemoveGaugesForgetsOneOwnerOnly) {
  MetricsRegistry registry;
  int one = 0;
  int two = 0;
  registry.AddGauge(&one, "ocfsgw_one", "", [] { return 1.0; });
  registry.AddGauge(&two, "ocfsgw_two", "", [] { return 2.0; });
  registry.RemoveGauges(&one);
  const auto samples = registry.Snapshot();
  ASSERT_EQ(samples.size(), 1U);
  EXPECT_EQ(samples[0].name, "ocfsgw_two");
  registry.RemoveGauges(&one);
}

TEST(MetricsTest, NoGaugeRunsAfterItsRemoval) {
  MetricsRegistry registry;
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop.load()) {
      (void)registry.Snapshot();
    }
  });
  for (int i = 0; i < 200; ++i) {
    auto owner = std::make_unique<std::atomic<int>>(i);
    registry.AddGauge(owner.get(), "ocfsgw_gauge", "",
                      [&owner] { return static_cast<double>(owner->load()); });
    registry.RemoveGauges(owner.get());
    owner.reset();  // a late read would touch freed memory
  }
  stop = true;
  reader.join();
}

TEST(MetricsTest, CountersAddUpOverThreads) {
  MetricsRegistry registry;
  Counter& counter = registry.AddCounter("ocfsgw_sum_total", "");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&counter] {
      for (int i = 0; i < 1000; ++i) {
        counter.Add(2);
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(counter.value(), 8000U);
}

}  // namespace
}  // namespace ocfsgw
