// ocfsgw-bench run.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "bench/commands.h"
#include "bench/run.h"
#include "bench/run_report.h"

namespace ocfsgw::bench {
namespace {

struct Arguments {
  RunOptions options;
  std::string baseline;
  std::string workloads = "all";
  uint64_t rounds = 0;
  bool json = false;
  bool csv = false;
};

std::string Names() {
  std::vector<std::string_view> names;
  for (const WorkloadKind& kind : Workloads()) names.push_back(kind.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string Footer() {
  std::string out = "Workloads:\n";
  for (const WorkloadKind& kind : Workloads()) out += fmt::format("  {:<18} {}\n", kind.name, kind.summary);
  return out +
         "Exit status: 0 done, 1 usage (also: no such workload), 2 a directory cannot be used (it is none, "
         "or nothing\ncan be made in it), 4 interrupted (what was measured is printed), a system call failed "
         "(also: the disk is\nfull), or the results cannot be written, 5 the file system showed something "
         "wrong: other bytes, sizes or\nnames than were written.";
}

Result<std::vector<const WorkloadKind*>> Chosen(const std::string& text) {
  std::vector<const WorkloadKind*> kinds;
  for (const std::string& name : CommaSeparated(text)) {
    if (name == "all") {
      for (const WorkloadKind& kind : Workloads()) kinds.push_back(&kind);
    } else if (const WorkloadKind* const kind = FindWorkload(name)) {
      kinds.push_back(kind);
    } else {
      return Invalid(fmt::format("no workload is called '{}'; {} and all are", name, Names()));
    }
  }
  return kinds;
}

ExitCode CodeFor(const Status& status) {
  if (status.ok()) return kExitDone;
  return status.Is(StatusCode::kCorrupt) ? kExitWrongData : kExitRuntime;
}

ExitCode Run(Arguments& arguments, const std::atomic<bool>& stop) {
  RunOptions& options = arguments.options;
  const auto kinds = Chosen(arguments.workloads);
  if (!kinds.ok()) return Fail(kExitUsage, kinds.status());
  if (arguments.rounds > 0) options.rounds = arguments.rounds;
  if (!arguments.baseline.empty()) options.baseline = arguments.baseline;
  for (const std::string& directory : {options.mount, options.baseline.value_or(options.mount)}) {
    if (const Status status = CheckUsable(directory); !status.ok()) return Fail(kExitSource, status);
  }
  RunResults results{.seed = options.seed, .threads = options.threads};
  Status status;
  for (const WorkloadKind* const kind : *kinds) {
    status = RunWorkload(options, *kind, stop, results);
    if (!status.ok()) break;
  }
  const std::string text = arguments.json  ? RunJson(results)
                           : arguments.csv ? RunCsv(results)
                                           : RunTable(results);
  const ExitCode code = Print(text, CodeFor(status));
  if (!status.ok() && !results.interrupted) Fail(code, status);
  return code;
}

}  // namespace

Command AddRunCommand(CLI::App& app) {
  const auto kept = std::make_shared<Arguments>();
  RunOptions& options = kept->options;
  CLI::App* const run =
      app.add_subcommand("run", "operations, latencies and hit ratios of workloads on real file systems");
  run->add_option("--mount", options.mount, "directory to measure; of an ocfsgw mount, or any other")
      ->option_text("DIR")
      ->required();
  run->add_option("--baseline", kept->baseline, "another one to compare with, in turn round by round")
      ->option_text("DIR");
  run->add_option("--workload", kept->workloads, "as below, or all; default all")->option_text("NAME,...");
  run->add_option("--seed", options.seed, "of what is made and asked for; default 0")->option_text("NUMBER");
  CLI::Option* const seconds =
      run->add_option("--seconds", options.seconds, "how long each workload runs, above 0; default 5")
          ->option_text("SECONDS")
          ->check(CLI::Range(0.001, 1e6));
  run->add_option("--rounds", kept->rounds, "how often, instead")
      ->option_text("NUMBER")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 40))
      ->excludes(seconds);
  run->add_option("--threads", options.threads, fmt::format("1 to {}; default 1", kThreadsMax))
      ->option_text("NUMBER")
      ->check(CLI::Range(1U, kThreadsMax));
  CLI::Option* const json = run->add_flag("--json", kept->json, "print JSON");
  run->add_flag("--csv", kept->csv, "print CSV")->excludes(json);
  run->add_flag("--keep", options.keep, "leave the trees, and say where");
  run->add_flag("--drop-caches", options.drop_caches,
                "before each round, empty the kernel's caches (of the whole machine; as root)");
  run->footer(Footer());
  return [kept](const std::atomic<bool>& stop) { return Run(*kept, stop); };
}

}  // namespace ocfsgw::bench
