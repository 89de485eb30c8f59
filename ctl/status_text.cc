#include "ctl/status_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ocfsgw::ctl {
namespace {

using nlohmann::json;

/// `object[key]` if it is there and of the fallback's type.
template <typename T>
T Get(const json& object, std::string_view key, T fallback) {
  const auto it = object.find(key);
  if (it == object.end()) {
    return fallback;
  }
  if constexpr (std::is_same_v<T, std::string>) {
    return it->is_string() ? it->template get<T>() : fallback;
  } else if constexpr (std::is_same_v<T, bool>) {
    return it->is_boolean() ? it->template get<T>() : fallback;
  } else {
    return it->is_number() ? it->template get<T>() : fallback;
  }
}

/// A JSON number as a person writes it: no exponent and no fraction for whole ones.
std::string Number(double value) {
  return value == std::floor(value) && std::abs(value) < 1e15 ? fmt::format("{:.0f}", value)
                                                              : fmt::format("{}", value);
}

std::string Bytes(double bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < std::size(kUnits)) {
    bytes /= 1024;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", bytes, unit == 0 ? 0 : 1, kUnits[unit]);
}

std::string Uptime(double seconds) {
  const auto s = static_cast<uint64_t>(std::clamp(seconds, 0.0, 1e12));
  return fmt::format("{} d {:02}:{:02}:{:02}", s / 86400, s / 3600 % 24, s / 60 % 60, s % 60);
}

/// What a lease provider promises, in words.
std::string_view Guarantee(std::string_view provider) {
  if (provider == "o2dlm") return "changes made on any node of the cluster are seen";
  if (provider == "local") return "changes made on this machine are seen, those of other machines are NOT";
  if (provider == "none") return "pass-through, nothing is cached";
  return "?";
}

/// What the page store does, in words.
std::string_view State(const json& store) {
  if (!store.is_object() || !Get(store, "degraded", false)) return "normal";
  return Get(store, "slow", false)
             ? "DEGRADED: the page store's disk is slow, reads go to the source until it is quick again"
             : "DEGRADED: the page store is out of use, reads go to the source";
}

std::string Line(std::string_view label, std::string_view text) {
  return fmt::format("{:<22}{}\n", label, text);
}

std::string TierLine(std::string_view label, double cache, double source, std::string (*show)(double)) {
  const double all = cache + source;
  return fmt::format("{:<22}{:>12}{:>12}{:>10}\n", label, show(cache), show(source),
                     all > 0 ? fmt::format("{:.1f} %", 100 * cache / all) : "-");
}

std::string StoreLines(const json& store, const std::string& directory) {
  const auto number = [&store](std::string_view key) { return Get(store, key, 0.0); };
  std::string text = Line("page store", fmt::format("{} of {} on disk", Bytes(number("disk_bytes")),
                                                    Bytes(number("quota_bytes"))));
  text += Line("  directory", directory.empty() ? "none" : directory);
  text += Line("  records", fmt::format("{}, {}", Number(number("records")), Bytes(number("bytes"))));
  text += Line("  evicted", Number(number("evicted_records")));
  text += Line("  not stored", Number(number("dropped_puts")));
  return text + Line("  corrupt", Number(number("corrupt_records")));
}

}  // namespace

json MetricsJson(const std::vector<MetricSample>& samples) {
  json metrics = json::object();
  for (const MetricSample& sample : samples) {
    std::string key = sample.name;
    for (size_t i = 0; i < sample.labels.size(); ++i) {
      // A JSON string is escaped as a label value is: backslash, quote, newline.
      const json value = sample.labels[i].second;
      key += fmt::format("{}{}={}", i == 0 ? "{" : ",", sample.labels[i].first,
                         value.dump(-1, ' ', false, json::error_handler_t::replace));
    }
    metrics[sample.labels.empty() ? key : key + "}"] = sample.value;
  }
  return metrics;
}

