#include "tests/posix/storms/crew.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <new>

namespace ocfsgw::storms {
namespace {

namespace fs = std::filesystem;

Shared* MakeShared(int processes) {
  void* const at = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) std::abort();
  auto* const shared = new (at) Shared{};
  pthread_barrierattr_t attributes;
  pthread_barrierattr_init(&attributes);
  pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_barrier_init(&shared->barrier, &attributes, static_cast<unsigned>(processes));
  return shared;
}

pid_t Start(const Scene& scene, Shared& shared, const std::string& name, int id,
            const std::function<void(Member&)>& body) {
  const pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const std::string& way = scene.ways[static_cast<size_t>(id) % scene.ways.size()];
  Member member(scene, shared, way + "/" + name, id);
  body(member);
  std::fflush(stdout);
  _exit(0);
}

}  // namespace

Member::Member(const Scene& scene, Shared& shared, const std::string& top, int id)
    : shared_(shared), top_(top), id_(id), random_(scene.seed * 1000 + static_cast<uint64_t>(id)) {}

void Member::Fail(const std::string& what) const {
  std::printf("WRONG: process %d in %s: %s\n", id_, top_.c_str(), what.c_str());
  std::fflush(stdout);
  _exit(1);
}

void Member::Must(bool good, const std::string& what) const {
  if (!good) Fail(what + ": " + std::strerror(errno));
}

bool Run(const Scene& scene, const std::string& name, const std::function<void(Member&)>& body) {
  fs::create_directory(scene.ways[0] + "/" + name);
  Settle(scene);
  Shared* const shared = MakeShared(scene.processes);
  std::fflush(stdout);
  std::vector<pid_t> pids;
  for (int id = 0; id < scene.processes; ++id) pids.push_back(Start(scene, *shared, name, id, body));
  bool good = true;
  for (size_t left = pids.size(); left > 0; --left) {
    int status = 0;
    const pid_t ended = wait(&status);
    std::erase(pids, ended);
    if (status == 0) continue;
    if (good && WIFSIGNALED(status))
      std::printf("WRONG: a process was ended by signal %d\n", WTERMSIG(status));
    good = false;
    for (const pid_t pid : pids) kill(pid, SIGKILL);  // they may wait for it
  }
  munmap(shared, sizeof *shared);
  return good;
}

std::vector<std::string> Tree(const std::string& directory) {
  std::vector<std::string> all;
  std::error_code error;
  for (fs::recursive_directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    all.push_back(it->path().string().substr(directory.size() + 1) + (it->is_directory() ? "/" : ""));
  }
  if (error) all.push_back("error: " + error.message());
  std::sort(all.begin(), all.end());
  return all;
}

void Settle(const Scene& scene) {
  if (!scene.settle.empty() && std::system(scene.settle.c_str()) != 0) {  // NOLINT(concurrency-mt-unsafe)
    std::printf("cannot run: %s\n", scene.settle.c_str());
  }
}

bool LeavesOnly(const Scene& scene, const std::string& name, const std::vector<std::string>& expected) {
  Settle(scene);
  std::vector<std::string> sorted = expected;
  std::sort(sorted.begin(), sorted.end());
  bool good = true;
  for (const std::string& way : scene.ways) {
    const std::vector<std::string> seen = Tree(way + "/" + name);
    if (seen == sorted) continue;
    good = false;
    std::vector<std::string> difference;
    std::set_symmetric_difference(seen.begin(), seen.end(), sorted.begin(), sorted.end(),
                                  std::back_inserter(difference));
    std::printf("WRONG: in the end %s has %zu names, not %zu; different:", way.c_str(), seen.size(),
                sorted.size());
    for (const std::string& path : difference) std::printf(" %s", path.c_str());
    std::printf("\n");
  }
  std::error_code error;
  fs::remove_all(scene.ways[0] + "/" + name, error);
  if (!error) return good;
  std::printf("WRONG: %s cannot be removed: %s\n", name.c_str(), error.message().c_str());
  return false;
}

std::string ReadAll(const std::string& path, int* error, const char** where) {
  *error = 0;
  if (where != nullptr) *where = "open";
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd >= 0 && where != nullptr) *where = "read";
  std::string bytes;
  char buffer[16384];
  ssize_t n = fd < 0 ? -1 : 1;
  while (n > 0 && (n = read(fd, buffer, sizeof buffer)) > 0) bytes.append(buffer, static_cast<size_t>(n));
  if (n < 0) *error = errno;
  if (fd >= 0) close(fd);
  return bytes;
}

}  // namespace ocfsgw::storms
