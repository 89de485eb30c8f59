// The parser of strace's output on arbitrary bytes: it neither crashes nor hangs, gives the same whatever
// pieces it is fed in, and what the import makes of it is a trace that replay reads.
#include <cstdlib>

#include "bench/strace_import.h"
#include "bench/strace_parser.h"

namespace ocfsgw::bench {
namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

struct Outcome {
  std::string trace;
  uint64_t requests = 0;
  std::string error;
  StraceCounts counts;
};

Outcome Parse(std::string_view bytes, size_t piece_bytes, const StraceImportOptions& options) {
  Outcome outcome;
  StraceImport import(options, outcome.trace);
  StraceParser parser([&](const StraceRequest& request) {
    Require(!request.path.empty());
    // A made up read of petabytes would be as many lines.
    if (request.bytes > 100 * options.block_bytes) return Status::Ok();
    return import.Take(request);
  });
  Status status;
  for (size_t at = 0; status.ok() && at < bytes.size(); at += piece_bytes) {
    status = parser.Feed(bytes.substr(at, piece_bytes));
  }
  if (status.ok()) status = parser.Finish();
  if (!status.ok()) outcome.error = status.ToString();
  outcome.requests = import.requests();
  outcome.counts = parser.counts();
  return outcome;
}

void Check(std::string_view bytes, size_t piece_bytes, const StraceImportOptions& options) {
  const Outcome whole = Parse(bytes, bytes.size() + 1, options), pieces = Parse(bytes, piece_bytes, options);
  Require(whole.trace == pieces.trace && whole.error == pieces.error);
  Require(whole.counts.malformed == pieces.counts.malformed && whole.counts.lines == pieces.counts.lines);
  Require(whole.counts.first_malformed == pieces.counts.first_malformed);
  if (whole.requests == 0) return;
  TraceParser replayed(options.format);
  Require(replayed.Feed(whole.trace).ok());
  const auto trace = replayed.Finish();
  Require(trace.ok() && trace->requests.size() == whole.requests);
}

}  // namespace
}  // namespace ocfsgw::bench

/// The first byte says how large the pieces are, and what is made of the requests.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using ocfsgw::bench::StraceImportOptions;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const StraceImportOptions options = {
      .objects =
          (data[0] & 64) != 0 ? StraceImportOptions::Objects::kPaths : StraceImportOptions::Objects::kBlocks,
      .format = (data[0] & 128) != 0 ? ocfsgw::bench::TraceFormat::kIds : ocfsgw::bench::TraceFormat::kCsv};
  ocfsgw::bench::Check(bytes.substr(1), 1 + data[0] % 64, options);
  return 0;
}
