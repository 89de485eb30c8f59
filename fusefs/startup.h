#pragma once

#include <string>

#include "base/exit_code.h"

namespace ocfsgw::fusefs {

/// Puts the gateway into the background such that the command returns when the mount serves, or with the exit
/// status and the message of what went wrong. Use before any thread exists.
class Startup {
 public:
  /// In the foreground does nothing. Otherwise forks: the child returns, the parent waits for its verdict and
  /// exits.
  explicit Startup(bool foreground);
  ~Startup();
  /// The mount serves: lets the waiting command return 0, leaves terminal and working directory.
  void Ready();
  /// One line to stderr; returns `code`, with which the caller is to exit (and the waiting command does).
  int Fail(ExitCode code, const std::string& message);

 private:
  int verdict_fd_ =
      -1;  ///< Where the parent reads one byte, the exit status; -1 when it is no longer waiting.
};

}  // namespace ocfsgw::fusefs