std::string FormatStatus(const json& status) {
  const auto text_of = [&status](std::string_view key) { return Get<std::string>(status, key, "?"); };
  const json nothing = json::object();
  const json& object = status.is_object() ? status : nothing;
  const json metrics = object.value("metrics", nothing);
  const auto metric = [&metrics](std::string_view key) { return Get(metrics, key, 0.0); };
  const json store = object.value("store", json());
  const std::string provider = text_of("lease_provider");

  std::string out = Line("source", text_of("source"));
  out += Line("mount point", text_of("mountpoint"));
  if (const json fast = object.value("fast", json()); fast.is_array() && !fast.empty()) {
    std::vector<std::string> trees;
    for (const json& tree : fast) trees.push_back(tree.is_string() ? tree.get<std::string>() : "?");
    out += Line("fast trees", fmt::format("{}", fmt::join(trees, ", ")));
  }
  out += Line("version", text_of("version"));
  out += Line("process", Number(Get(status, "pid", 0.0)));
  const double guardian = Get(status, "guardian", 0.0);
  out += Line("guardian", guardian == 0 ? "none" : Number(guardian));
  out += Line("restarts", Number(Get(status, "restarts", 0.0)));
  out += Line("uptime", Uptime(Get(status, "uptime_s", 0.0)));
  out += Line("leases by", provider);
  out += Line("coherence", fmt::format("{}: {}", text_of("coherence"), Guarantee(provider)));
  out += Line("state", State(store));

  out += fmt::format("\n{:<22}{:>12}{:>12}{:>10}\n", "reads that reached us", "from cache", "from source",
                     "hits");
  out += TierLine("  file blocks", metric("ocfsgw_block_reads_total{from=\"store\"}"),
                  metric("ocfsgw_block_reads_total{from=\"backend\"}"), Number);
  out += TierLine("  file bytes", metric("ocfsgw_read_bytes_total{from=\"store\"}"),
                  metric("ocfsgw_read_bytes_total{from=\"backend\"}"), Bytes);
  out += TierLine("  attributes", metric("ocfsgw_attributes_total{from=\"lease\"}"),
                  metric("ocfsgw_attributes_total{from=\"backend\"}"), Number);
  out += TierLine("  names", metric("ocfsgw_names_total{from=\"lease\"}"),
                  metric("ocfsgw_names_total{from=\"backend\"}"), Number);

  out += "\n" + Line("leases held", Number(metric("ocfsgw_leases_held")));
  out += Line("  in sealed trees", Number(metric("ocfsgw_sealed_leases_held")));
  out += Line("  acquired", Number(metric("ocfsgw_lease_acquisitions_total")));
  out += Line("  refused", Number(metric("ocfsgw_lease_refusals_total")));
  out += Line("recalls", Number(metric("ocfsgw_recalls_total")));
  out += Line("  forced releases", Number(metric("ocfsgw_forced_releases_total")));
  out += Line("  released by timer", Number(metric("ocfsgw_timer_releases_total")));
  out += Line("reads repeated", Number(metric("ocfsgw_read_retries_total")));
  out += Line("reads without lease", Number(metric("ocfsgw_unleased_reads_total")));

  out += "\nbackend operations\n";
  static constexpr std::string_view kOperations = "ocfsgw_backend_operations_total{op=\"";
  for (const auto& [key, value] : metrics.items()) {
    if (key.starts_with(kOperations) && value.is_number()) {
      const std::string_view op = std::string_view(key).substr(kOperations.size());
      out += Line(fmt::format("  {}", op.substr(0, op.find('"'))), Number(value.get<double>()));
    }
  }
  return out + "\n" +
         (store.is_object() ? StoreLines(store, text_of("cache_slot")) : Line("page store", "none"));
}

std::string FormatMetrics(const json& metrics) {
  std::string out;
  for (const auto& [key, value] : metrics.items()) {
    if (value.is_number()) {
      out += fmt::format("{} {}\n", key, Number(value.get<double>()));
    }
  }
  return out;
}

}  // namespace ocfsgw::ctl
