#pragma once

namespace ocfsgw {

/// Exit status of every program of the project. Documented in docs/OPERATIONS.md.
enum ExitCode : int {
  kExitDone = 0,
  kExitUsage = 1,      ///< Usage or configuration.
  kExitSource = 2,     ///< The source (for ocfsgwctl: the gateway) cannot be used.
  kExitMount = 3,      ///< Mounting failed.
  kExitRuntime = 4,    ///< Failed after it had started.
  kExitWrongData = 5,  ///< ocfsgw-bench: a file system showed something else than was written.
};

}  // namespace ocfsgw
