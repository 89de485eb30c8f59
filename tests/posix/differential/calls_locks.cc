// Locks between the three processes; none waits.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "tests/posix/differential/actor.h"
#include "tests/posix/differential/maker.h"

namespace ocfsgw::posixdiff {
namespace {

void MakeLock(Maker& maker, Step& step) {
  maker.UseOpen(step);
  step.a = maker.Below(3);
  step.b = maker.OneIn(10) ? maker.Offset() : maker.Below(5) * 10;
  step.c = maker.OneIn(10) ? maker.Of<int64_t>({0, -1, -10}) : 1 + maker.Below(30);
}

struct flock LockOf(const Step& step) {
  static constexpr short kTypes[] = {F_RDLCK, F_WRLCK, F_UNLCK};
  struct flock lock {};
  lock.l_type = kTypes[step.a];
  lock.l_whence = SEEK_SET;
  lock.l_start = step.b;
  lock.l_len = step.c;
  return lock;
}

std::string RunFlock(Actor& actor, const Step& step) {
  static constexpr int kTypes[] = {LOCK_SH, LOCK_EX, LOCK_UN};
  return Outcome(flock(actor.fd(step.fd), kTypes[step.a] | LOCK_NB));
}

std::string RunSetLock(Actor& actor, const Step& step) {
  const struct flock lock = LockOf(step);
  return Outcome(fcntl(actor.fd(step.fd), F_SETLK, &lock));
}

std::string RunSetOfdLock(Actor& actor, const Step& step) {
  const struct flock lock = LockOf(step);
  return Outcome(fcntl(actor.fd(step.fd), F_OFD_SETLK, &lock));
}

std::string RunGetLock(Actor& actor, const Step& step) {
  struct flock lock = LockOf(step);
  const int got = fcntl(actor.fd(step.fd), F_GETLK, &lock);
  if (got != 0) return Outcome(got);
  if (lock.l_type == F_UNLCK) return "free";
  const char* const holder = lock.l_pid > 0 ? " of a process" : " of a description";
  return std::string(lock.l_type == F_RDLCK ? "read" : "write") + " lock from " +
         std::to_string(lock.l_start) + " for " + std::to_string(lock.l_len) + holder;
}

}  // namespace

std::vector<Call> LockCalls() {
  return {
      {"flock", "fa", 5, MakeLock, RunFlock},
      {"fcntl_setlk", "fabc", 6, MakeLock, RunSetLock},
      {"fcntl_ofd_setlk", "fabc", 3, MakeLock, RunSetOfdLock},
      {"fcntl_getlk", "fabc", 4, MakeLock, RunGetLock},
  };
}

}  // namespace ocfsgw::posixdiff
