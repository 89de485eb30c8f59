#include <pthread.h>
#include <signal.h>

#include <cstdio>

#include "base/exit_code.h"
#include "base/log.h"
#include "fusefs/gateway.h"
#include "fusefs/mount_options.h"
#include "fusefs/startup.h"

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

int Run(const ocfsgw::fusefs::MountOptions& options) {
  ocfsgw::fusefs::Startup startup(options.foreground);
  if (const Status status = log::Configure({.level = options.log_level, .file = {}, .syslog = false});
      !status.ok()) {
    return startup.Fail(ocfsgw::kExitUsage, status.ToString());
  }
  BlockTerminationSignals();
  ocfsgw::fusefs::Gateway gateway(options);
  const auto code_of = [](const Status& status, ExitCode otherwise) {
    return status.Is(StatusCode::kInvalidArgument) ? ocfsgw::kExitUsage : otherwise;
  };
  if (const Status status = gateway.OpenSource(); !status.ok()) {
    return startup.Fail(ocfsgw::kExitSource, status.ToString());
  }
  if (const Status status = gateway.OpenStore(); !status.ok()) {
    return startup.Fail(ocfsgw::kExitUsage, status.ToString());
  }
  if (const Status status = gateway.StartMetrics(); !status.ok()) {
    return startup.Fail(ocfsgw::kExitUsage, status.ToString());
  }
  if (const Status status = gateway.Mount(); !status.ok()) {
    return startup.Fail(code_of(status, ocfsgw::kExitMount), status.ToString());
  }
  gateway.StartControl();
  if (!options.foreground || !options.log_file.empty()) {
    const Status status =
        log::Configure({.level = options.log_level, .file = options.log_file, .syslog = !options.foreground});
    if (!status.ok()) return startup.Fail(ocfsgw::kExitUsage, status.ToString());
  }
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
  const auto command = ocfsgw::fusefs::ParseCommandLine(argc, argv);
  if (!command.ok()) {
    std::fprintf(stderr, "ocfsgw: %s\n", command.status().ToString().c_str());
    return ocfsgw::kExitUsage;
  }
  if (!command->text.empty()) {
    std::fputs(command->text.c_str(), stdout);
    return ocfsgw::kExitDone;
  }
  return Run(command->options);
}
