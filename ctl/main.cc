// ocfsgwctl: looks into a running gateway through its control socket.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/exit_code.h"
#include "ctl/control_client.h"
#include "ctl/mount_registry.h"
#include "ctl/seal_command.h"
#include "ctl/status_text.h"

namespace ocfsgw::ctl {
namespace {

constexpr const char* kFooter =
    "Exit status: 0 done, 1 usage (also: several mounts and no --mount), 2 no such mount, or its gateway "
    "does not answer,\n"
    "4 the gateway could not do it.";

ExitCode Fail(ExitCode code, const Status& status) {
  fmt::print(stderr, "ocfsgwctl: {}\n", status.ToString());
  return code;
}

ExitCode Print(std::string_view text) {
  fmt::print("{}", text);
  return std::fflush(stdout) == 0 ? kExitDone : kExitRuntime;
}

ExitCode Run(const std::string& mountpoint, const std::string& command, bool as_json,
             std::chrono::seconds timeout) {
  const auto mount = FindMount(mountpoint);
  if (!mount.ok()) {
    return Fail(mount.status().Is(StatusCode::kNotFound) ? kExitSource : kExitUsage, mount.status());
  }
  const auto result = CallGateway(mount->socket, {{"cmd", command}}, timeout);
  if (!result.ok()) {
    return Fail(result.status().Is(StatusCode::kUnavailable) ? kExitSource : kExitRuntime, result.status());
  }
  if (as_json) {
    return Print(result->dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  if (command == "status") {
    return Print(FormatStatus(*result));
  }
  return command == "stats" ? Print(FormatMetrics(*result)) : kExitDone;
}

int Main(int argc, char** argv) {
  CLI::App app("Looks into a running ocfsgw gateway.", "ocfsgwctl");
  std::string mountpoint;
  bool as_json = false;
  unsigned timeout_s = 30;
  app.add_option("--mount", mountpoint, "mount point; may be left out if there is one mount on this machine")
      ->type_name("MOUNTPOINT");
  app.add_flag("--json", as_json, "print the gateway's answer as JSON");
  app.add_option("--timeout", timeout_s, "longest time to wait for the answer, 1 to 3600; default 30")
      ->option_text("SECONDS")
      ->check(CLI::Range(1, 3600));
  app.set_version_flag("-V,--version", "ocfsgwctl " OCFSGW_VERSION);
  app.footer(kFooter);
  app.require_subcommand(1);
  app.fallthrough();  // options may follow the command
  app.add_subcommand("status", "what is mounted, hits and misses, leases, backend operations, page store");
  app.add_subcommand("stats", "all metrics, one per line");
  app.add_subcommand("barrier",
                     "return when all changes made to the source before the call have been noticed");
  std::string tree;
  for (const auto& [name, what] :
       {std::pair("seal", "make a tree immutable, so that one lease stands for it"),
        std::pair("unseal", "undo that")}) {
    app.add_subcommand(name, what)
        ->add_option("PATH", tree, "directory in the mount, which need not be named then")
        ->required();
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help, --version
      app.exit(error);
      return kExitDone;
    }
    return Fail(kExitUsage,
                {StatusCode::kInvalidArgument, fmt::format("{} (ocfsgwctl --help shows how)", error.what())});
  }
  const std::string command = app.get_subcommands().front()->get_name();
  const std::chrono::seconds timeout(timeout_s);
  if (tree.empty()) return Run(mountpoint, command, as_json, timeout);
  const auto result = SealTree(command, mountpoint, tree, timeout);
  if (!result.ok()) {
    const bool usage = result.status().Is(StatusCode::kInvalidArgument);
    const bool gone =
        result.status().Is(StatusCode::kUnavailable) || result.status().Is(StatusCode::kNotFound);
    return Fail(usage ? kExitUsage : gone ? kExitSource : kExitRuntime, result.status());
  }
  return Print(as_json ? result->dump(2) + "\n" : SealText(command, tree, *result));
}

}  // namespace
}  // namespace ocfsgw::ctl

int main(int argc, char** argv) {
  try {
    return ocfsgw::ctl::Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ocfsgwctl: %s\n", error.what());
    return ocfsgw::kExitRuntime;
  }
}
