#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "bench/o2net_parser.h"

namespace ocfsgw::bench {

struct LockCostOptions {
  std::string interface;             ///< Of the interconnect.
  uint16_t port = 7777;              ///< Of o2net, on all nodes.
  std::string disk;                  ///< A block device of /sys/class/block; empty: none.
  std::vector<std::string> command;  ///< Found as execvp(3) does; empty: wait for `seconds`.
  double seconds = 1e9;              ///< How long, without a command.
};

struct DiskReads {
  uint64_t requests = 0;
  uint64_t bytes = 0;
};

/// What this node's part in the cluster cost while something ran.
struct LockCost {
  O2netCounts sent, received;
  uint64_t packets = 0;
  uint64_t incomplete = 0;  ///< Packets that found no room, and gaps in the streams: messages may be missing.
  std::optional<DiskReads> disk;
  double seconds = 0;
  int exit_status = 0;  ///< Of the command; 128 + the signal that ended it.
};

/// Runs the command and counts. `stop` ends the command with SIGTERM, once, or the wait.
/// kSystem; kInvalidArgument if there is no such disk.
Result<LockCost> MeasureLockCost(const LockCostOptions& options, const std::atomic<bool>& stop);

/// `operations`: what to divide by, 0 for nothing.
std::string LockCostText(const LockCost& cost, uint64_t operations);
/// One line.
std::string LockCostJson(const LockCost& cost, uint64_t operations);

}  // namespace ocfsgw::bench
