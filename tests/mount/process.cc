#include "tests/mount/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace ocfsgw::mounttest {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kPollMs = 2;

int ExitCodeOf(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

std::string Contents(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

/// Reads both pipes to their ends; false at the deadline.
bool Drain(std::array<pollfd, 2> pipes, std::array<std::string*, 2> into, Clock::time_point deadline) {
  while (pipes[0].fd >= 0 || pipes[1].fd >= 0) {
    const auto left = std::chrono::duration_cast<Milliseconds>(deadline - Clock::now()).count();
    if (left <= 0 || poll(pipes.data(), pipes.size(), static_cast<int>(left)) == 0) return false;
    for (size_t i = 0; i < pipes.size(); ++i) {
      if (pipes[i].fd < 0 || pipes[i].revents == 0) continue;
      std::array<char, 65536> buffer;
      const ssize_t got = read(pipes[i].fd, buffer.data(), buffer.size());
      if (got > 0) {
        into[i]->append(buffer.data(), static_cast<size_t>(got));
      } else {
        pipes[i].fd = -1;
      }
    }
  }
  return true;
}

}  // namespace

Outcome RunProgram(const std::vector<std::string>& command, Milliseconds deadline) {
  const auto end = Clock::now() + deadline;
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  Outcome outcome;
  int out[2];
  int err[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) return outcome;
  const pid_t pid = fork();
  if (pid == 0) {
    const int null = open("/dev/null", O_RDONLY);
    dup2(null, 0);
    dup2(out[1], 1);
    dup2(err[1], 2);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  close(out[1]);
  close(err[1]);
  if (pid > 0) {
    const bool drained =
        Drain({pollfd{out[0], POLLIN, 0}, pollfd{err[0], POLLIN, 0}}, {&outcome.out, &outcome.err}, end);
    const auto left = std::chrono::duration_cast<Milliseconds>(end - Clock::now());
    outcome.exit_code = drained ? WaitForChild(pid, left) : -1;
    if (outcome.exit_code == -1) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
  }
  close(out[0]);
  close(err[0]);
  return outcome;
}

bool Eventually(const std::function<bool()>& condition, Milliseconds deadline) {
  const auto end = Clock::now() + deadline;
  while (!condition()) {
    if (Clock::now() >= end) return false;
    poll(nullptr, 0, kPollMs);
  }
  return true;
}

int WaitForChild(pid_t pid, Milliseconds deadline) {
  int code = -1;
  Eventually(
      [&] {
        int status = 0;
        const pid_t got = waitpid(pid, &status, WNOHANG);
        if (got == pid) code = ExitCodeOf(status);
        return got != 0;
      },
      deadline);
  return code;
}

Fork::Fork(const std::function<int()>& body) : pid_(fork()) {
  if (pid_ != 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  _exit(body());
}

Fork::~Fork() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

int Fork::Wait(Milliseconds deadline) {
  const int code = WaitForChild(pid_, deadline);
  if (code != -1) pid_ = -1;
  return code;
}

std::vector<pid_t> FindProcesses(const std::string& name, const std::string& text) {
  std::vector<pid_t> found;
  std::error_code error;
  for (std::filesystem::directory_iterator it("/proc", error), end; !error && it != end;
       it.increment(error)) {
    const pid_t pid = std::atoi(it->path().filename().c_str());
    if (pid <= 0 || Contents(it->path() / "comm") != name + "\n") continue;
    if (Contents(it->path() / "cmdline").find(text) != std::string::npos) found.push_back(pid);
  }
  return found;
}

std::string UserStacksOf(pid_t pid, Milliseconds deadline) {
  const Outcome gdb = RunProgram(
      {"gdb", "-nx", "-p", std::to_string(pid), "-batch", "-ex", "thread apply all bt 12"}, deadline);
  kill(pid, SIGCONT);  // a gdb that took too long was killed and has left it stopped
  return gdb.exit_code == 0 && gdb.out.find("Thread") != std::string::npos ? gdb.out : "";
}

std::string StacksOf(pid_t pid) {
  const std::string user = UserStacksOf(pid);
  return user.empty() ? WaitsOf(pid) : user;
}

std::string WaitsOf(pid_t pid) {
  std::string text;
  std::error_code error;
  const std::filesystem::path tasks = "/proc/" + std::to_string(pid) + "/task";
  for (std::filesystem::directory_iterator it(tasks, error), end; !error && it != end; it.increment(error)) {
    text += "thread " + it->path().filename().string() + " " + Contents(it->path() / "comm") + "wchan " +
            Contents(it->path() / "wchan") + "\nsyscall " + Contents(it->path() / "syscall") +
            Contents(it->path() / "stack") + "\n";
  }
  return text;
}

}  // namespace ocfsgw::mounttest
