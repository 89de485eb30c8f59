#include "tests/posix/differential/world.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <set>
#include <stdexcept>

#include "tests/posix/differential/actor.h"
#include "tests/posix/differential/deviations.h"
#include "tests/posix/differential/fixture.h"

namespace ocfsgw::posixdiff {
namespace {

constexpr int kHungMs = 30'000;
constexpr size_t kAnswerMax = 1 << 16;

constexpr const char* kFdLine = "\n    fd: ";

struct Glance {
  ino_t inode;
  timespec ctime;
};

bool ChangesData(const Step& step) {
  static const std::set<std::string> kCalls = {"write",    "writev",    "pwrite",
                                               "pwritev2", "fallocate", "copy_file_range"};
  return kCalls.contains(step.call->name);
}

bool Truncates(const Step& step) {
  return step.Is("ftruncate") || step.Is("creat") ||
         ((step.Is("open") || step.Is("openat")) && (step.a & O_TRUNC) != 0 && (step.a & O_PATH) == 0);
}

/// With the bit that decides whether set-group-ID means what it says.
std::string SetIdMark(const struct stat& st) {
  char text[32];
  std::snprintf(text, sizeof text, "%s%04o)", kSetIdMark, st.st_mode & (S_ISUID | S_ISGID | S_IXGRP));
  return S_ISREG(st.st_mode) ? text : "";
}

/// What a known deviation may depend on.
std::string Marks(const Actor& actor, const Step& step, bool failed) {
  struct stat st {};
  std::string marks;
  if (step.Is("truncate") && stat(step.path.c_str(), &st) == 0) marks += SetIdMark(st);
  const bool copies = step.Is("copy_file_range");
  const int fd = actor.fd(copies ? step.fd2 : step.fd);  // what changes
  int flags = step.Has('f') ? fcntl(fd, F_GETFL) : -1;
  if (flags < 0) return marks;
  if (copies) flags |= std::max(fcntl(actor.fd(step.fd), F_GETFL), 0) & O_DIRECT;
  const bool there = fstat(fd, &st) == 0;
  if (there && (ChangesData(step) || Truncates(step))) marks += SetIdMark(st);
  if (there && S_ISREG(st.st_mode) && (failed ? ChangesData(step) : Truncates(step)))
    marks += kMtimeMark + TimeText(st.st_mtim);
  if ((flags & O_DIRECT) != 0) marks += kDirectMark;
  constexpr blkcnt_t kLarge = 2048;  // 1 MiB
  const bool unpinned = S_ISREG(st.st_mode) && (flags & O_PATH) != 0 && st.st_blocks > kLarge;
  if (there ? st.st_nlink == 0 && unpinned : errno == ESTALE) return marks + kRemovedMark;
  if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) marks += kSpecialMark;
  return marks;
}

}  // namespace

World::World(std::string directory, const std::vector<Step>& steps, Watching watching)
    : directory_(std::move(directory)), top_(directory_ + "/x/y/top"), steps_(steps), watching_(watching) {
  umask(0);
  RemoveTree(directory_);
  std::filesystem::create_directories(top_);
  for (const char* part : {"", "/x", "/x/y"}) chmod((directory_ + part).c_str(), 0755);
  chmod(top_.c_str(), 0777);
  MakeFixture(top_);
  top_fd_ = open(top_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  for (size_t user = 0; user < processes_.size(); ++user) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
      throw std::runtime_error("no sockets");
    const pid_t parent = getpid();
    processes_[user] = fork();
    if (processes_[user] == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != parent) _exit(1);
      close(pair[0]);
      Serve(user, pair[1], steps_);
    }
    close(pair[1]);
    sockets_[user] = pair[0];
    if (processes_[user] < 0) throw std::runtime_error("no processes");
  }
}

World::~World() {
  for (size_t user = 0; user < processes_.size(); ++user) {
    close(sockets_[user]);
    kill(processes_[user], SIGKILL);
    waitpid(processes_[user], nullptr, 0);
  }
  close(top_fd_);
  RemoveTree(directory_);
}

void World::Serve(size_t user, int socket, const std::vector<Step>& steps) const {
  Actor actor;
  if (chdir(top_.c_str()) != 0 || !actor.Become(kUsers[user])) _exit(2);
  // The end of the user's rights is not the end of the process: it is still to be killed with the tester.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  size_t index = 0;
  while (recv(socket, &index, sizeof index, 0) == sizeof index) {
    const Step& step = steps[index];
    std::string answer = actor.Run(step);
    struct stat st {};
    answer += Marks(actor, step, answer.starts_with("-"));
    if (watching_.steps && step.Has('f')) {
      answer += kFdLine + (fstat(actor.fd(step.fd), &st) == 0 ? StatText(st) : Outcome(-1));
      // For the process that keeps the ctimes: it comes after the text.
      const Glance glance{st.st_ino, st.st_ctim};
      answer.append(reinterpret_cast<const char*>(&glance), sizeof glance);
    }
    answer.resize(std::min(answer.size(), kAnswerMax));
    if (send(socket, answer.data(), answer.size(), 0) < 0) _exit(3);
  }
  _exit(0);
}

std::string World::Do(size_t index) {
  const Step& step = steps_[index];
  const int socket = sockets_[static_cast<size_t>(step.actor)];
  static char answer[kAnswerMax];
  pollfd readable{socket, POLLIN, 0};
  if (send(socket, &index, sizeof index, MSG_NOSIGNAL) < 0 || poll(&readable, 1, kHungMs) != 1) return "hung";
  const ssize_t got = recv(socket, answer, sizeof answer, 0);
  if (got <= 0) return "the process has died";
  std::string text(answer, static_cast<size_t>(got));
  if (watching_.steps && step.Has('f')) {
    Glance glance{};
    std::memcpy(&glance, text.data() + text.size() - sizeof glance, sizeof glance);
    text.resize(text.size() - sizeof glance);
    if (glance.inode != 0) text += CtimeText(glance.inode, glance.ctime);
  }
  if (flags_set_) text.insert(std::min(text.find('\n'), text.size()), kFlagsMark);
  flags_set_ = flags_set_ || (step.Is("ioctl_setflags") && text[0] == '0' &&
                              (step.a & (FS_IMMUTABLE_FL | FS_APPEND_FL)) != 0);
  return text + (watching_.steps ? Look(step) : "");
}

std::string World::LookAt(const char* what, const std::string& path, ino_t* inode) {
  struct stat st {};
  std::string text = std::string("\n    ") + what + ": ";
  *inode = 0;
  if (fstatat(top_fd_, path.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) return text + Outcome(-1);
  *inode = st.st_ino;
  text += StatText(st);
  return text + CtimeText(st.st_ino, st.st_ctim);
}

std::string World::CtimeText(ino_t inode, const timespec& time) {
  if (!watching_.ctimes) return "";
  timespec& before = ctimes_[inode];
  const bool same = before.tv_sec == time.tv_sec && before.tv_nsec == time.tv_nsec;
  before = time;
  return same ? " ctime as before" : " ctime new";
}

std::string World::Look(const Step& step) {
  if (!step.Has('p')) return "";
  ino_t first = 0, second = 0;
  const size_t slash = step.path.rfind('/');
  std::string text = LookAt("path", step.path, &first);
  if (step.Has('q')) {
    text += LookAt("second path", step.path2, &second);
    if (first != 0 && second != 0) text += first == second ? " same file" : " other file";
  }
  return text +
         LookAt("directory", slash == std::string::npos ? "." : step.path.substr(0, slash + 1), &first);
}

std::string World::Tree() const { return TreeText(directory_); }

}  // namespace ocfsgw::posixdiff
