// Making, linking, removing and renaming names.
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tests/posix/differential/actor.h"
#include "tests/posix/differential/maker.h"

namespace ocfsgw::posixdiff {
namespace {

void MakePathMode(Maker& maker, Step& step) {
  step.path = maker.Path();
  step.b = maker.Mode();
}

void MakeNode(Maker& maker, Step& step) {
  MakePathMode(maker, step);
  step.b |= maker.Of<int64_t>({S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK, 0, S_IFDIR, S_IFLNK});
  // Only devices that may be opened without harm: null, zero, and ones that nobody has.
  step.a = S_ISBLK(step.b) ? makedev(240, 77)
                           : maker.Of<dev_t>({makedev(1, 3), makedev(1, 5), makedev(4000, 70'000)});
}

void MakeSymlink(Maker& maker, Step& step) {
  step.path = maker.Path();
  step.text = maker.OneIn(8)   ? std::string(maker.Of<size_t>({0, 59, 60, 255, 1000, 4094, 4095, 4096}), 't')
              : maker.OneIn(2) ? maker.Path()
                               : maker.DirectoryPath();
}

void MakeTwoPaths(Maker& maker, Step& step) {
  step.path = maker.Target();
  step.path2 = maker.OneIn(20) ? step.path : maker.Path();
}

void MakeLinkAt(Maker& maker, Step& step) {
  MakeTwoPaths(maker, step);
  step.a = maker.Of<int64_t>({0, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH, 0x8000});
}

void MakeLinkFd(Maker& maker, Step& step) {
  maker.UseOpen(step);
  step.path = maker.Path();
}

// As linkat(2) shows it, for processes without the capability that AT_EMPTY_PATH wants; both ways.
std::string RunLinkFd(Actor& actor, const Step& step) {
  const int fd = actor.fd(step.fd);
  const std::string proc = "/proc/self/fd/" + std::to_string(fd);
  const std::string direct = Outcome(linkat(fd, "", AT_FDCWD, step.path.c_str(), AT_EMPTY_PATH));
  return direct + " then " +
         Outcome(linkat(AT_FDCWD, proc.c_str(), AT_FDCWD, step.path.c_str(), AT_SYMLINK_FOLLOW));
}

void MakeRename2(Maker& maker, Step& step) {
  MakeTwoPaths(maker, step);
  step.a = maker.Of<int64_t>({RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_EXCHANGE, RENAME_WHITEOUT,
                              RENAME_WHITEOUT | RENAME_NOREPLACE, RENAME_EXCHANGE | RENAME_NOREPLACE, 0x80});
}

std::string RunReadlink(Actor& /*actor*/, const Step& step) {
  char target[5000];
  const size_t size = step.a == 0 ? sizeof target : static_cast<size_t>(step.a);
  return Bytes(readlink(step.path.c_str(), target, size), target);
}

std::string RunMkdir(Actor&, const Step& s) {
  return Outcome(mkdir(s.path.c_str(), static_cast<mode_t>(s.b)));
}
std::string RunMknod(Actor&, const Step& s) {
  return Outcome(mknod(s.path.c_str(), static_cast<mode_t>(s.b), static_cast<dev_t>(s.a)));
}
std::string RunSymlink(Actor&, const Step& s) { return Outcome(symlink(s.text.c_str(), s.path.c_str())); }
std::string RunLink(Actor&, const Step& s) { return Outcome(link(s.path.c_str(), s.path2.c_str())); }
std::string RunLinkAt(Actor&, const Step& s) {
  return Outcome(linkat(AT_FDCWD, s.path.c_str(), AT_FDCWD, s.path2.c_str(), static_cast<int>(s.a)));
}
std::string RunUnlink(Actor&, const Step& s) { return Outcome(unlink(s.path.c_str())); }
std::string RunRmdir(Actor&, const Step& s) { return Outcome(rmdir(s.path.c_str())); }
std::string RunUnlinkAt(Actor&, const Step& s) {
  return Outcome(unlinkat(AT_FDCWD, s.path.c_str(), s.a == 0 ? 0 : s.a == 1 ? AT_REMOVEDIR : 0x8000));
}
std::string RunRename(Actor&, const Step& s) { return Outcome(rename(s.path.c_str(), s.path2.c_str())); }
std::string RunRename2(Actor&, const Step& s) {
  const int renamed =
      renameat2(AT_FDCWD, s.path.c_str(), AT_FDCWD, s.path2.c_str(), static_cast<unsigned>(s.a));
  struct stat st {};
  if (renamed != 0 || (s.a & RENAME_WHITEOUT) == 0 || lstat(s.path.c_str(), &st) != 0)
    return Outcome(renamed);
  return "0, whiteout of " + std::to_string(st.st_uid);
}

}  // namespace

std::vector<Call> NameCalls() {
  return {
      {"mkdir", "pm", 14, MakePathMode, RunMkdir},
      {"mknod", "pmx", 10, MakeNode, RunMknod},
      {"symlink", "tp", 10, MakeSymlink, RunSymlink},
      {"link", "pq", 10, MakeTwoPaths, RunLink},
      {"linkat", "pqx", 5, MakeLinkAt, RunLinkAt},
      {"link_fd", "fp", 5, MakeLinkFd, RunLinkFd},
      {"unlink", "p", 16, MakePathMode, RunUnlink},
      {"rmdir", "p", 6, MakePathMode, RunRmdir},
      {"rmdir", "p", 4, [](Maker& maker, Step& step) { step.path = maker.DirectoryPath(); }, RunRmdir},
      {"unlinkat", "pa", 4,
       [](Maker& maker, Step& step) {
         step.path = maker.Path();
         step.a = maker.Below(3);
       },
       RunUnlinkAt},
      {"rename", "pq", 22, MakeTwoPaths, RunRename},
      {"rename", "pq", 4,
       [](Maker& maker, Step& step) {
         step.path = maker.DirectoryPath();
         step.path2 = maker.OneIn(2) ? maker.DirectoryPath() : maker.Path();
       },
       RunRename},
      {"renameat2", "pqx", 12, MakeRename2, RunRename2},
      {"readlink", "pa", 5,
       [](Maker& maker, Step& step) {
         step.path = maker.OneIn(2) ? maker.Path() : maker.Of<const char*>({"l0", "l1", "l2", "l3", "l4"});
         step.a = maker.Of<int64_t>({0, 0, 1, 3});
       },
       RunReadlink},
  };
}

}  // namespace ocfsgw::posixdiff
