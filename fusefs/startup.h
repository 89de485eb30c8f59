#pragma once

#include <string>

#include "base/exit_code.h"

namespace ocfsgw::fusefs {

/// Puts the gateway into the background such that the command returns when the mount serves, or with the exit
/// status and the message of what went wrong. Use before any thread exists.
class Startup {
 public:
  /// In the foreground does nothing. Otherwise forks: the child returns in the root directory, the parent
  /// waits for its verdict and exits.
  explicit Startup(bool foreground);
  ~Startup();
  /// The mount serves: lets the waiting command return 0, leaves the terminal.
  void Ready();
  /// One line to stderr; returns `code`, with which the caller is to exit (and the waiting command does).
  int Fail(ExitCode code, const std::string& message);
  /// Where the verdict goes; -1 when nobody waits for one.
  int verdict_fd() const { return verdict_fd_; }
  /// Leaves the verdict to a child that shares the descriptors.
  void HandOver() { verdict_fd_ = -1; }

 private:
  int verdict_fd_ =
      -1;  ///< Where the parent reads one byte, the exit status; -1 when it is no longer waiting.
};

}  // namespace ocfsgw::fusefs
