#pragma once

#include "base/exit_code.h"
#include "docker/injector/command_line.h"

namespace ocfsgw::injector {

/// `ocfsgw-injector serve`: until SIGTERM. Says on stderr why it ends otherwise.
ExitCode Serve(const CommandLine& line);

}  // namespace ocfsgw::injector
