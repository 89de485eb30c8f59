#include "tests/cluster/lab.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <vector>

namespace ocfsgw::cluster {
namespace {

// scripts/cluster with these arguments; its output and errors together.
Outcome Run(std::vector<std::string> args) {
  args.insert(args.begin(), OCFSGW_SOURCE_DIR "/scripts/cluster");
  std::vector<char*> argv;
  for (auto& arg : args) {
    argv.push_back(arg.data());
  }
  argv.push_back(nullptr);

  std::array<int, 2> pipe_fds;
  if (pipe2(pipe_fds.data(), O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "pipe2");
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDERR_FILENO);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(pipe_fds[1]);
  if (error != 0) {
    close(pipe_fds[0]);
    throw std::system_error(error, std::generic_category(), args[0]);
  }

  Outcome outcome;
  std::array<char, 65536> buffer;
  ssize_t n = 0;
  while ((n = read(pipe_fds[0], buffer.data(), buffer.size())) > 0 || (n < 0 && errno == EINTR)) {
    outcome.output.append(buffer.data(), n > 0 ? static_cast<size_t>(n) : 0);
  }
  close(pipe_fds[0]);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

}  // namespace

Outcome Lab::Up(int nodes) const { return Run({"up", std::to_string(nodes)}); }

Outcome Lab::On(int node, const std::string& command, std::chrono::seconds patience) const {
  return Run({"on", std::to_string(node), "-t", std::to_string(patience.count()), command});
}

Outcome Lab::Kill(int node) const { return Run({"kill", std::to_string(node)}); }

Outcome Lab::Boot(int node) const { return Run({"boot", std::to_string(node)}); }

Outcome Lab::DropCaches(int node) const { return Run({"drop-caches", std::to_string(node)}); }

Outcome Lab::Cut(int node) const { return Run({"cut", std::to_string(node)}); }

bool Lab::Alive(int node) const {
  return Run({"status"}).output.find("node " + std::to_string(node) + ": up") != std::string::npos;
}

std::string Lab::Console(int node) const {
  const char* const lab = std::getenv("OCFSGW_LAB");
  const std::string path =
      std::string(lab == nullptr ? "/tmp/ocfsgw-lab" : lab) + "/node" + std::to_string(node) + "/console";
  std::ifstream file(path);
  if (!file) {
    throw std::runtime_error("cannot read " + path);
  }
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

uint64_t Lab::Messages(int node, const std::string& command) const {
  const Outcome outcome = Run({"messages", std::to_string(node), command});
  const size_t at = outcome.output.rfind("messages ");
  if (!outcome.ok() || at == std::string::npos) {
    throw std::runtime_error("messages: " + outcome.output);
  }
  return std::stoull(outcome.output.substr(at + 9));
}

DiskReads Lab::Reads(int node) const {
  const Outcome outcome = Run({"disk-reads", std::to_string(node)});
  DiskReads reads;
  std::istringstream line(outcome.output);
  if (!outcome.ok() || !(line >> reads.sectors >> reads.requests)) {
    throw std::runtime_error("disk-reads: " + outcome.output);
  }
  return reads;
}

}  // namespace ocfsgw::cluster
