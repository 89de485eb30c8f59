#pragma once

#include <atomic>
#include <optional>
#include <string>

#include "base/status.h"
#include "bench/belady.h"
#include "bench/trace.h"

namespace ocfsgw::bench {

struct StoreReplayOptions {
  std::string policy;         ///< One that MakeReplacementPolicy knows.
  uint64_t seed = 0;          ///< For the policy.
  size_t capacity = 0;        ///< Objects that fill the quota.
  std::string directory;      ///< An existing one; the store is made below it, and deleted.
  uint64_t object_bytes = 0;  ///< Of quota for each object, 4 KiB to 128 KiB; 0: StoreObjectBytes.
  bool restart = false;       ///< Close the store after half of the requests, and open it again.
  bool admission = false;
  /// Of the options of RocksdbPageStore; nothing: its defaults.
  std::optional<double> kept_share;
  std::optional<double> write_amplification_max;
};

struct StoreReplayResult {
  Hits hits;
  Hits second_half;  ///< Of these, those in the second half of the requests.
  double written_over_put = 0;
  double seconds = 0;
};

/// 4 KiB, or more if a quota of `capacity` objects would have less than 64 segments (64 MiB), to 128 KiB.
uint64_t StoreObjectBytes(size_t capacity);

/// Replays the trace against a real RocksdbPageStore: reads each object and puts what is missed, all records
/// of the same size. The store writes and evicts in a thread of its own; the replay waits for it each half
/// of a segment of puts, so hits differ a little from run to run. Nothing if `stop` was set. kInvalidArgument
/// if the quota would be below RocksdbPageStore's minimum or `object_bytes` is out of range; kUnavailable if
/// the store fails on its way; what StoreDirectory::Open says.
Result<std::optional<StoreReplayResult>> ReplayOnStore(const Trace& trace, const StoreReplayOptions& options,
                                                       const std::atomic<bool>& stop);

}  // namespace ocfsgw::bench
