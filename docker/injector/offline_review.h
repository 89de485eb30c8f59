#pragma once

#include <string>

#include "base/exit_code.h"
#include "docker/injector/command_line.h"

namespace ocfsgw::injector {

/// `ocfsgw-injector review`: prints to stdout what would be answered for the pod in options.file, or the
/// patched pod, and the reasons to stderr. kExitSource: the file cannot be used, or the pod is refused.
ExitCode ReviewFile(const ReviewOptions& options, const InjectorConfig& config);

}  // namespace ocfsgw::injector
