#include "bench/run_report.h"

#include <fmt/format.h>

#include <functional>
#include <nlohmann/json.hpp>

namespace ocfsgw::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::pair<const char*, double> kPercentiles[] = {
    {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}};

double PerSecond(uint64_t count, double seconds) {
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

/// Calls for "all" and then for each kind there was.
void ForEachKind(const OpTotals& totals,
                 const std::function<void(std::string_view, const LatencyHistogram&)>& call) {
  call("all", totals.All());
  for (size_t i = 0; i < kOpNames.size(); ++i) {
    if (totals.latencies[i].count() > 0) call(kOpNames[i], totals.latencies[i]);
  }
}

void ForEachSide(const WorkloadResult& result, const std::function<void(const char*, const RunSide&)>& call) {
  call("mount", result.mount);
  if (result.baseline) call("baseline", *result.baseline);
}

std::string RatioLine(const WorkloadResult& result) {
  const auto round = RoundRatio(result);
  if (!round) return {};
  std::string out = fmt::format("  mount / baseline, medians: round {:.2f}", *round);
  for (size_t i = 0; i < kOpNames.size(); ++i) {
    if (const auto ratio = OpRatio(result, OpKind(i))) out += fmt::format(", {} {:.2f}", kOpNames[i], *ratio);
  }
  return out + "\n";
}

std::string TierLines(const WorkloadResult& result) {
  if (!result.tiers) {
    return result.no_tiers.empty() ? std::string() : fmt::format("  tiers: none, {}\n", result.no_tiers);
  }
  const Tiers& t = *result.tiers;
  return fmt::format(
      "  {} names looked up: kernel {:.1f} %; gateway {} under a lease, {} in the source\n"
      "  {} bytes read: kernel {:.1f} %; gateway {} from the store, {} shared, {} from the source\n"
      "  attributes asked of the gateway: {} under a lease, {} in the source\n",
      t.lookups, 100 * Share(t.lookups_kernel, t.lookups), t.lookups_lease, t.lookups_backend, t.bytes,
      100 * Share(t.bytes_kernel, t.bytes), t.bytes_store, t.bytes_shared, t.bytes_backend,
      t.attributes_lease, t.attributes_backend);
}

Json SideJson(const RunSide& side) {
  const double seconds = side.seconds;
  Json operations = Json::object();
  ForEachKind(side.totals, [&](std::string_view name, const LatencyHistogram& latencies) {
    Json one = {{"count", latencies.count()}, {"per_second", PerSecond(latencies.count(), seconds)}};
    for (const auto& [label, share] : kPercentiles) one[label] = latencies.Percentile(share);
    one["max"] = latencies.max();
    operations[std::string(name)] = std::move(one);
  });
  return {{"rounds", side.round_seconds.size()},
          {"seconds", seconds},
          {"median_round_seconds", Median(side.round_seconds)},
          {"bytes_read", side.totals.bytes_read},
          {"bytes_written", side.totals.bytes_written},
          {"digest", fmt::format("{:016x}", side.totals.digest)},
          {"operations", std::move(operations)}};
}

Json TiersJson(const Tiers& t) {
  return {{"lookups",
           {{"application", t.lookups},
            {"kernel", t.lookups_kernel},
            {"lease", t.lookups_lease},
            {"backend", t.lookups_backend},
            {"kernel_hit_ratio", Share(t.lookups_kernel, t.lookups)}}},
          {"bytes",
           {{"application", t.bytes},
            {"kernel", t.bytes_kernel},
            {"store", t.bytes_store},
            {"shared", t.bytes_shared},
            {"backend", t.bytes_backend},
            {"kernel_hit_ratio", Share(t.bytes_kernel, t.bytes)},
            {"store_hit_ratio", Share(t.bytes_store, t.bytes_store + t.bytes_shared + t.bytes_backend)}}},
          {"attributes", {{"lease", t.attributes_lease}, {"backend", t.attributes_backend}}}};
}

}  // namespace

std::optional<double> RoundRatio(const WorkloadResult& result) {
  if (!result.baseline || result.mount.round_seconds.empty() || result.baseline->round_seconds.empty()) {
    return std::nullopt;
  }
  const double baseline = Median(result.baseline->round_seconds);
  if (baseline <= 0) return std::nullopt;
  return Median(result.mount.round_seconds) / baseline;
}

