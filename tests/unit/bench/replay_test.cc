#include "bench/replay.h"

#include <gmock/gmock.h>

#include <iostream>
#include <map>
#include <random>

#include "bench/miss_ratio_chart.h"
#include "bench/replay_report.h"

namespace ocfsgw::bench {
namespace {

using ::testing::HasSubstr;

const std::atomic<bool> kGo{false};

Trace Of(std::vector<uint32_t> requests, uint32_t objects) {
  Trace trace;
  trace.name = "t";
  trace.format = "ids";
  trace.requests = std::move(requests);
  for (uint32_t i = 0; i < objects; ++i) trace.object_bytes.push_back(100 * (i + 1));
  return trace;
}

/// The most hits from request `i` on, with `resident` (a bit for each object): tries every victim.
uint64_t BestFrom(const Trace& trace, size_t capacity, size_t i, uint32_t resident,
                  std::map<std::pair<size_t, uint32_t>, uint64_t>& known) {
  if (i == trace.requests.size()) return 0;
  const auto [it, is_new] = known.try_emplace({i, resident});
  if (!is_new) return it->second;
  const uint32_t bit = 1U << trace.requests[i];
  uint64_t best = 0;
  if ((resident & bit) != 0) {
    best = 1 + BestFrom(trace, capacity, i + 1, resident, known);
  } else if (static_cast<size_t>(__builtin_popcount(resident)) < capacity) {
    best = BestFrom(trace, capacity, i + 1, resident | bit, known);
  } else {
    for (uint32_t victim = 1; victim <= resident; victim <<= 1) {
      if ((resident & victim) != 0) {
        best = std::max(best, BestFrom(trace, capacity, i + 1, (resident & ~victim) | bit, known));
      }
    }
  }
  return known[{i, resident}] = best;
}

TEST(Belady, ByHand) {
  // With two places: c replaces a, whose next use is after b's.
  const Trace trace = Of({0, 1, 2, 1, 0, 1}, 3);
  const auto hits = BeladyHits(trace, 2, kGo);
  EXPECT_EQ(hits->requests, 2U);
  EXPECT_EQ(hits->bytes, 400U);
  EXPECT_EQ(BeladyHits(trace, 0, kGo)->requests, 0U);
  EXPECT_EQ(BeladyHits(trace, 1, kGo)->requests, 0U);
  EXPECT_EQ(BeladyHits(trace, 3, kGo)->requests, 3U);
  EXPECT_EQ(BeladyHits(trace, 100, kGo)->requests, 3U);
}

TEST(Belady, IsTheBestOfAllChoices) {
  const char* const given = std::getenv("OCFSGW_TEST_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::cout << "seed: OCFSGW_TEST_SEED=" << seed
            << " bench_test --gtest_filter=Belady.IsTheBestOfAllChoices\n";
  std::mt19937_64 random(seed);
  for (int run = 0; run < 200; ++run) {
    const auto objects = static_cast<uint32_t>(2 + random() % 6);
    const size_t capacity = 1 + random() % objects;
    std::vector<uint32_t> requests(5 + random() % 30);
    for (uint32_t& request : requests) request = static_cast<uint32_t>(random() % objects);
    const Trace trace = Of(requests, objects);
    std::map<std::pair<size_t, uint32_t>, uint64_t> known;
    ASSERT_EQ(BeladyHits(trace, capacity, kGo)->requests, BestFrom(trace, capacity, 0, 0, known))
        << "run " << run;
  }
}

TEST(Belady, StopsWhenAsked) { EXPECT_FALSE(BeladyHits(Of({0}, 1), 1, std::atomic<bool>{true})); }

TEST(CacheSize, Parses) {
  Trace trace = Of({}, 200);  // mean size: 10050 bytes
  const auto objects = [&](const char* text) { return ParseCacheSize(text)->ObjectsFor(trace); };
  EXPECT_EQ(objects("5%"), 10U);
  EXPECT_EQ(objects("0.7%"), 1U);
  EXPECT_EQ(objects("0.001%"), 1U);
  EXPECT_EQ(objects("3.5%"), 7U);
  EXPECT_EQ(objects("100%"), 200U);
  EXPECT_EQ(objects("17"), 17U);
  EXPECT_EQ(objects("1MiB"), 104U);
  EXPECT_EQ(objects("0.5GiB"), 53419U);
  EXPECT_EQ(objects("1KiB"), 1U);
  EXPECT_EQ(objects("99999999TiB"), 1U << 30);
  for (const char* const bad :
       {"", "%", "0", "0%", "-1", "-5%", "101%", "1.5", "5 %", "64MB", "64mib", "nan", "inf", "1e3", "0x10",
        "MiB", "5%%", "99999999999999999999999999999999999999999999e999"}) {
    EXPECT_TRUE(ParseCacheSize(bad).status().Is(StatusCode::kInvalidArgument)) << bad;
  }
}

ReplayResults Replayed(const Trace& trace, std::vector<std::string> policies, bool stop = false) {
  ReplayOptions options{.policies = std::move(policies),
                        .sizes = {*ParseCacheSize("2"), *ParseCacheSize("100%")}};
  ReplayResults results;
  EXPECT_TRUE(ReplayOne(trace, options, std::atomic<bool>{stop}, results).ok());
  return results;
}

TEST(Replay, CountsHitsAndBytes) {
  // LRU with two places: hits only in the last request; all at 100 %: three.
  const ReplayResults results = Replayed(Of({0, 1, 2, 0, 1, 1}, 3), {"lru"});
  ASSERT_EQ(results.traces.size(), 1U);
  const ReplayTrace& trace = results.traces[0];
  EXPECT_EQ(trace.total.bytes, 100U + 200 + 300 + 100 + 200 + 200);
  ASSERT_EQ(trace.cells.size(), 4U);
  EXPECT_EQ(trace.cells[0].policy, "lru");
  EXPECT_EQ(trace.cells[0].hits.requests, 1U);
  EXPECT_EQ(trace.cells[0].hits.bytes, 200U);
  EXPECT_EQ(trace.cells[1].policy, kOptimum);
  EXPECT_EQ(trace.cells[1].hits.requests, 2U);
  EXPECT_EQ(trace.cells[2].capacity, 3U);
  EXPECT_EQ(trace.cells[2].hits.requests, 3U);
  EXPECT_DOUBLE_EQ(*ShareOfOptimum(trace, trace.cells[0]), 0.5);
  EXPECT_DOUBLE_EQ(MeanShares(results).at("lru"), 0.75);
  EXPECT_FALSE(results.interrupted);
}

TEST(Replay, TraceWithoutReuseHasNoShare) {
  const ReplayResults results = Replayed(Of({0, 1, 2}, 3), {"fifo"});
  EXPECT_FALSE(ShareOfOptimum(results.traces[0], results.traces[0].cells[0]));
  EXPECT_TRUE(MeanShares(results).empty());
  EXPECT_THAT(ReplayTable(results, true), HasSubstr(" - "));
  EXPECT_THAT(ReplayJson(results, true), HasSubstr("\"share_of_optimum\": null"));
}

TEST(Replay, StopsWhenAsked) {
  const ReplayResults results = Replayed(Of({0, 1, 2}, 3), {"fifo"}, true);
  EXPECT_TRUE(results.interrupted);
  EXPECT_TRUE(results.traces[0].cells.empty());
  EXPECT_THAT(ReplayTable(results, true), HasSubstr("interrupted"));
  EXPECT_THAT(MissRatioChart(results), HasSubstr("</svg>"));
}

TEST(ReplayReport, CsvQuotesNames) {
  Trace trace = Of({0, 0}, 1);
  trace.name = "a,\"b\"";
  const std::string csv = ReplayCsv(Replayed(trace, {"lru"}), false);
  EXPECT_THAT(csv, HasSubstr("\n\"a,\"\"b\"\"\",2,2,lru,2,1,0.500000,0.500000,1.000000,"));
}

TEST(MissRatioChart, EscapesNames) {
  Trace trace = Of({0, 0}, 1);
  trace.name = "<&>\n";
  const std::string svg = MissRatioChart(Replayed(trace, {"lru"}));
  EXPECT_THAT(svg, HasSubstr("&lt;&amp;&gt;?</text>"));
}

}  // namespace
}  // namespace ocfsgw::bench
