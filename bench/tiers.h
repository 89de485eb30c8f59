#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/status.h"
#include "bench/workloads/operations.h"

namespace ocfsgw::bench {

/// A gateway's metrics of the same names, since it started (docs/OPERATIONS.md).
struct GatewayCounters {
  uint64_t names_lease = 0, names_backend = 0;
  uint64_t attributes_lease = 0, attributes_backend = 0;
  uint64_t bytes_store = 0, bytes_shared = 0, bytes_backend = 0;
};

struct GatewayOfDirectory {
  std::string socket;  ///< Its control socket.
  uint64_t depth = 0;  ///< Components of the directory's path below the mount point.
};

/// The gateway whose mount `directory` is in, as ocfsgwctl finds it; nothing if there is none. Blocks as
/// lstat(2) does.
std::optional<GatewayOfDirectory> GatewayFor(const std::string& directory);

/// From the answer to "stats". kInvalidArgument if one is not there.
Result<GatewayCounters> CountersFrom(const nlohmann::json& stats);
/// Asks the gateway, for ten seconds at most. Errors also as of ctl::CallGateway.
Result<GatewayCounters> ReadCounters(const std::string& socket);

/// Who answered what an application asked for. The gateway counts what the kernel asks for, so the kernel's
/// share is what is left: 0 if it asked for more than the application did, by reading ahead or for the target
/// of a symbolic link.
struct Tiers {
  uint64_t lookups = 0;  ///< Components below the mount point of all paths in the application's calls.
  uint64_t lookups_kernel = 0, lookups_lease = 0, lookups_backend = 0;
  uint64_t bytes = 0;  ///< Read by the application.
  uint64_t bytes_kernel = 0, bytes_store = 0, bytes_shared = 0, bytes_backend = 0;
  uint64_t attributes_lease = 0, attributes_backend = 0;  ///< Answered by the gateway, for whatever reason.
};

/// `totals`: of the application between the two readings, below a root at `depth` (GatewayOfDirectory).
/// Nothing if a counter went down: the gateway was started again between them.
std::optional<Tiers> TiersOf(const GatewayCounters& before, const GatewayCounters& after,
                             const OpTotals& totals, uint64_t depth);

/// part / whole, 0 if there is nothing.
double Share(uint64_t part, uint64_t whole);

}  // namespace ocfsgw::bench
