// ocfsgw-bench replay.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <memory>

#include "bench/commands.h"
#include "bench/miss_ratio_chart.h"
#include "bench/replay.h"
#include "bench/replay_report.h"
#include "bench/trace_file.h"
#include "cache/replacement_policy.h"

namespace ocfsgw::bench {
namespace {

constexpr const char* kFooter =
    "Exit status: 0 done, 1 usage, 2 a trace cannot be read or is malformed, 4 interrupted (what was "
    "finished "
    "is\nprinted) or the results cannot be written.";

struct Arguments {
  std::vector<std::string> traces;
  std::string format = "auto";
  std::string policies{cache::kDefaultReplacementPolicy};
  std::string sizes = "5%,10%,20%,40%";
  uint64_t seed = 0;
  std::string engine = "policy";
  std::string directory;
  uint64_t object_bytes = 0;
  bool admission = false;
  std::optional<double> kept_share;
  std::optional<double> write_amplification_max;
  bool json = false;
  bool csv = false;
  bool no_timing = false;
  std::string svg;
};

Result<ReplayOptions> OptionsOf(const Arguments& arguments) {
  ReplayOptions options;
  options.seed = arguments.seed;
  options.directory = arguments.directory;
  options.object_bytes = arguments.object_bytes;
  options.admission = arguments.admission;
  options.kept_share = arguments.kept_share;
  options.write_amplification_max = arguments.write_amplification_max;
  if (arguments.engine != "policy" && arguments.engine != "store") {
    return Invalid(fmt::format("no engine is called '{}'; policy and store are", arguments.engine));
  }
  options.engine = arguments.engine == "store" ? Engine::kStore : Engine::kPolicy;
  if (options.directory.empty()) {
    const char* const temporary = std::getenv("TMPDIR");
    options.directory = temporary == nullptr || *temporary == '\0' ? "/tmp" : temporary;
  }
  for (const std::string& policy : CommaSeparated(arguments.policies)) {
    if (policy == "all") {
      const auto& names = cache::ReplacementPolicyNames();
      options.policies.insert(options.policies.end(), names.begin(), names.end());
    } else if (cache::MakeReplacementPolicy(policy, 1) == nullptr) {
      return Invalid(fmt::format("no policy is called '{}'; {} and all are", policy,
                                 fmt::join(cache::ReplacementPolicyNames(), ", ")));
    } else {
      options.policies.push_back(policy);
    }
  }
  for (const std::string& text : CommaSeparated(arguments.sizes)) {
    OCFSGW_ASSIGN_OR_RETURN(CacheSize size, ParseCacheSize(text));
    options.sizes.push_back(std::move(size));
  }
  return options;
}

Status WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text << std::flush;
  return file ? Status::Ok() : Status::LastErrno(path);
}

/// Prints, and writes the chart. `code`: what to return if that works.
ExitCode Report(const ReplayResults& results, const Arguments& arguments, ExitCode code) {
  const bool timing = !arguments.no_timing;
  const std::string text = arguments.json  ? ReplayJson(results, timing)
                           : arguments.csv ? ReplayCsv(results, timing)
                                           : ReplayTable(results, timing);
  if (const ExitCode printed = Print(text, code); printed != code) return printed;
  if (!arguments.svg.empty()) {
    if (const Status status = WriteFile(arguments.svg, MissRatioChart(results)); !status.ok()) {
      return Fail(kExitRuntime, status);
    }
  }
  return code;
}

ExitCode Replay(const Arguments& arguments, const std::atomic<bool>& stop) {
  const auto options = OptionsOf(arguments);
  if (!options.ok()) return Fail(kExitUsage, options.status());
  std::optional<TraceFormat> format;
  if (arguments.format != "auto") {
    format = TraceFormatOf(arguments.format);
    if (!format) {
      return Fail(kExitUsage,
                  Invalid(fmt::format("no format is called '{}'; auto, ids, csv, oracle-general, lirs "
                                      "and arc are",
                                      arguments.format)));
    }
  }
  ReplayResults results;
  results.seed = arguments.seed;
  for (const std::string& path : arguments.traces) {
    const auto trace = ReadTraceFile(path, format, stop);
    results.interrupted = stop;
    if (results.interrupted) break;
    if (!trace.ok()) return Fail(kExitSource, trace.status());
    if (const Status status = ReplayOne(*trace, *options, stop, results); !status.ok()) {
      return Fail(status.Is(StatusCode::kInvalidArgument) ? kExitUsage : kExitRuntime, status);
    }
    if (results.interrupted) break;
  }
  return Report(results, arguments, results.interrupted ? kExitRuntime : kExitDone);
}

}  // namespace

Command AddReplayCommand(CLI::App& app) {
  const auto kept = std::make_shared<Arguments>();
  Arguments& arguments = *kept;
  CLI::App* const replay = app.add_subcommand(
      "replay", "hit ratios of eviction policies on traces, and their share of the offline optimum");
  replay->add_option("TRACE", arguments.traces, "files, may be compressed (gzip, xz, zstd)")->required();
  replay
      ->add_option("--format", arguments.format, "auto, ids, csv, oracle-general, lirs or arc; default auto")
      ->option_text("FORMAT");
  replay
      ->add_option("--policy", arguments.policies,
                   fmt::format("{}, or all; default {}", fmt::join(cache::ReplacementPolicyNames(), ", "),
                               cache::kDefaultReplacementPolicy))
      ->option_text("POLICY,...");
  replay
      ->add_option("--size", arguments.sizes,
                   "cache sizes: 5% of the distinct objects, 64MiB, 1000 objects; default 5%,10%,20%,40%")
      ->option_text("SIZE,...");
  replay->add_option("--seed", arguments.seed, "for policies that draw lots; default 0")
      ->option_text("NUMBER");
  replay
      ->add_option("--engine", arguments.engine,
                   "policy: simulate the policy (default); store: also drive a real page store with it")
      ->option_text("ENGINE");
  replay
      ->add_option("--directory", arguments.directory,
                   "where the stores of --engine store are made; default TMPDIR, or /tmp")
      ->option_text("DIRECTORY");
  replay
      ->add_option("--object-bytes", arguments.object_bytes,
                   "quota of a store for each object, 4096 to 131072; default 4096, or more for 64 segments")
      ->option_text("BYTES");
  replay->add_flag("--admission", arguments.admission,
                   "the store refuses what the policy does not remember, once it is full");
  replay
      ->add_option("--kept-share", arguments.kept_share,
                   "how much of a segment may be kept records, 0 to 0.9; default as in ocfsgw")
      ->check(CLI::Range(0.0, 0.9))
      ->option_text("SHARE");
  replay
      ->add_option("--write-amplification", arguments.write_amplification_max,
                   "the most that may be written over what is put, 1 or more; default as in ocfsgw")
      ->check(CLI::Range(1.0, 1e9))
      ->option_text("FACTOR");
  CLI::Option* const json = replay->add_flag("--json", arguments.json, "print JSON");
  replay->add_flag("--csv", arguments.csv, "print CSV")->excludes(json);
  replay->add_flag("--no-timing", arguments.no_timing,
                   "leave out the throughput, which differs from run to run");
  replay->add_option("--svg", arguments.svg, "also write miss-ratio curves to this file")
      ->option_text("FILE");
  replay->footer(kFooter);
  return [kept](const std::atomic<bool>& stop) { return Replay(*kept, stop); };
}

}  // namespace ocfsgw::bench
