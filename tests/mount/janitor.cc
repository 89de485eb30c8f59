#include "tests/mount/janitor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "tests/mount/process.h"

namespace ocfsgw::mounttest {
namespace {

[[noreturn]] void Work(int pipe, const std::string& mountpoint, const std::string& directory) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(signal, SIG_IGN);
  char byte = 0;
  if (read(pipe, &byte, 1) == 1) _exit(0);
  for (const char* name : {kGuardianName, "ocfsgw"}) {  // in this order: it would start the gateway again
    for (const pid_t pid : FindProcesses(name, mountpoint)) kill(pid, SIGKILL);
  }
  // By force: a thread that waits for a page cannot die, and keeps the connection alive.
  while (umount2(mountpoint.c_str(), MNT_FORCE | MNT_DETACH) == 0) {
  }
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
  _exit(0);
}

}  // namespace

Janitor::Janitor(const std::string& mountpoint, const std::string& directory) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return;
  pid_ = fork();
  if (pid_ == 0) {
    close(fds[1]);
    setsid();
    Work(fds[0], mountpoint, directory);
  }
  close(fds[0]);
  pipe_ = fds[1];
}

Janitor::~Janitor() {
  if (pipe_ < 0) return;
  const char byte = 0;
  if (write(pipe_, &byte, 1) == 1) waitpid(pid_, nullptr, 0);
  close(pipe_);
}

}  // namespace ocfsgw::mounttest
