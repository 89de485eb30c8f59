// ocfsgw-bench compare.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "bench/commands.h"
#include "bench/compare_chart.h"
#include "bench/compare_report.h"
#include "bench/run.h"

namespace ocfsgw::bench {
namespace {

constexpr const char* kDefaultWorkloads =
    "stat,open-read-close,wordpress,sequential-read,mmap-read,direct-read,sequential-write,random-write-"
    "fsync";

constexpr uint64_t kLargeMib = 256;

struct Arguments {
  CompareOptions options{.work = "/var/tmp"};
  std::string contenders, workloads = kDefaultWorkloads;
  uint64_t large_mib = kLargeMib;
  bool json = false;
  bool csv = false;
  std::string json_file, svg, markdown;
};

std::string Names() {
  std::vector<std::string_view> names;
  for (const Contender& contender : Contenders()) names.push_back(contender.name);
  return fmt::format("{}", fmt::join(names, ","));
}

std::string Footer() {
  std::string out = "Contenders:\n";
  for (const Contender& contender : Contenders()) {
    out += fmt::format("  {:<9} {}\n", contender.name,
                       contender.program.empty() ? "the directory itself"
                                                 : CommandText(contender, StoreMib(kLargeMib << 20)));
  }
  return out +
         "Workloads: as of ocfsgw-bench run.\n"
         "Exit status: 0 done, also when a contender was skipped, 1 usage, 2 a directory cannot be used, 4 "
         "interrupted\n(what was measured is printed), not root, a system call failed, or the results cannot "
         "be "
         "written, 5 a file system\nshowed something wrong: other bytes, sizes or names than were written.";
}

Status Choose(Arguments& arguments) {
  for (const std::string& name : CommaSeparated(arguments.workloads)) {
    const WorkloadKind* const kind = FindWorkload(name);
    if (kind == nullptr) return Invalid(fmt::format("no workload is called '{}'", name));
    arguments.options.workloads.push_back(kind);
  }
  for (const std::string& name : CommaSeparated(arguments.contenders)) {
    const Contender* const contender = FindContender(name);
    if (contender == nullptr)
      return Invalid(fmt::format("no contender is called '{}'; {} are", name, Names()));
    arguments.options.contenders.push_back(contender);
  }
  if (arguments.options.contenders.front()->program.empty()) return Status::Ok();
  return Invalid("--fs begins with bare, which the others are compared with");
}

Status WriteFile(const std::string& path, const std::string& text) {
  if (path.empty()) return Status::Ok();
  std::ofstream file(path, std::ios::trunc);
  file << text << std::flush;
  return file ? Status::Ok() : Status::LastErrno(path);
}

/// How this program was called.
std::string CommandLine() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::string line = "ocfsgw-bench", word;
  std::getline(file, word, '\0');
  while (std::getline(file, word, '\0')) line += " " + word;
  return line;
}

/// Where the chart is, from the Markdown file.
std::string ChartFrom(const std::string& markdown, const std::string& svg) {
  namespace fs = std::filesystem;
  return svg.empty() ? svg
                     : fs::absolute(svg).lexically_relative(fs::absolute(markdown).parent_path()).string();
}

Status WriteFiles(const Arguments& arguments, const CompareSetting& setting, const CompareResults& results) {
  OCFSGW_RETURN_IF_ERROR(WriteFile(arguments.json_file, CompareJson(setting, results)));
  OCFSGW_RETURN_IF_ERROR(WriteFile(arguments.svg, CompareChart(results)));
  return WriteFile(arguments.markdown,
                   CompareMarkdown(setting, results, ChartFrom(arguments.markdown, arguments.svg)));
}

ExitCode CodeFor(const Status& status, const CompareResults& results) {
  if (results.wrong_data || status.Is(StatusCode::kCorrupt)) return kExitWrongData;
  return status.ok() ? kExitDone : kExitRuntime;
}

ExitCode Run(Arguments& arguments, const std::atomic<bool>& stop) {
  CompareOptions& options = arguments.options;
  if (const Status status = Choose(arguments); !status.ok()) return Fail(kExitUsage, status);
  if (geteuid() != 0) return Fail(kExitRuntime, Invalid("only root may mount and empty the kernel's caches"));
  if (options.source.empty()) options.source = options.work;
  options.parameters.large_bytes = arguments.large_mib << 20;
  for (std::string* const directory : {&options.source, &options.work}) {
    if (const Status status = CheckUsable(*directory); !status.ok()) return Fail(kExitSource, status);
    *directory = std::filesystem::canonical(*directory);
  }
  CompareSetting setting{.machine = ThisMachine(),
                         .source_type = FileSystemOf(options.source),
                         .work_type = FileSystemOf(options.work),
                         .command = CommandLine(),
                         .rounds = options.rounds,
                         .parameters = options.parameters};
  CompareResults results;
  const Status status = Compare(options, stop, results);
  setting.load_at_end = ThisMachine().load;
  const ExitCode code = Print(arguments.json  ? CompareJson(setting, results)
                              : arguments.csv ? CompareCsv(results)
                                              : CompareTable(results),
                              CodeFor(status, results));
  if (!status.ok() && !results.interrupted) Fail(code, status);
  if (const Status written = WriteFiles(arguments, setting, results); !written.ok()) {
    return Fail(kExitRuntime, written);
  }
  return code;
}

}  // namespace

Command AddCompareCommand(CLI::App& app) {
  const auto kept = std::make_shared<Arguments>();
  kept->contenders = Names();
  CompareOptions& options = kept->options;
  CLI::App* const compare = app.add_subcommand(
      "compare", "workloads on ocfsgw beside the bare directory and other file systems, cold, warm and hot");
  compare->add_option("--source", options.source, "directory to make trees in; default that of --work")
      ->option_text("DIR");
  compare->add_option("--work", options.work, "directory for mount points and stores; default /var/tmp")
      ->option_text("DIR");
  compare->add_option("--fs", kept->contenders, "as below; bare is the first; default all")
      ->option_text("NAME,...");
  compare->add_option("--workload", kept->workloads, fmt::format("default {}", kDefaultWorkloads))
      ->option_text("NAME,...");
  compare->add_option("--rounds", options.rounds, "1 to 1000; default 5")
      ->option_text("NUMBER")
      ->check(CLI::Range(1U, 1000U));
  compare->add_option("--seed", options.parameters.seed, "of what is made and asked for; default 0")
      ->option_text("NUMBER");
  compare
      ->add_option("--files", options.parameters.files,
                   "of stat and open-read-close, 1 to 100000; default 2000")
      ->option_text("NUMBER")
      ->check(CLI::Range(1U, 100'000U));
  compare
      ->add_option("--large", kept->large_mib,
                   "MiB of a large file, a multiple of 4, up to 65536; default 256")
      ->option_text("MIB")
      ->check(CLI::Range(4U, 65536U))
      ->check([](const std::string& text) {
        return std::stoull(text) % (kLargeStep >> 20) == 0 ? std::string() : "not a multiple of 4: " + text;
      });
  CLI::Option* const json = compare->add_flag("--json", kept->json, "print JSON");
  compare->add_flag("--csv", kept->csv, "print CSV")->excludes(json);
  compare->add_option("--json-file", kept->json_file, "write JSON to a file as well")->option_text("FILE");
  compare->add_option("--svg", kept->svg, "write a chart of the ratios")->option_text("FILE");
  compare->add_option("--markdown", kept->markdown, "write a report")->option_text("FILE");
  compare->footer(Footer());
  return [kept](const std::atomic<bool>& stop) { return Run(*kept, stop); };
}

}  // namespace ocfsgw::bench
