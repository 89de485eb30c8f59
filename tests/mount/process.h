#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace ocfsgw::mounttest {

using Milliseconds = std::chrono::milliseconds;

/// Longest wait for anything that should happen at once; long, since the machine may be busy with other
/// tests.
inline constexpr Milliseconds kSoon{20'000};

/// What a program left behind. `exit_code` is 128 + signal if it was killed, -1 if it did not end in time (it
/// was killed then) or could not be started.
struct Outcome {
  int exit_code = -1;
  std::string out;
  std::string err;
};
/// Runs a program found by PATH, without a shell and without input.
Outcome RunProgram(const std::vector<std::string>& command, Milliseconds deadline = kSoon);

/// True as soon as `condition` is; false when it has not become so within the deadline.
bool Eventually(const std::function<bool()>& condition, Milliseconds deadline = kSoon);

/// Waits for a child of this process; its exit status as in Outcome, or -1 if it still runs at the deadline.
int WaitForChild(pid_t pid, Milliseconds deadline = kSoon);

/// Runs `body` in a forked process and gives its result as exit status; dies with the test. The process has
/// one thread: what it may call is limited as after fork(2) in a program with several, so only system calls.
class Fork {
 public:
  explicit Fork(const std::function<int()>& body);
  /// Kills the process if it has not been waited for.
  ~Fork();
  Fork(const Fork&) = delete;
  Fork& operator=(const Fork&) = delete;
  int Wait(Milliseconds deadline = kSoon);
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

/// Processes whose command line contains `text` and whose program is called `name`.
std::vector<pid_t> FindProcesses(const std::string& name, const std::string& text);

inline constexpr const char* kGuardianName = "gw-guardian";

/// Where each thread of a process stands, by gdb; empty if there is none, or if it cannot stop the process in
/// time (not while a thread waits uninterruptibly).
std::string UserStacksOf(pid_t pid, Milliseconds deadline = kSoon);
/// The same, else as the kernel tells.
std::string StacksOf(pid_t pid);
/// Where each thread of a process waits, as the kernel tells.
std::string WaitsOf(pid_t pid);

}  // namespace ocfsgw::mounttest
