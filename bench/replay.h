#pragma once

#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "bench/belady.h"
#include "bench/trace.h"

namespace ocfsgw::bench {

/// A cache size as the user gave it.
struct CacheSize {
  enum class Unit { kShare, kBytes, kObjects };
  std::string text;
  Unit unit = Unit::kObjects;
  double value = 0;  ///< A share of 1, bytes, or objects.

  /// In objects, rounded down, at least 1. Bytes are divided by the mean size of the trace's objects.
  size_t ObjectsFor(const Trace& trace) const;
};

/// "5%" (of the distinct objects, above 0 to 100), "64MiB" (KiB, MiB, GiB, TiB), "1000" (objects).
/// kInvalidArgument for anything else, and for 0.
Result<CacheSize> ParseCacheSize(const std::string& text);

/// One policy on one trace with one cache size. Object sizes are equal for the policy and the optimum.
struct ReplayCell {
  std::string size;
  size_t capacity = 0;  ///< Objects.
  std::string policy;   ///< kOptimum: Belady's.
  Hits hits;
  double metadata_bytes = 0;  ///< For each object of the capacity; 0 for the optimum.
  double seconds = 0;         ///< Of the policy's work alone, or the store's all; 0 for the optimum.
  /// Engine::kStore only: bytes written / bytes put.
  std::optional<double> written_over_put;
};

inline constexpr std::string_view kOptimum = "optimum";
/// What the name of a policy ends in when it drives a real page store.
inline constexpr std::string_view kStoreSuffix = "@store";

struct ReplayTrace {
  std::string name;
  std::string format;
  Hits total;  ///< All requests.
  size_t objects = 0;
  /// In order of size, then policy, its store behind it; the optimum comes last of its size.
  std::vector<ReplayCell> cells;
};

enum class Engine {
  kPolicy,  ///< The policy alone.
  kStore,   ///< The policy alone, and a real page store that it drives.
};

struct ReplayOptions {
  std::vector<std::string> policies;
  std::vector<CacheSize> sizes;
  uint64_t seed = 0;
  Engine engine = Engine::kPolicy;
  // For Engine::kStore: as in StoreReplayOptions.
  std::string directory;
  uint64_t object_bytes = 0;
  bool admission = false;
  std::optional<double> kept_share;
  std::optional<double> write_amplification_max;
};

struct ReplayResults {
  uint64_t seed = 0;
  bool interrupted = false;  ///< Only what was finished is in `traces`.
  std::vector<ReplayTrace> traces;
};

double HitRatio(const ReplayTrace& trace, const ReplayCell& cell);
/// 0 for a trace without bytes.
double ByteHitRatio(const ReplayTrace& trace, const ReplayCell& cell);
/// The cell's hits over the optimum's for the same size; nothing if that has none, or is not known.
std::optional<double> ShareOfOptimum(const ReplayTrace& trace, const ReplayCell& cell);
/// By policy, over all cells that have a share.
std::map<std::string, double> MeanShares(const ReplayResults& results);

/// Appends the trace's cells to `results`; stops early, with `interrupted`, when `stop` is set. REQUIRES:
/// policies that MakeReplacementPolicy knows; sizes of at most kReplacementCapacityMax objects. Errors, with
/// what was finished in `results`: those of ReplayOnStore.
Status ReplayOne(const Trace& trace, const ReplayOptions& options, const std::atomic<bool>& stop,
                 ReplayResults& results);

}  // namespace ocfsgw::bench
