#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"

namespace ocfsgw::bench {

/// A program in the background, in a process group of its own, so that Ctrl-C reaches only its parent. It
/// gets SIGTERM when the thread that started it ends, however that happens. Thread-compatible.
class ChildProcess {
 public:
  /// Without input, its output in the file `log`. REQUIRES: `command[0]` has a slash. kSystem if there can be
  /// no process or no file; a program that cannot be run ends with 127.
  static Result<ChildProcess> Start(const std::vector<std::string>& command, const std::string& log);
  /// As Stop().
  ~ChildProcess();
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;

  /// Its exit status, 128 + signal if it was killed; nothing while it runs.
  std::optional<int> Ended();
  /// Waits for its end, at most so long.
  std::optional<int> Wait(std::chrono::milliseconds deadline);
  /// SIGTERM, and SIGKILL ten seconds later.
  void Stop();

 private:
  explicit ChildProcess(pid_t pid) : pid_(pid) {}

  pid_t pid_;  // 0 when moved from or waited for
  int exit_code_ = 0;
};

/// Where `program` is: beside this program or in PATH, as execvp(3) looks.
std::optional<std::string> FindProgram(const std::string& program);

}  // namespace ocfsgw::bench
