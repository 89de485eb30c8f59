// ocfsgw-bench locks.
#include <algorithm>
#include <memory>
#include <string_view>

#include "bench/commands.h"
#include "bench/lock_cost.h"

namespace ocfsgw::bench {
namespace {

constexpr const char* kFooter =
    "Usage: ocfsgw-bench locks --interface NAME [OPTIONS] -- COMMAND ARGUMENT...\n"
    "Counts the requests that OCFS2's lock manager (o2dlm) on this node sends to and receives from the other "
    "nodes,\nof all volumes, whoever causes them; answers and keep-alives are not counted. The report "
    "follows "
    "what COMMAND\nprints. scripts/locks compares a gateway with plain OCFS2 by it.\n"
    "Exit status: that of COMMAND (128 + the signal that ended it); without one 0. 1 usage; 2 no such "
    "interface or\ndisk, no right to capture (CAP_NET_RAW), COMMAND cannot be started; 4 packets were lost "
    "(what was counted is\nprinted), or the results cannot be written.";

struct Arguments {
  LockCostOptions options;
  uint64_t operations = 0;
  bool json = false;
};

ExitCode Locks(const Arguments& arguments, const std::atomic<bool>& stop) {
  const auto cost = MeasureLockCost(arguments.options, stop);
  if (!cost.ok()) return Fail(kExitSource, cost.status());
  const ExitCode code = Print(
      arguments.json ? LockCostJson(*cost, arguments.operations) : LockCostText(*cost, arguments.operations),
      ExitCode{cost->exit_status});
  if (cost->incomplete == 0) return code;
  return Fail(kExitRuntime,
              {StatusCode::kUnavailable, "packets were lost: messages are missing in the counts"});
}

}  // namespace

std::vector<std::string> TakeLocksCommand(int& argc, char** argv) {
  if (argc < 2 || std::string_view(argv[1]) != "locks") return {};
  char** const end = argv + argc;
  char** const mark = std::find(argv, end, std::string_view("--"));
  if (mark == end) return {};
  argc = static_cast<int>(mark - argv);
  return {mark + 1, end};
}

Command AddLocksCommand(CLI::App& app, std::vector<std::string> command) {
  const auto kept = std::make_shared<Arguments>();
  kept->options.command = std::move(command);
  LockCostOptions& options = kept->options;
  CLI::App* const locks = app.add_subcommand(
      "locks", "messages of OCFS2's lock manager, and reads of the shared disk, while a command runs");
  locks->add_option("--interface", options.interface, "of the cluster's interconnect")
      ->option_text("NAME")
      ->required();
  locks->add_option("--port", options.port, "of o2net on all nodes (ip_port of cluster.conf); default 7777")
      ->option_text("PORT")
      ->check(CLI::Range(1, 65535));
  locks->add_option("--disk", options.disk, "count reads of this block device, too, as sdb or dm-3")
      ->option_text("DEVICE");
  locks
      ->add_option("--operations", kept->operations,
                   "what COMMAND does so many times: also print costs of one")
      ->option_text("NUMBER");
  locks->add_flag("--json", kept->json, "one line of JSON");
  locks->add_option("--seconds", options.seconds, "without COMMAND: how long; default: until Ctrl-C")
      ->option_text("SECONDS")
      ->check(CLI::Range(0.001, 1e6));
  locks->footer(kFooter);
  return [kept](const std::atomic<bool>& stop) { return Locks(*kept, stop); };
}

}  // namespace ocfsgw::bench
