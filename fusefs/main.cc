#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>

#include "base/exit_code.h"
#include "base/log.h"
#include "fusefs/dead_mount.h"
#include "fusefs/descriptor_limit.h"
#include "fusefs/gateway.h"
#include "fusefs/guardian.h"
#include "fusefs/mount_options.h"
#include "fusefs/startup.h"
#include "fusefs/stop_budget.h"

namespace {

using ocfsgw::ExitCode;
using ocfsgw::Status;
using ocfsgw::StatusCode;
namespace log = ocfsgw::log;

/// In all threads to come: Session::Serve waits for these signals by itself.
void BlockTerminationSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

/// A gateway from beginning to end. `shared`: with its guardian, or null.
int Run(const ocfsgw::fusefs::MountOptions& options, ocfsgw::fusefs::Startup& startup,
        ocfsgw::fusefs::SharedState* shared) {
  const bool restart = shared != nullptr && shared->restarts > 0;
  const auto fail = [&](ExitCode code, const Status& status) -> int {
    if (!restart) return startup.Fail(code, status.ToString());
    log::Error("{}", status.ToString());
    return code;
  };
  const auto log_as = [&options](bool attended) {
    return log::Configure({.level = options.log_level,
                           .file = attended ? "" : options.log_file,
                           .syslog = !attended && !options.foreground});
  };
  if (const Status status = log_as(!restart); !status.ok()) return fail(ocfsgw::kExitUsage, status);
  BlockTerminationSignals();
  ocfsgw::fusefs::Gateway gateway(options, shared);
  const auto code_of = [](const Status& status, ExitCode otherwise) {
    return status.Is(StatusCode::kInvalidArgument) ? ocfsgw::kExitUsage : otherwise;
  };
  if (const Status status = gateway.OpenSource(); !status.ok()) return fail(ocfsgw::kExitSource, status);
  if (const Status status = gateway.OpenStore(); !status.ok()) return fail(ocfsgw::kExitUsage, status);
  if (const Status status = gateway.StartMetrics(); !status.ok()) return fail(ocfsgw::kExitUsage, status);
  if (const Status status = gateway.Mount(); !status.ok()) {
    return fail(code_of(status, ocfsgw::kExitMount), status);
  }
  gateway.StartControl();
  if (const Status status = log_as(false); !status.ok()) return fail(ocfsgw::kExitUsage, status);
  gateway.StartPulse();
  startup.Ready();
  const Status status = gateway.Serve();
  if (!status.ok()) {
    log::Error("{}", status.ToString());
    return ocfsgw::kExitRuntime;
  }
  return ocfsgw::kExitDone;
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGHUP, SIG_IGN);  // a gateway has no terminal to lose; libfuse leaves what is not SIG_DFL alone
  auto command = ocfsgw::fusefs::ParseCommandLine(argc, argv);
  if (!command.ok()) {
    std::fprintf(stderr, "ocfsgw: %s\n", command.status().ToString().c_str());
    return ocfsgw::kExitUsage;
  }
  if (!command->text.empty()) {
    std::fputs(command->text.c_str(), stdout);
    return ocfsgw::kExitDone;
  }
  ocfsgw::fusefs::MountOptions& options = command->options;
  if (getpid() == 1) {  // of a container, which ends when this process does
    options.foreground = true;
    if (!options.grace) options.grace = ocfsgw::fusefs::StopBudget::kContainerDefault;
  }
  ocfsgw::fusefs::Startup startup(options.foreground);
  // Also for the guardian: its descriptors are the gateway's many.
  if (const Status enough = ocfsgw::fusefs::RaiseDescriptorLimit(); !enough.ok()) {
    return startup.Fail(ocfsgw::kExitUsage, enough.ToString());
  }
  if (!options.guardian) {
    ocfsgw::fusefs::RemoveDeadMounts(options.mountpoint);
    return Run(options, startup, nullptr);
  }
  ocfsgw::fusefs::ProcessTitle title(argc, argv);
  ocfsgw::fusefs::Guardian guardian(options, title, startup);
  return guardian.Run([&](ocfsgw::fusefs::SharedState& shared) { return Run(options, startup, &shared); });
}
