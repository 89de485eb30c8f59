// ocfsgw-injector: the admission webhook that gives pods their sidecars.
#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "base/exit_code.h"
#include "docker/injector/bootstrap.h"
#include "docker/injector/command_line.h"
#include "docker/injector/offline_review.h"
#include "docker/injector/serve.h"

namespace ocfsgw::injector {
namespace {

ExitCode Fail(ExitCode code, const Status& status) {
  fmt::print(stderr, "ocfsgw-injector: {}\n", status.ToString());
  return code;
}

ExitCode Main(int argc, char** argv) {
  auto line = ParseCommandLine(argc, argv);
  if (!line.ok()) return Fail(kExitUsage, line.status());
  if (!line->text.empty()) {
    fmt::print("{}", line->text);
    return std::fflush(stdout) == 0 ? kExitDone : kExitRuntime;
  }
  switch (line->command) {
    case Command::kServe:
      return Serve(*line);
    case Command::kBootstrap:
      return Bootstrap(line->bootstrap, line->service_account);
    case Command::kReview:
      line->config.native_sidecars = line->native != NativeSidecars::kNo;
      return ReviewFile(line->review, line->config);
  }
  return kExitUsage;
}

}  // namespace
}  // namespace ocfsgw::injector

int main(int argc, char** argv) {
  try {
    return ocfsgw::injector::Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ocfsgw-injector: %s\n", error.what());
    return ocfsgw::kExitRuntime;
  }
}
