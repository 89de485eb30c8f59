#include "tests/posix/differential/actor.h"

#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace ocfsgw::posixdiff {
namespace {

// What is older was set by a step, and so was what is younger than the second; between them is the clock.
constexpr time_t kClockFrom = 1'600'000'000;
constexpr time_t kClockTo = 4'000'000'000;

sigjmp_buf after_fault;

}  // namespace

bool Actor::Become(const User& user) {
  struct sigaction fault {};
  fault.sa_handler = [](int) { siglongjmp(after_fault, 1); };
  sigaction(SIGBUS, &fault, nullptr);
  signal(SIGXFSZ, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  umask(022);
  return setgroups(user.groups.size(), user.groups.data()) == 0 &&
         setresgid(user.gid, user.gid, user.gid) == 0 && setresuid(user.uid, user.uid, user.uid) == 0;
}

std::string Actor::Run(const Step& step) { return step.call->run(*this, step); }

std::string Actor::Keep(int slot, int fd) {
  if (fd < 0) return Outcome(fd);
  if (fds_[slot] >= 0) close(fds_[slot]);
  fds_[slot] = fd;
  return "opened";
}

std::string Actor::Drop(int slot) {
  const int closed = close(fds_[slot]);
  fds_[slot] = -1;
  return Outcome(closed);
}

std::string Outcome(long result) {
  if (result >= 0) return std::to_string(result);
  const char* const name = strerrorname_np(errno);
  return std::string("-") + (name != nullptr ? name : std::to_string(errno));
}

std::string Bytes(const std::string& data) {
  uint64_t hash = 14695981039346656037ULL;  // FNV-1a
  for (const char c : data) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211ULL;
  char text[32];
  std::snprintf(text, sizeof text, " #%016llx ", static_cast<unsigned long long>(hash));
  return std::to_string(data.size()) + text + Quote(data.substr(0, 12));
}

std::string Bytes(long result, const char* data) {
  return result < 0 ? Outcome(result) : Bytes(std::string(data, static_cast<size_t>(result)));
}

std::string TimeText(const timespec& time) {
  if (time.tv_sec >= kClockFrom && time.tv_sec < kClockTo) return "now";
  return std::to_string(time.tv_sec) + "." + std::to_string(time.tv_nsec);
}

std::string StatText(const struct stat& st) {
  char text[128];
  std::snprintf(text, sizeof text, "mode %o nlink %lu uid %u gid %u size %lld rdev %lx", st.st_mode,
                static_cast<unsigned long>(st.st_nlink), st.st_uid, st.st_gid,
                static_cast<long long>(st.st_size), static_cast<unsigned long>(st.st_rdev));
  return std::string(text) + " atime " + TimeText(st.st_atim) + " mtime " + TimeText(st.st_mtim);
}

std::string Pattern(size_t size, int64_t seed) {
  std::string data(size, '\0');
  uint64_t x = static_cast<uint64_t>(seed) * 0x9e3779b97f4a7c15ULL + 1;
  for (char& c : data) {
    x ^= x << 13;  // xorshift64
    x ^= x >> 7;
    x ^= x << 17;
    c = static_cast<char>('a' + x % 26);
  }
  return data;
}

bool Touch(const void* context, void (*access)(const void* context)) {
  if (sigsetjmp(after_fault, 1) != 0) return false;
  access(context);
  return true;
}

}  // namespace ocfsgw::posixdiff
