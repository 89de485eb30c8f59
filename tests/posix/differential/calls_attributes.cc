// Changing modes, owners, times and flags.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/posix/differential/actor.h"
#include "tests/posix/differential/maker.h"

namespace ocfsgw::posixdiff {
namespace {

constexpr long kFchmodat2 = 452;  // newer than the C library's headers

void MakeMode(Maker& maker, Step& step) {
  step.path = maker.Target();
  step.b = maker.Mode();
  step.a = maker.Of<int64_t>({0, AT_SYMLINK_NOFOLLOW});
}

void MakeFmode(Maker& maker, Step& step) {
  maker.UseOpen(step);
  step.b = maker.Mode();
}

void MakeOwner(Maker& maker, Step& step) {
  step.path = maker.Target();
  maker.UseOpen(step);
  step.actor = maker.OneIn(2) ? 0 : step.actor;
  step.a = maker.Of<int64_t>({-1, -1, 0, 1001, 1002});
  // chown(-1, -1) need not change the ctime (POSIX), and does not through FUSE.
  step.c = step.a >= 0 && maker.OneIn(3) ? -1 : maker.Of<int64_t>({0, 1001, 1002, kSharedGroup, 3001});
}

timespec TimeOf(int64_t number) {
  switch (number) {
    case 0:
      return {0, UTIME_OMIT};
    case 1:
      return {0, UTIME_NOW};
    case 2:
      return {1'234'567'890, 123'456'789};
    case 3:
      return {1'000'000'000, 999'999'999};
    case 4:
      return {0, 1};
    case 5:
      return {-1'000'000, 5};
    case 6:
      return {5'000'000'000, 7};
    case 7:
      return {int64_t{1} << 45, 0};
    default:
      return {1, 1'000'000'000};
  }
}

void MakeTimes(Maker& maker, Step& step) {
  maker.UseOpen(step);
  step.path = maker.Target();
  step.a = maker.OneIn(20) ? 7 + maker.Below(2) : maker.Below(7);
  step.b = maker.Below(7);
  step.c = maker.Of<int64_t>({0, AT_SYMLINK_NOFOLLOW});
}

std::string RunTimes(Actor&, const Step& step) {
  const timespec times[2] = {TimeOf(step.a), TimeOf(step.b)};
  return Outcome(utimensat(AT_FDCWD, step.path.c_str(), times, static_cast<int>(step.c)));
}

std::string RunFdTimes(Actor& actor, const Step& step) {
  const timespec times[2] = {TimeOf(step.a), TimeOf(step.b)};
  return Outcome(futimens(actor.fd(step.fd), times));
}

constexpr int kComparedFlags = FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL | FS_SYNC_FL;

std::string RunGetFlags(Actor& actor, const Step& step) {
  int flags = 0;
  const int got = ioctl(actor.fd(step.fd), FS_IOC_GETFLAGS, &flags);
  return Outcome(got) + (got == 0 ? " flags " + std::to_string(flags & kComparedFlags) : "");
}

// Keeps what it does not change, as chattr(1) does.
std::string RunSetFlags(Actor& actor, const Step& step) {
  int flags = 0;
  if (ioctl(actor.fd(step.fd), FS_IOC_GETFLAGS, &flags) != 0) return "get " + Outcome(-1);
  flags = (flags & ~kComparedFlags) | static_cast<int>(step.a);
  return Outcome(ioctl(actor.fd(step.fd), FS_IOC_SETFLAGS, &flags));
}

std::string RunChmod(Actor&, const Step& s) {
  return Outcome(chmod(s.path.c_str(), static_cast<mode_t>(s.b)));
}
std::string RunFchmod(Actor& a, const Step& s) {
  return Outcome(fchmod(a.fd(s.fd), static_cast<mode_t>(s.b)));
}
std::string RunFchmodAt(Actor&, const Step& s) {
  return Outcome(
      syscall(kFchmodat2, AT_FDCWD, s.path.c_str(), static_cast<mode_t>(s.b), static_cast<int>(s.a)));
}
std::string RunChown(Actor&, const Step& s) {
  return Outcome(chown(s.path.c_str(), static_cast<uid_t>(s.a), static_cast<gid_t>(s.c)));
}
std::string RunLchown(Actor&, const Step& s) {
  return Outcome(lchown(s.path.c_str(), static_cast<uid_t>(s.a), static_cast<gid_t>(s.c)));
}
std::string RunFchown(Actor& a, const Step& s) {
  return Outcome(fchown(a.fd(s.fd), static_cast<uid_t>(s.a), static_cast<gid_t>(s.c)));
}
std::string RunUmask(Actor&, const Step& s) { return Outcome(umask(static_cast<mode_t>(s.b))); }

}  // namespace

std::vector<Call> AttributeCalls() {
  return {
      {"chmod", "pm", 16, MakeMode, RunChmod},
      {"fchmod", "fm", 6, MakeFmode, RunFchmod},
      {"fchmodat2", "pmx", 4, MakeMode, RunFchmodAt},
      {"chown", "pac", 12, MakeOwner, RunChown},
      {"lchown", "pac", 4, MakeOwner, RunLchown},
      {"fchown", "fac", 5, MakeOwner, RunFchown},
      {"utimensat", "pabx", 8, MakeTimes, RunTimes},
      {"futimens", "fab", 4, MakeTimes, RunFdTimes},
      {"umask", "m", 5,
       [](Maker& maker, Step& step) {
         step.b = maker.Of<int64_t>({0, 022, 077, 0777, 027, 002});
       },
       RunUmask},
      {"ioctl_getflags", "f", 3, [](Maker& maker, Step& step) { maker.UseOpen(step); }, RunGetFlags},
      {"ioctl_setflags", "fx", 3,
       [](Maker& maker, Step& step) {
         maker.UseOpen(step);
         step.a = maker.Of<int64_t>({0, FS_IMMUTABLE_FL, FS_APPEND_FL, FS_NODUMP_FL, FS_NOATIME_FL, 0});
       },
       RunSetFlags},
  };
}

}  // namespace ocfsgw::posixdiff