std::optional<double> OpRatio(const WorkloadResult& result, OpKind kind) {
  if (!result.baseline || result.mount.totals.of(kind).count() == 0) return std::nullopt;
  const uint64_t baseline = result.baseline->totals.of(kind).Percentile(0.5);
  if (baseline == 0) return std::nullopt;
  return static_cast<double>(result.mount.totals.of(kind).Percentile(0.5)) / static_cast<double>(baseline);
}

std::string RunTable(const RunResults& results) {
  std::string out;
  for (const WorkloadResult& result : results.workloads) {
    out += fmt::format("{}{}, seed {}, threads {}\n", out.empty() ? "" : "\n", result.name, results.seed,
                       results.threads);
    out += fmt::format("  {:<8}  {:<7}  {:>9}  {:>9}  {:>9}  {:>9}  {:>9}  {:>9}  {:>9}\n", "where", "what",
                       "count", "per s", "p50 us", "p90 us", "p99 us", "p99.9 us", "max us");
    ForEachSide(result, [&](const char* where, const RunSide& side) {
      const double seconds = side.seconds;
      ForEachKind(side.totals, [&](std::string_view name, const LatencyHistogram& latencies) {
        out += fmt::format("  {:<8}  {:<7}  {:>9}  {:>9.0f}", where, name, latencies.count(),
                           PerSecond(latencies.count(), seconds));
        for (const auto& [label, share] : kPercentiles) {
          out += fmt::format("  {:>9.1f}", static_cast<double>(latencies.Percentile(share)) / 1000);
        }
        out += fmt::format("  {:>9.1f}\n", static_cast<double>(latencies.max()) / 1000);
      });
      out += fmt::format("  {:<8}  {} rounds, median {:.3f} ms\n", where, side.round_seconds.size(),
                         1000 * Median(side.round_seconds));
    });
    out += RatioLine(result) + TierLines(result);
  }
  for (const std::string& path : results.kept) out += fmt::format("kept: {}\n", path);
  if (results.interrupted) out += "interrupted: this is not all that was asked for\n";
  return out;
}

std::string RunJson(const RunResults& results) {
  Json workloads = Json::array();
  for (const WorkloadResult& result : results.workloads) {
    Json one = {{"workload", result.name}};
    ForEachSide(result, [&](const char* where, const RunSide& side) { one[where] = SideJson(side); });
    if (const auto round = RoundRatio(result)) {
      Json ratios = {{"round", *round}};
      for (size_t i = 0; i < kOpNames.size(); ++i) {
        if (const auto ratio = OpRatio(result, OpKind(i))) ratios[std::string(kOpNames[i])] = *ratio;
      }
      one["ratio_of_medians"] = std::move(ratios);
    }
    if (result.tiers) one["tiers"] = TiersJson(*result.tiers);
    if (!result.no_tiers.empty()) one["no_tiers"] = result.no_tiers;
    workloads.push_back(std::move(one));
  }
  const Json all = {{"seed", results.seed},
                    {"threads", results.threads},
                    {"interrupted", results.interrupted},
                    {"kept", results.kept},
                    {"workloads", std::move(workloads)}};
  return all.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string RunCsv(const RunResults& results) {
  std::string out = "workload,where,operation,count,per_second,p50_ns,p90_ns,p99_ns,p99.9_ns,max_ns\n";
  for (const WorkloadResult& result : results.workloads) {
    ForEachSide(result, [&](const char* where, const RunSide& side) {
      const double seconds = side.seconds;
      ForEachKind(side.totals, [&](std::string_view name, const LatencyHistogram& latencies) {
        out += fmt::format("{},{},{},{},{:.1f}", result.name, where, name, latencies.count(),
                           PerSecond(latencies.count(), seconds));
        for (const auto& [label, share] : kPercentiles)
          out += fmt::format(",{}", latencies.Percentile(share));
        out += fmt::format(",{}\n", latencies.max());
      });
    });
  }
  return out;
}

}  // namespace ocfsgw::bench
