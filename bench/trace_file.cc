#include "bench/trace_file.h"

#include <filesystem>

#include "bench/packed_file.h"

namespace ocfsgw::bench {

Result<Trace> ReadTraceFile(const std::string& path, std::optional<TraceFormat> format,
                            const std::atomic<bool>& stop) {
  std::optional<TraceParser> parser;
  const auto feed = [&](std::string_view piece) {
    if (!parser) parser.emplace(format.value_or(GuessTraceFormat(piece.substr(0, 4096))));
    return parser->Feed(piece);
  };
  OCFSGW_RETURN_IF_ERROR(ReadPackedFile(path, stop, feed));
  if (!parser) return Status(StatusCode::kInvalidArgument, path + ": no requests");
  Result<Trace> trace = parser->Finish();
  if (!trace.ok()) return Status(trace.status().code(), path + ": " + trace.status().ToString());
  trace->name = std::filesystem::path(path).filename().string();
  return trace;
}

}  // namespace ocfsgw::bench
