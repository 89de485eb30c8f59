#pragma once

#include <string>

#include "base/status.h"
#include "bench/strace_parser.h"
#include "bench/trace_parser.h"

namespace ocfsgw::bench {

struct StraceImportOptions {
  enum class Objects { kBlocks, kPaths };
  Objects objects = Objects::kBlocks;
  TraceFormat format = TraceFormat::kCsv;  ///< Or kIds.
  uint64_t block_bytes = kObjectBytes;     ///< Above 0.
};

/// Writes the requests as a trace that TraceParser reads. kBlocks: one line for each block that a read
/// touches, its id PATH#NUMBER; kPaths: one for each call for a name, its id the path, its size 0. In an id,
/// percent signs, commas and what is not printable or a space are as in a URL; kIds has XXH3 of the id
/// instead, and so have ids that would be longer than kIdBytesMax. Without a time of strace's, the number of
/// the line stands for it. Thread-compatible.
class StraceImport {
 public:
  static constexpr size_t kIdBytesMax = 3000;
  static constexpr uint64_t kBlocksMax = uint64_t{1} << 20;  ///< Of one read; kInvalidArgument beyond.

  StraceImport(const StraceImportOptions& options, std::string& out) : options_(options), out_(out) {}

  /// For StraceParser. Appends to `out`.
  Status Take(const StraceRequest& request);
  uint64_t requests() const { return requests_; }

 private:
  void Add(std::string_view time, std::string id, uint64_t bytes);

  const StraceImportOptions options_;
  std::string& out_;
  uint64_t requests_ = 0;
};

}  // namespace ocfsgw::bench
