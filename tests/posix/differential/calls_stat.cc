// Looking at attributes.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/posix/differential/actor.h"
#include "tests/posix/differential/maker.h"

namespace ocfsgw::posixdiff {
namespace {

void MakePath(Maker& maker, Step& step) {
  step.path = maker.Target();
  step.a = maker.Of<int64_t>({F_OK, R_OK, W_OK, X_OK, R_OK | W_OK, R_OK | W_OK | X_OK, 8});
  step.b = maker.Of<int64_t>({0, AT_SYMLINK_NOFOLLOW, AT_EACCESS, AT_EMPTY_PATH, 0x8000});
}

std::string Told(int result, const struct stat& st) {
  return Outcome(result) + (result == 0 ? " " + StatText(st) : "");
}

std::string RunStat(Actor&, const Step& step) {
  struct stat st {};
  return Told(stat(step.path.c_str(), &st), st);
}

std::string RunLstat(Actor&, const Step& step) {
  struct stat st {};
  return Told(lstat(step.path.c_str(), &st), st);
}

std::string RunFstat(Actor& actor, const Step& step) {
  struct stat st {};
  return Told(fstat(actor.fd(step.fd), &st), st);
}

std::string RunStatx(Actor&, const Step& step) {
  struct statx st {};
  const int got =
      statx(AT_FDCWD, step.path.c_str(), static_cast<int>(step.b), STATX_BASIC_STATS | STATX_BTIME, &st);
  if (got != 0) return Outcome(got);
  const auto attributes = st.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND | STATX_ATTR_NODUMP);
  return "0 mode " + std::to_string(st.stx_mode) + " size " + std::to_string(st.stx_size) + " attributes " +
         std::to_string(attributes) + ((st.stx_mask & STATX_BTIME) != 0 ? " btime" : "");
}

std::string RunStatfs(Actor&, const Step& step) {
  struct statvfs fs {};
  const int got = statvfs(step.path.c_str(), &fs);
  if (got != 0) return Outcome(got);
  return "0 bsize " + std::to_string(fs.f_bsize) + " frsize " + std::to_string(fs.f_frsize) + " namemax " +
         std::to_string(fs.f_namemax) + " blocks " + std::to_string(fs.f_blocks);
}

std::string RunAccess(Actor&, const Step& s) {
  return Outcome(access(s.path.c_str(), static_cast<int>(s.a)));
}
std::string RunAccessAt(Actor&, const Step& s) {
  // Not the C library's, which takes over where the kernel says no.
  return Outcome(
      syscall(SYS_faccessat2, AT_FDCWD, s.path.c_str(), static_cast<int>(s.a), static_cast<int>(s.b)));
}

}  // namespace

std::vector<Call> StatCalls() {
  return {
      {"stat", "p", 10, MakePath, RunStat},
      {"lstat", "p", 8, MakePath, RunLstat},
      {"fstat", "f", 8, [](Maker& maker, Step& step) { maker.UseOpen(step); }, RunFstat},
      {"statx", "py", 5, MakePath, RunStatx},
      {"statvfs", "p", 2, MakePath, RunStatfs},
      {"access", "pa", 6, MakePath, RunAccess},
      {"faccessat2", "pay", 6, MakePath, RunAccessAt},
  };
}

}  // namespace ocfsgw::posixdiff
