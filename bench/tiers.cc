#include "bench/tiers.h"

#include <algorithm>
#include <chrono>

#include "base/path.h"
#include "ctl/control_client.h"
#include "ctl/mount_registry.h"

namespace ocfsgw::bench {
namespace {

constexpr std::chrono::seconds kPatience(10);

struct Named {
  const char* metric;
  uint64_t GatewayCounters::*counter;
};

constexpr Named kMetrics[] = {
    {R"(ocfsgw_names_total{from="lease"})", &GatewayCounters::names_lease},
    {R"(ocfsgw_names_total{from="backend"})", &GatewayCounters::names_backend},
    {R"(ocfsgw_attributes_total{from="lease"})", &GatewayCounters::attributes_lease},
    {R"(ocfsgw_attributes_total{from="backend"})", &GatewayCounters::attributes_backend},
    {R"(ocfsgw_read_bytes_total{from="store"})", &GatewayCounters::bytes_store},
    {R"(ocfsgw_read_bytes_total{from="shared"})", &GatewayCounters::bytes_shared},
    {R"(ocfsgw_read_bytes_total{from="backend"})", &GatewayCounters::bytes_backend},
};

uint64_t Rest(uint64_t whole, uint64_t part) { return whole > part ? whole - part : 0; }

}  // namespace

std::optional<GatewayOfDirectory> GatewayFor(const std::string& directory) {
  const std::string canonical = CanonicalPath(directory);
  const auto mount = ctl::MountOf(canonical);
  if (!mount) return std::nullopt;
  const auto below = canonical.begin() + static_cast<std::ptrdiff_t>(mount->mountpoint.size());
  return GatewayOfDirectory{mount->socket, static_cast<uint64_t>(std::count(below, canonical.end(), '/'))};
}

Result<GatewayCounters> CountersFrom(const nlohmann::json& stats) {
  GatewayCounters counters;
  for (const auto& [metric, counter] : kMetrics) {
    const auto it = stats.find(metric);
    if (it == stats.end() || !it->is_number()) {
      return Status(StatusCode::kInvalidArgument, std::string("the gateway has no metric ") + metric);
    }
    counters.*counter = static_cast<uint64_t>(it->get<double>());
  }
  return counters;
}

Result<GatewayCounters> ReadCounters(const std::string& socket) {
  OCFSGW_ASSIGN_OR_RETURN(const nlohmann::json stats,
                          ctl::CallGateway(socket, {{"cmd", "stats"}}, kPatience));
  return CountersFrom(stats);
}

std::optional<Tiers> TiersOf(const GatewayCounters& before, const GatewayCounters& after,
                             const OpTotals& totals, uint64_t depth) {
  GatewayCounters grown;
  for (const auto& [metric, counter] : kMetrics) {
    if (after.*counter < before.*counter) return std::nullopt;
    grown.*counter = after.*counter - before.*counter;
  }
  Tiers tiers;
  tiers.lookups = totals.names + totals.paths * depth;
  tiers.lookups_lease = grown.names_lease;
  tiers.lookups_backend = grown.names_backend;
  tiers.lookups_kernel = Rest(tiers.lookups, grown.names_lease + grown.names_backend);
  tiers.bytes = totals.bytes_read;
  tiers.bytes_store = grown.bytes_store;
  tiers.bytes_shared = grown.bytes_shared;
  tiers.bytes_backend = grown.bytes_backend;
  tiers.bytes_kernel = Rest(tiers.bytes, grown.bytes_store + grown.bytes_shared + grown.bytes_backend);
  tiers.attributes_lease = grown.attributes_lease;
  tiers.attributes_backend = grown.attributes_backend;
  return tiers;
}

double Share(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace ocfsgw::bench
