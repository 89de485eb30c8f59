// A trace parser on arbitrary bytes: it neither crashes nor hangs, gives the same whatever pieces it is fed
// in, and a trace it returns keeps its invariants. The format is OCFSGW_TRACE_FORMAT.
#include <cstdlib>

#include "bench/trace_parser.h"

namespace ocfsgw::bench {
namespace {

constexpr TraceLimits kLimits = {
    .requests_max = 20000, .objects_max = 10000, .line_bytes_max = 256, .arc_count_max = 1000};

Result<Trace> Parse(std::string_view bytes, size_t piece_bytes) {
  TraceParser parser(*TraceFormatOf(OCFSGW_TRACE_FORMAT), kLimits);
  for (size_t at = 0; at < bytes.size(); at += piece_bytes) {
    OCFSGW_RETURN_IF_ERROR(parser.Feed(bytes.substr(at, piece_bytes)));
  }
  return parser.Finish();
}

void Require(bool condition) {
  if (!condition) std::abort();
}

void Check(std::string_view bytes, size_t piece_bytes) {
  const auto whole = Parse(bytes, bytes.size() + 1), pieces = Parse(bytes, piece_bytes);
  Require(whole.status().ToString() == pieces.status().ToString());
  GuessTraceFormat(bytes);
  if (!whole.ok()) return;
  Require(whole->requests == pieces->requests && whole->object_bytes == pieces->object_bytes);
  Require(!whole->requests.empty() && whole->requests.size() <= kLimits.requests_max);
  uint32_t objects = 0;
  for (const uint32_t object : whole->requests) {
    Require(object <= objects);  // numbered in the order of their first request
    if (object == objects) ++objects;
  }
  Require(objects == whole->objects());
}

}  // namespace
}  // namespace ocfsgw::bench

/// The first byte says how large the pieces are.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  ocfsgw::bench::Check(bytes.substr(1), 1 + data[0] % 64);
  return 0;
}
