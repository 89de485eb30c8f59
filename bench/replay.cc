#include "bench/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <numeric>

#include "bench/store_replay.h"
#include "cache/replacement_policy.h"

namespace ocfsgw::bench {
namespace {

constexpr size_t kRequestsBetweenLooks = 65536;  // at `stop`

std::optional<Hits> PolicyHits(const Trace& trace, cache::ReplacementPolicy& policy,
                               const std::atomic<bool>& stop) {
  Hits hits;
  for (size_t i = 0; i < trace.requests.size(); ++i) {
    if (i % kRequestsBetweenLooks == 0 && stop) return std::nullopt;
    const uint32_t object = trace.requests[i];
    if (policy.Access(object).hit) {
      ++hits.requests;
      hits.bytes += trace.object_bytes[object];
    }
  }
  return hits;
}

std::optional<ReplayCell> PolicyCell(const Trace& trace, ReplayCell cell, uint64_t seed,
                                     const std::atomic<bool>& stop) {
  const auto policy = cache::MakeReplacementPolicy(cell.policy, cell.capacity, seed);
  cell.metadata_bytes = static_cast<double>(policy->MetadataBytes()) / static_cast<double>(cell.capacity);
  const auto begin = std::chrono::steady_clock::now();
  const auto hits = PolicyHits(trace, *policy, stop);
  if (!hits) return std::nullopt;
  cell.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  cell.hits = *hits;
  return cell;
}

/// `cell`: of the policy alone.
Result<std::optional<ReplayCell>> StoreCell(const Trace& trace, ReplayCell cell, const ReplayOptions& options,
                                            const std::atomic<bool>& stop) {
  const StoreReplayOptions store{.policy = cell.policy,
                                 .seed = options.seed,
                                 .capacity = cell.capacity,
                                 .directory = options.directory,
                                 .object_bytes = options.object_bytes,
                                 .admission = options.admission,
                                 .kept_share = options.kept_share,
                                 .write_amplification_max = options.write_amplification_max};
  OCFSGW_ASSIGN_OR_RETURN(const auto result, ReplayOnStore(trace, store, stop));
  if (!result) return std::optional<ReplayCell>();
  cell.policy += kStoreSuffix;
  cell.hits = result->hits;
  cell.seconds = result->seconds;
  cell.written_over_put = result->written_over_put;
  return std::optional(std::move(cell));
}

const ReplayCell* OptimumFor(const ReplayTrace& trace, const ReplayCell& cell) {
  const auto it = std::find_if(trace.cells.begin(), trace.cells.end(), [&](const ReplayCell& other) {
    return other.policy == kOptimum && other.size == cell.size;
  });
  return it == trace.cells.end() ? nullptr : &*it;
}

double Ratio(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

size_t CacheSize::ObjectsFor(const Trace& trace) const {
  double objects = value;
  if (unit == Unit::kShare) objects = value * static_cast<double>(trace.objects());
  if (unit == Unit::kBytes) {
    const double bytes = std::accumulate(trace.object_bytes.begin(), trace.object_bytes.end(), 0.0);
    objects = bytes == 0 ? static_cast<double>(trace.objects())
                         : value * static_cast<double>(trace.objects()) / bytes;
  }
  // A share such as 0.07 of 100 objects must not become 6.
  return static_cast<size_t>(
      std::clamp(std::floor(objects + 1e-9), 1.0, double{cache::kReplacementCapacityMax}));
}

Result<CacheSize> ParseCacheSize(const std::string& text) {
  CacheSize size{.text = text};
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, size.value, std::chars_format::fixed);
  const std::string_view unit(rest, static_cast<size_t>(end - rest));
  const Status bad(StatusCode::kInvalidArgument,
                   fmt::format("'{}' is no cache size; 5%, 64MiB and 1000 (objects) are", text));
  if (error != std::errc() || !std::isfinite(size.value) || size.value <= 0) return bad;
  constexpr std::string_view kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  const auto* const known = std::find(std::begin(kUnits), std::end(kUnits), unit);
  if (unit == "%") {
    if (size.value > 100) return bad;
    size.unit = CacheSize::Unit::kShare;
    size.value /= 100;
  } else if (known != std::end(kUnits)) {
    size.unit = CacheSize::Unit::kBytes;
    size.value *= std::exp2(10 * (known - std::begin(kUnits) + 1));
  } else if (!unit.empty() || size.value != std::floor(size.value)) {
    return bad;
  }
  return size;
}

double HitRatio(const ReplayTrace& trace, const ReplayCell& cell) {
  return Ratio(cell.hits.requests, trace.total.requests);
}

double ByteHitRatio(const ReplayTrace& trace, const ReplayCell& cell) {
  return Ratio(cell.hits.bytes, trace.total.bytes);
}

std::optional<double> ShareOfOptimum(const ReplayTrace& trace, const ReplayCell& cell) {
  const ReplayCell* const optimum = OptimumFor(trace, cell);
  if (optimum == nullptr || optimum->hits.requests == 0) return std::nullopt;
  return Ratio(cell.hits.requests, optimum->hits.requests);
}

std::map<std::string, double> MeanShares(const ReplayResults& results) {
  std::map<std::string, std::pair<double, size_t>> sums;
  for (const ReplayTrace& trace : results.traces) {
    for (const ReplayCell& cell : trace.cells) {
      const auto share = ShareOfOptimum(trace, cell);
      if (!share) continue;
      sums[cell.policy].first += *share;
      ++sums[cell.policy].second;
    }
  }
  std::map<std::string, double> means;
  for (const auto& [policy, sum] : sums) means[policy] = sum.first / static_cast<double>(sum.second);
  return means;
}

Status ReplayOne(const Trace& trace, const ReplayOptions& options, const std::atomic<bool>& stop,
                 ReplayResults& results) {
  ReplayTrace& out = results.traces.emplace_back();
  out.name = trace.name;
  out.format = trace.format;
  out.objects = trace.objects();
  out.total.requests = trace.requests.size();
  for (const uint32_t object : trace.requests) out.total.bytes += trace.object_bytes[object];
  for (const CacheSize& size : options.sizes) {
    ReplayCell cell{.size = size.text, .capacity = size.ObjectsFor(trace)};
    for (const std::string& policy : options.policies) {
      cell.policy = policy;
      auto done = PolicyCell(trace, cell, options.seed, stop);
      results.interrupted = !done;
      if (!done) return Status::Ok();
      out.cells.push_back(*std::move(done));
      if (options.engine != Engine::kStore) continue;
      OCFSGW_ASSIGN_OR_RETURN(auto stored, StoreCell(trace, out.cells.back(), options, stop));
      results.interrupted = !stored;
      if (!stored) return Status::Ok();
      out.cells.push_back(*std::move(stored));
    }
    const auto hits = BeladyHits(trace, cell.capacity, stop);
    results.interrupted = !hits;
    if (!hits) return Status::Ok();
    cell.policy = kOptimum;
    cell.hits = *hits;
    out.cells.push_back(cell);
  }
  return Status::Ok();
}

}  // namespace ocfsgw::bench
