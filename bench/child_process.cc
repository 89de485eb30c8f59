#include "bench/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <thread>
#include <utility>

namespace ocfsgw::bench {
namespace {

constexpr std::chrono::milliseconds kPoll(5);
constexpr std::chrono::seconds kPatience(10);

}  // namespace

Result<ChildProcess> ChildProcess::Start(const std::vector<std::string>& command, const std::string& log) {
  std::vector<char*> argv;
  argv.reserve(command.size() + 1);
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null < 0) return Status::LastErrno("/dev/null");
  const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (out < 0) {
    close(null);
    return Status::LastErrno(log);
  }
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(127);  // it ended before
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    dup2(null, 0);
    dup2(out, 1);
    dup2(out, 2);
    execv(argv[0], argv.data());
    _exit(127);
  }
  const Status failed = pid < 0 ? Status::LastErrno("fork") : Status::Ok();
  close(null);
  close(out);
  if (!failed.ok()) return failed;
  return ChildProcess(pid);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), exit_code_(other.exit_code_) {}

ChildProcess::~ChildProcess() { Stop(); }

std::optional<int> ChildProcess::Ended() {
  int status = 0;
  if (pid_ != 0) {
    if (waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
    pid_ = 0;
    exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  return exit_code_;
}

std::optional<int> ChildProcess::Wait(std::chrono::milliseconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  for (;;) {
    const std::optional<int> ended = Ended();
    if (ended || std::chrono::steady_clock::now() >= end) return ended;
    std::this_thread::sleep_for(kPoll);
  }
}

void ChildProcess::Stop() {
  if (Ended()) return;
  kill(pid_, SIGTERM);
  if (Wait(kPatience)) return;
  kill(pid_, SIGKILL);
  Wait(kPatience);
}

std::optional<std::string> FindProgram(const std::string& program) {
  std::error_code ignored;
  const std::filesystem::path own = std::filesystem::read_symlink("/proc/self/exe", ignored);
  std::vector<std::string> directories = {own.parent_path()};
  const char* const path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): nobody calls setenv
  std::istringstream stream(path == nullptr ? "" : path);
  for (std::string directory; std::getline(stream, directory, ':');) directories.push_back(directory);
  for (const std::string& directory : directories) {
    const std::string candidate = (directory.empty() ? "." : directory) + "/" + program;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return std::nullopt;
}

}  // namespace ocfsgw::bench
