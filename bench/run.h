#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "bench/tiers.h"
#include "bench/workloads/workload.h"

namespace ocfsgw::bench {

inline constexpr unsigned kThreadsMax = 256;

struct RunOptions {
  std::string mount;
  std::optional<std::string> baseline;
  uint64_t seed = 0;
  unsigned threads = 1;                         ///< 1 to kThreadsMax.
  uint64_t files = WorkloadParameters().files;  ///< See there.
  uint64_t large_bytes = WorkloadParameters().large_bytes;
  std::optional<uint64_t> rounds;  ///< Of each workload on each directory; else `seconds` decide.
  double seconds = 5;              ///< Of each workload, both directories together; the round begun is ended.
  bool keep = false;               ///< Leave the trees.
  bool drop_caches = false;        ///< Empty the machine's kernel caches before each round.
};

/// A workload on one directory.
struct RunSide {
  OpTotals totals;  ///< Also of a round that was not ended.
  std::vector<double>
      round_seconds;   ///< Of each ended round: from its first thread's begin to its last's end.
  double seconds = 0;  ///< Of all rounds, also of one that was not ended.
};

struct WorkloadResult {
  std::string name;
  RunSide mount;
  std::optional<RunSide> baseline;
  std::optional<Tiers> tiers;  ///< The directory is in an ocfsgw mount whose gateway answered.
  std::string no_tiers;        ///< Why it is in one, and there are none.
};

struct RunResults {
  uint64_t seed = 0;
  unsigned threads = 1;
  bool interrupted = false;
  std::vector<WorkloadResult> workloads;
  std::vector<std::string> kept;  ///< Directories that are left.
};

/// Makes the trees, runs the rounds, removes the trees, appends to `results`: also what there is when it
/// fails. kShutdown when `stop` was set; kSystem with errno if a directory cannot be used or a system call
/// failed; kCorrupt if something was wrong that was read. Blocks all the time.
Status RunWorkload(const RunOptions& options, const WorkloadKind& kind, const std::atomic<bool>& stop,
                   RunResults& results);

/// kSystem as WorkDirectory::MakeIn, if a workload could not make its tree in `directory`.
Status CheckUsable(const std::string& directory);

}  // namespace ocfsgw::bench
