// ocfsgw-bench: measures file systems, and replays traces against the eviction policies.
#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <sstream>

#include "bench/commands.h"

namespace ocfsgw::bench {
namespace {

constexpr const char* kFooter = "Each COMMAND --help lists its options and exit statuses.";

std::atomic<bool> g_stop{false};  // set by the signal handler; lock-free

void Interrupt(int signal_number) {
  g_stop = true;
  signal(signal_number, SIG_DFL);  // a second one ends the program at once
}

int Main(int argc, char** argv) {
  CLI::App app("Measures file systems with workloads, and replays traces against eviction policies.",
               "ocfsgw-bench");
  app.set_version_flag("-V,--version", "ocfsgw-bench " OCFSGW_VERSION);
  app.footer(kFooter);
  app.require_subcommand(1);
  const std::pair<std::string, Command> commands[] = {
      {"replay", AddReplayCommand(app)},
      {"run", AddRunCommand(app)},
      {"import-strace", AddImportStraceCommand(app)},
      {"record", AddRecordCommand(app)},
      {"compare", AddCompareCommand(app)},
      {"locks", AddLocksCommand(app, TakeLocksCommand(argc, argv))}};
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help, --version
      app.exit(error);
      return kExitDone;
    }
    return Fail(kExitUsage, Invalid(fmt::format("{} (ocfsgw-bench --help shows how)", error.what())));
  }
  signal(SIGINT, Interrupt);
  signal(SIGTERM, Interrupt);
  for (const auto& [name, command] : commands) {
    if (app.got_subcommand(name)) return command(g_stop);
  }
  return kExitUsage;
}

}  // namespace

ExitCode Fail(ExitCode code, const Status& status) {
  fmt::print(stderr, "ocfsgw-bench: {}\n", status.ToString());
  return code;
}

Status Invalid(std::string message) { return {StatusCode::kInvalidArgument, std::move(message)}; }

ExitCode Print(const std::string& text, ExitCode code) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    return Fail(kExitRuntime, Status::LastErrno("standard output"));
  }
  return code;
}

std::vector<std::string> CommaSeparated(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream stream(text + ",");
  for (std::string part; std::getline(stream, part, ',');) parts.push_back(part);
  return parts;
}

}  // namespace ocfsgw::bench

int main(int argc, char** argv) {
  try {
    return ocfsgw::bench::Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ocfsgw-bench: %s\n", error.what());
    return ocfsgw::kExitRuntime;
  }
}
