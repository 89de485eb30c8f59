#include "bench/replay_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace ocfsgw::bench {
namespace {

/// Nothing for the optimum, which is not timed.
std::optional<double> RequestsPerSecond(const ReplayTrace& trace, const ReplayCell& cell) {
  if (cell.policy == kOptimum || cell.seconds <= 0) return std::nullopt;
  return static_cast<double>(trace.total.requests) / cell.seconds;
}

bool HasStore(const ReplayResults& results) {
  return std::any_of(results.traces.begin(), results.traces.end(), [](const ReplayTrace& trace) {
    return std::any_of(trace.cells.begin(), trace.cells.end(),
                       [](const ReplayCell& cell) { return cell.written_over_put.has_value(); });
  });
}

template <typename Value>
std::string OrEmpty(const std::optional<Value>& value, const char* format, const char* empty) {
  return value ? fmt::format(fmt::runtime(format), *value) : empty;
}

/// As RFC 4180 says, for the one field that is not ours.
std::string CsvText(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string Printable(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 127; }, '?');
  return text;
}

}  // namespace

std::string ReplayTable(const ReplayResults& results, bool timing) {
  size_t width = 5;
  for (const ReplayTrace& trace : results.traces) width = std::max(width, trace.name.size());
  std::string out = fmt::format("{:<{}}  {:>8}  {:>9}  {:<20}  {:>6}  {:>6}  {:>6}  {:>7}", "trace", width,
                                "size", "objects", "policy", "hits", "bytes", "of opt", "B/obj");
  const bool store = HasStore(results);
  out += store ? "  written" : "";
  out += timing ? "  Mreq/s\n" : "\n";
  for (const ReplayTrace& trace : results.traces) {
    for (const ReplayCell& cell : trace.cells) {
      const auto share = ShareOfOptimum(trace, cell);
      out +=
          fmt::format("{:<{}}  {:>8}  {:>9}  {:<20}  {:.4f}  {:.4f}  {:>6}  {:>7.1f}", Printable(trace.name),
                      width, cell.size, cell.capacity, cell.policy, HitRatio(trace, cell),
                      ByteHitRatio(trace, cell), OrEmpty(share, "{:.3f}", "-"), cell.metadata_bytes);
      if (store) out += fmt::format("  {:>7}", OrEmpty(cell.written_over_put, "{:.3f}", "-"));
      if (timing) {
        auto rate = RequestsPerSecond(trace, cell);
        if (rate) *rate /= 1e6;
        out += fmt::format("  {:>6}", OrEmpty(rate, "{:.1f}", "-"));
      }
      out += "\n";
    }
  }
  out += "\nmean share of the optimum\n";
  std::vector<std::pair<double, std::string>> means;
  for (const auto& [policy, mean] : MeanShares(results)) means.emplace_back(mean, policy);
  std::sort(means.rbegin(), means.rend());
  for (const auto& [mean, policy] : means) out += fmt::format("  {:<20}  {:.4f}\n", policy, mean);
  if (results.interrupted) out += "interrupted: this is not all that was asked for\n";
  return out;
}

std::string ReplayJson(const ReplayResults& results, bool timing) {
  using Json = nlohmann::ordered_json;
  Json traces = Json::array();
  for (const ReplayTrace& trace : results.traces) {
    Json cells = Json::array();
    for (const ReplayCell& cell : trace.cells) {
      const auto share = ShareOfOptimum(trace, cell);
      Json out = {{"size", cell.size},
                  {"capacity", cell.capacity},
                  {"policy", cell.policy},
                  {"hits", cell.hits.requests},
                  {"hit_ratio", HitRatio(trace, cell)},
                  {"byte_hit_ratio", ByteHitRatio(trace, cell)},
                  {"share_of_optimum", share ? Json(*share) : Json(nullptr)},
                  {"metadata_bytes_per_object", cell.metadata_bytes}};
      const auto rate = RequestsPerSecond(trace, cell);
      if (cell.written_over_put) out["written_over_put"] = *cell.written_over_put;
      if (timing) out["requests_per_second"] = rate ? Json(*rate) : Json(nullptr);
      cells.push_back(std::move(out));
    }
    traces.push_back({{"trace", trace.name},
                      {"format", trace.format},
                      {"requests", trace.total.requests},
                      {"bytes", trace.total.bytes},
                      {"objects", trace.objects},
                      {"cells", std::move(cells)}});
  }
  const Json all = {{"seed", results.seed},
                    {"interrupted", results.interrupted},
                    {"traces", std::move(traces)},
                    {"mean_share_of_optimum", MeanShares(results)}};
  return all.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string ReplayCsv(const ReplayResults& results, bool timing) {
  std::string out =
      "trace,size,capacity,policy,requests,hits,hit_ratio,byte_hit_ratio,share_of_optimum,metadata_bytes_per_"
      "object";
  const bool store = HasStore(results);
  out += store ? ",written_over_put" : "";
  out += timing ? ",requests_per_second\n" : "\n";
  for (const ReplayTrace& trace : results.traces) {
    for (const ReplayCell& cell : trace.cells) {
      out += fmt::format("{},{},{},{},{},{},{:.6f},{:.6f},{},{:.2f}", CsvText(trace.name), cell.size,
                         cell.capacity, cell.policy, trace.total.requests, cell.hits.requests,
                         HitRatio(trace, cell), ByteHitRatio(trace, cell),
                         OrEmpty(ShareOfOptimum(trace, cell), "{:.6f}", ""), cell.metadata_bytes);
      if (store) out += "," + OrEmpty(cell.written_over_put, "{:.4f}", "");
      if (timing) out += "," + OrEmpty(RequestsPerSecond(trace, cell), "{:.0f}", "");
      out += "\n";
    }
  }
  return out;
}

}  // namespace ocfsgw::bench
