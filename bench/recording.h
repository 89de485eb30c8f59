#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_set>

#include "base/status.h"

namespace ocfsgw::bench {

/// Writes what a gateway says to the command "record" (docs/OPERATIONS.md) as a trace that TraceParser reads,
/// TraceFormat::kCsv: seconds since the recording began, INO.GENERATION#BLOCK, bytes of that block, and how
/// many requests just before this one were dropped. Thread-compatible.
class Recording {
 public:
  /// Appends the header to `out`, which outlives this.
  explicit Recording(std::string& out);

  /// One line of the gateway's: appends its requests to `out`. kCorrupt: it is none.
  Status Take(const nlohmann::json& line);

  uint64_t requests() const { return requests_; }
  uint64_t objects() const { return objects_.size(); }
  uint64_t bytes() const { return bytes_; }      ///< Of all requests, the whole block each.
  uint64_t dropped() const { return dropped_; }  ///< Requests that are not in the trace.

 private:
  std::string& out_;
  std::unordered_set<uint64_t> objects_;  // hashes of their ids
  uint64_t requests_ = 0;
  uint64_t bytes_ = 0;
  uint64_t dropped_ = 0;
  uint64_t dropped_before_next_ = 0;
};

}  // namespace ocfsgw::bench
