#pragma once

#include <atomic>
#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "bench/contender.h"
#include "bench/workloads/workload.h"

namespace ocfsgw::bench {

/// What was emptied before a workload is timed. kCold: the kernel's caches and the contender's store. kWarm:
/// the kernel's caches; what a contender without a store reads from, the source, is read into them again.
/// kHot: nothing, after a pass that is not timed.
enum class CacheState { kCold, kWarm, kHot };
inline constexpr std::string_view kStateNames[] = {"cold", "warm", "hot"};
inline std::string_view NameOf(CacheState state) { return kStateNames[static_cast<size_t>(state)]; }

/// In state kHot there are so many passes in a round or more, for so long or longer; their median counts.
inline constexpr size_t kHotPasses = 3;
inline constexpr std::chrono::milliseconds kHotTime(500);

struct CompareOptions {
  std::string source;  ///< Directory to make the trees in.
  std::string work;    ///< Directory to make mount points and stores in.
  std::vector<const Contender*> contenders;
  std::vector<const WorkloadKind*> workloads;
  unsigned rounds = 5;
  WorkloadParameters parameters;
};

struct CompareKey {
  std::string workload;
  CacheState state;
  std::string contender;
  auto operator<=>(const CompareKey&) const = default;
};

/// By round, from 0: seconds that all system calls of one pass took.
using CompareCell = std::map<unsigned, double>;

/// A contender that took no part, or not in one workload (else empty), or not to its end.
struct CompareSkip {
  std::string contender, workload, reason;
};

struct CompareResults {
  std::vector<std::string> workloads, contenders;  ///< Of the options, in their order.
  std::map<CompareKey, CompareCell> cells;
  std::map<std::string, std::string> commands;  ///< By contender that was mounted.
  std::map<std::string, std::string> versions;
  std::vector<CompareSkip> skipped;
  bool wrong_data = false;  ///< One was skipped since it showed something else than was written.
  bool interrupted = false;
};

/// Median, least and greatest of some values.
struct Spread {
  double median = 0, least = 0, greatest = 0;
};
/// Nothing if there is none.
std::optional<Spread> SpreadOf(const std::vector<double>& values);
/// Seconds of a cell.
std::optional<Spread> SecondsOf(const CompareResults& results, const CompareKey& key);
/// Seconds of `above` / seconds of `below`, taken in each round in which there are both. Above 1: `above` is
/// slower.
std::optional<Spread> RatioOf(const CompareResults& results, const CompareKey& above,
                              const CompareKey& below);

/// MiB of a store: enough for what a workload reads, and to be written over.
uint64_t StoreMib(uint64_t large_bytes);

/// Whether a contender takes part in a workload: direct-read shows what the disk of the stores can do, for
/// which the bare directory is enough.
bool TakesPart(const Contender& contender, const WorkloadKind& kind);

/// Makes the trees, mounts the contenders, runs the workloads round by round, unmounts and removes
/// everything; appends to `results`, also when it fails. A contender that cannot be mounted, or fails in a
/// workload, is skipped. kShutdown when `stop` was set; kSystem if a directory cannot be used, or the
/// kernel's caches cannot be emptied; what went wrong on the bare directory. Blocks all the time.
Status Compare(const CompareOptions& options, const std::atomic<bool>& stop, CompareResults& results);

}  // namespace ocfsgw::bench
