// A real page store beside the policy that drives it.
#include "bench/store_replay.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "bench/replay.h"

namespace ocfsgw::bench {
namespace {

const std::atomic<bool> kGo{false};
constexpr uint32_t kObjects = 40'000;
constexpr size_t kCapacity = 16'384;  // 64 segments of 1 MiB with 4 KiB each

/// The same each time: Zipf, exponent 0.9.
Trace ZipfTrace(size_t requests) {
  Trace trace;
  trace.name = "zipf";
  trace.object_bytes.assign(kObjects, 4096);
  std::vector<double> sums;
  for (uint32_t i = 0; i < kObjects; ++i) sums.push_back((i == 0 ? 0 : sums.back()) + std::pow(i + 1, -0.9));
  std::mt19937_64 random(1);
  for (size_t i = 0; i < requests; ++i) {
    const double draw = static_cast<double>(random() >> 11) * 0x1p-53 * sums.back();
    trace.requests.push_back(
        static_cast<uint32_t>(std::lower_bound(sums.begin(), sums.end() - 1, draw) - sums.begin()));
  }
  return trace;
}

TEST(StoreReplay, HitsLikeItsPolicy) {
  const Trace trace = ZipfTrace(200'000);
  ReplayOptions options;
  options.policies = {"alirs"};
  options.sizes = {*ParseCacheSize(std::to_string(kCapacity))};
  options.engine = Engine::kStore;
  options.directory = testing::TempDir();
  options.admission = true;
  ReplayResults results;
  const Status status = ReplayOne(trace, options, kGo, results);
  ASSERT_TRUE(status.ok()) << status.ToString();
  const auto& cells = results.traces[0].cells;
  ASSERT_EQ(cells.size(), 3U);
  EXPECT_EQ(cells[1].policy, "alirs@store");
  const double policy = HitRatio(results.traces[0], cells[0]);
  const double store = HitRatio(results.traces[0], cells[1]);
  std::cout << "policy " << policy << ", store " << store << ", written " << *cells[1].written_over_put
            << "\n";
  EXPECT_NEAR(store, policy, 0.02 * policy);
  EXPECT_LE(*cells[1].written_over_put, 1.3);
}

TEST(StoreReplay, ARestartCostsFewHits) {
  const Trace trace = ZipfTrace(200'000);
  StoreReplayOptions options{.policy = "alirs", .capacity = kCapacity, .directory = testing::TempDir()};
  options.admission = true;
  uint64_t hits[2];
  for (const bool restart : {false, true}) {
    options.restart = restart;
    const auto result = ReplayOnStore(trace, options, kGo);
    ASSERT_TRUE(result.ok()) << result.status().ToString();
    hits[restart] = (*result)->second_half.requests;
  }
  std::cout << "hits of the second half: " << hits[0] << ", with a restart before it " << hits[1] << "\n";
  EXPECT_GE(static_cast<double>(hits[1]), 0.99 * static_cast<double>(hits[0]));
}

TEST(StoreReplay, RefusesWhatNoStoreCanBe) {
  const Trace trace = ZipfTrace(10);
  StoreReplayOptions options{.policy = "alirs", .capacity = 10, .directory = testing::TempDir()};
  EXPECT_TRUE(ReplayOnStore(trace, options, kGo).status().Is(StatusCode::kInvalidArgument));
  options.capacity = kCapacity;
  options.object_bytes = 4095;
  EXPECT_TRUE(ReplayOnStore(trace, options, kGo).status().Is(StatusCode::kInvalidArgument));
  options.object_bytes = 0;
  EXPECT_FALSE((*ReplayOnStore(trace, options, std::atomic<bool>{true})).has_value());
}

}  // namespace
}  // namespace ocfsgw::bench
