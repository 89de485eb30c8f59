#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/status.h"
#include "bench/trace.h"

namespace ocfsgw::bench {

/// How requests are written down. Numbers are decimal; spaces around them, blank lines and a carriage return
/// before the end of a line do not count.
enum class TraceFormat {
  kIds,  ///< One object id (64 bits) per line.
  kCsv,  ///< time,id,size[,...]: the id any text without a comma; a first line without a time is skipped.
  kOracleGeneral,  ///< libCacheSim's records of 24 bytes, little-endian: time:4 id:8 size:4 next_access:8.
  kLirs,           ///< As kIds; lines that begin with * or # are skipped.
  kArc,            ///< start count ignored request-number: one object for each of `count` blocks.
};

/// "ids", "csv", "oracle-general", "lirs", "arc".
std::string_view TraceFormatName(TraceFormat format);
std::optional<TraceFormat> TraceFormatOf(std::string_view name);

/// Guesses from the beginning of a trace (some kilobytes): bytes that are not text are kOracleGeneral, a
/// comma in the first line kCsv, four numbers kArc, else kLirs, which kIds is part of.
TraceFormat GuessTraceFormat(std::string_view beginning);

struct TraceLimits {
  size_t requests_max = size_t{1} << 31;
  size_t objects_max = size_t{1} << 29;
  size_t line_bytes_max = 4096;
  uint64_t arc_count_max = 1 << 20;  ///< Blocks in one line.
};

/// Objects without a size in the trace count as one block of the page store (128 KiB).
inline constexpr uint64_t kObjectBytes = 128 * 1024;

/// Turns the bytes of a trace, fed in pieces of any size, into a Trace. Errors are kInvalidArgument and begin
/// with "line N: " or "record N: " (from 1); nothing may be fed after one. Thread-compatible.
class TraceParser {
 public:
  explicit TraceParser(TraceFormat format, const TraceLimits& limits = {});

  Status Feed(std::string_view piece);
  /// The end of the trace; kInvalidArgument too when there is no request in it.
  Result<Trace> Finish();

 private:
  Status FeedLines(std::string_view piece);
  Status FeedRecords(std::string_view piece);
  Status Line(std::string_view line);
  Status IdLine(std::string_view line);
  Status CsvLine(std::string_view line);
  Status ArcLine(std::string_view line);
  Status Record(const char* record);

  Status Request(uint64_t id, uint64_t bytes);
  Status RequestNumbered(uint32_t* number, bool is_new, uint64_t bytes);
  Status Bad(const std::string& what) const;

  const TraceFormat format_;
  const TraceLimits limits_;
  Trace trace_;
  std::unordered_map<uint64_t, uint32_t> numbers_;
  std::unordered_map<std::string, uint32_t> text_numbers_;  // of ids that are no number
  std::string pending_;                                     // the beginning of a line or record
  uint64_t unit_ = 0;                                       // lines or records begun
};

}  // namespace ocfsgw::bench
