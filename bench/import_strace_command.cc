// ocfsgw-bench import-strace.
#include <fmt/format.h>

#include <memory>

#include "bench/commands.h"
#include "bench/packed_file.h"
#include "bench/strace_import.h"
#include "bench/trace_output.h"

namespace ocfsgw::bench {
namespace {

constexpr const char* kFooter =
    "Record with: strace -f -y -ttt -e trace=file,read,readv,pread64,preadv,lseek,close -o FILE COMMAND\n"
    "Exit status: 0 done (malformed lines are left out, counted, and the first ones shown), 1 usage, 2 a "
    "file "
    "cannot\nbe read, or there is no request in all of them, 4 interrupted, or the trace cannot be written.";

struct Arguments {
  std::vector<std::string> files;
  std::string output;
  std::string objects = "blocks";
  std::string format = "csv";
  uint64_t block_bytes = kObjectBytes;
};

void ShowCounts(const std::string& path, const StraceCounts& counts) {
  fmt::print(stderr, "ocfsgw-bench: {}: {} lines, {} calls for names, {} reads\n", path, counts.lines,
             counts.names, counts.reads);
  if (counts.unknown > 0) {
    fmt::print(stderr, "ocfsgw-bench: {}: {} reads of files not known (strace -y tells)\n", path,
               counts.unknown);
  }
  if (counts.malformed == 0) return;
  fmt::print(stderr, "ocfsgw-bench: {}: {} malformed lines left out\n", path, counts.malformed);
  for (const std::string& line : counts.first_malformed) {
    fmt::print(stderr, "ocfsgw-bench: {}: {}\n", path, line);
  }
}

ExitCode Import(const Arguments& arguments, const std::atomic<bool>& stop) {
  const StraceImportOptions options{.objects = arguments.objects == "paths"
                                                   ? StraceImportOptions::Objects::kPaths
                                                   : StraceImportOptions::Objects::kBlocks,
                                    .format = *TraceFormatOf(arguments.format),
                                    .block_bytes = arguments.block_bytes};
  std::string text;
  TraceOutput output(arguments.output);
  StraceImport import(options, text);
  for (const std::string& path : arguments.files) {
    StraceParser parser([&](const StraceRequest& request) { return import.Take(request); });
    Status written;
    const Status read = ReadPackedFile(path, stop, [&](std::string_view piece) {
      OCFSGW_RETURN_IF_ERROR(parser.Feed(piece));
      return written = output.Flush(text);
    });
    if (!written.ok()) return Fail(kExitRuntime, written);
    if (read.Is(StatusCode::kShutdown)) return Fail(kExitRuntime, read);
    if (!read.ok()) return Fail(kExitSource, read);
    if (const Status status = parser.Finish(); !status.ok()) return Fail(kExitSource, status);
    if (const Status status = output.Flush(text); !status.ok()) return Fail(kExitRuntime, status);
    ShowCounts(path, parser.counts());
  }
  if (import.requests() > 0) return kExitDone;
  return Fail(kExitSource, Invalid(fmt::format("no requests for {}", arguments.objects)));
}

}  // namespace

Command AddImportStraceCommand(CLI::App& app) {
  const auto kept = std::make_shared<Arguments>();
  CLI::App* const import =
      app.add_subcommand("import-strace", "makes a trace for replay of what strace has recorded");
  import->add_option("FILE", kept->files, "output of strace -f, may be compressed (gzip, xz, zstd)")
      ->required();
  import->add_option("--output", kept->output, "write the trace to this file; default: standard output")
      ->option_text("FILE");
  import
      ->add_option("--objects", kept->objects,
                   "blocks: of data that reads returned; paths: names asked for; default blocks")
      ->option_text("KIND")
      ->check(CLI::IsMember({"blocks", "paths"}));
  import->add_option("--format", kept->format, "csv, or ids: numbers that do not show names; default csv")
      ->option_text("FORMAT")
      ->check(CLI::IsMember({"csv", "ids"}));
  import->add_option("--block", kept->block_bytes, "size of a block in bytes; default 131072")
      ->option_text("BYTES")
      ->check(CLI::Range(uint64_t{512}, uint64_t{1} << 30));
  import->footer(kFooter);
  return [kept](const std::atomic<bool>& stop) { return Import(*kept, stop); };
}

}  // namespace ocfsgw::bench
