#include "fusefs/startup.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace ocfsgw::fusefs {
namespace {

[[noreturn]] void WaitForVerdict(int fd, pid_t child) {
  uint8_t code = 0;
  if (read(fd, &code, 1) == 1) _exit(code);
  // It died without a verdict.
  int status = 0;
  waitpid(child, &status, 0);
  std::fprintf(stderr, "ocfsgw: the gateway died while starting%s\n",
               WIFSIGNALED(status) ? " (by a signal)" : "");
  _exit(WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : kExitRuntime);
}

}  // namespace

Startup::Startup(bool foreground) {
  if (foreground) return;
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) {
    std::perror("ocfsgw: pipe");
    _exit(kExitRuntime);
  }
  const pid_t child = fork();
  if (child < 0) {
    std::perror("ocfsgw: fork");
    _exit(kExitRuntime);
  }
  if (child > 0) {
    close(fds[1]);
    WaitForVerdict(fds[0], child);
  }
  close(fds[0]);
  verdict_fd_ = fds[1];
  setsid();
  if (chdir("/") != 0) std::abort();
}

Startup::~Startup() {
  if (verdict_fd_ >= 0) close(verdict_fd_);
}

void Startup::Ready() {
  if (verdict_fd_ < 0) return;
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; null >= 0 && fd <= 2; ++fd) {
    dup2(null, fd);
  }
  if (null > 2) close(null);
  const uint8_t code = kExitDone;
  if (write(verdict_fd_, &code, 1) != 1) std::perror("ocfsgw: telling the waiting command");
  close(verdict_fd_);
  verdict_fd_ = -1;
}

int Startup::Fail(ExitCode code, const std::string& message) {
  std::fprintf(stderr, "ocfsgw: %s\n", message.c_str());
  if (verdict_fd_ >= 0) {
    const auto byte = static_cast<uint8_t>(code);
    if (write(verdict_fd_, &byte, 1) != 1) std::perror("ocfsgw: telling the waiting command");
    close(verdict_fd_);
    verdict_fd_ = -1;
  }
  return code;
}

}  // namespace ocfsgw::fusefs
