#pragma once

#include <atomic>
#include <optional>
#include <string>

#include "base/status.h"
#include "bench/trace.h"
#include "bench/trace_parser.h"

namespace ocfsgw::bench {

/// Reads a trace from a file, which may be compressed (gzip, xz, zstd; told from its content). Without
/// `format` it is guessed. Errors are one line and begin with the path: kInvalidArgument for what is
/// malformed, with the line or record; kSystem or kCorrupt for what cannot be read or unpacked; kShutdown
/// when `stop` was set meanwhile.
Result<Trace> ReadTraceFile(const std::string& path, std::optional<TraceFormat> format,
                            const std::atomic<bool>& stop);

}  // namespace ocfsgw::bench
