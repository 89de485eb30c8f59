// Opening, duplicating and closing.
#include <fcntl.h>
#include <unistd.h>

#include "tests/posix/differential/actor.h"
#include "tests/posix/differential/maker.h"

namespace ocfsgw::posixdiff {
namespace {

int64_t SomeOpenFlags(Maker& maker) {
  int64_t flags =
      maker.OneIn(30) ? O_ACCMODE : maker.Of<int64_t>({O_RDONLY, O_WRONLY, O_RDWR, O_RDWR, O_RDWR});
  if (maker.OneIn(2)) flags |= O_CREAT;
  static constexpr struct {
    int flag;
    int one_in;
  } kFlags[] = {{O_EXCL, 8},      {O_TRUNC, 6},    {O_APPEND, 6},  {O_DIRECTORY, 16},
                {O_NOFOLLOW, 10}, {O_PATH, 16},    {O_SYNC, 20},   {O_DIRECT, 16},
                {O_DSYNC, 20},    {O_NOATIME, 16}, {O_TMPFILE, 40}};
  for (const auto& [flag, one_in] : kFlags) {
    if (maker.OneIn(one_in)) flags |= flag;
  }
  return flags;
}

void MakeOpen(Maker& maker, Step& step) {
  step.path = maker.Path();
  step.a = SomeOpenFlags(maker);
  step.b = maker.Mode();
  maker.Open(step);
}

std::string RunOpen(Actor& actor, const Step& step) {
  // Not to wait for the other end of a FIFO.
  const int flags = static_cast<int>(step.a) | O_NONBLOCK | O_CLOEXEC;
  return actor.Keep(step.fd, open(step.path.c_str(), flags, static_cast<mode_t>(step.b)));
}

void MakeUsualOpen(Maker& maker, Step& step) {
  step.path =
      maker.OneIn(2) ? maker.Of<const char*>({"a", "b", "d0/e/a", "d1/a", "d2/b", "d4/c"}) : maker.Existing();
  step.a = maker.Of<int64_t>({O_RDWR, O_RDWR, O_RDWR | O_APPEND, O_RDONLY, O_WRONLY}) | O_CREAT;
  step.b = maker.Of<int64_t>({0666, 0644, 0777, 06777, 02664});
  maker.Open(step);
}

void MakeTemporary(Maker& maker, Step& step) {
  step.path = maker.DirectoryPath();
  step.a = maker.Of<int64_t>({O_RDWR, O_WRONLY, O_RDWR | O_EXCL}) | O_TMPFILE;
  step.b = maker.Mode();
  maker.Open(step);
}

void MakeOpenAt(Maker& maker, Step& step) {
  maker.UseOpen(step);
  step.fd2 = step.fd;
  MakeOpen(maker, step);
}

std::string RunOpenAt(Actor& actor, const Step& step) {
  const int flags = static_cast<int>(step.a) | O_NONBLOCK | O_CLOEXEC;
  return actor.Keep(step.fd,
                    openat(actor.fd(step.fd2), step.path.c_str(), flags, static_cast<mode_t>(step.b)));
}

void MakeCreat(Maker& maker, Step& step) {
  step.path = maker.Path();
  step.b = maker.Mode();
  maker.Open(step);
}

void MakeOpenDirectory(Maker& maker, Step& step) {
  step.path = maker.DirectoryPath();
  step.a = maker.Of<int64_t>({O_RDONLY, O_RDONLY | O_DIRECTORY, O_PATH});
  maker.Open(step);
}

void MakeDup(Maker& maker, Step& step) {
  maker.UseOpen(step);
  step.fd2 = step.fd;
  maker.Open(step);
}

void MakeSetFlags(Maker& maker, Step& step) {
  maker.UseOpen(step);
  step.a = maker.Of<int64_t>({0, O_APPEND, O_NOATIME, O_APPEND, O_DIRECT});
}

// Of a duplicate, which tells the file system too, or of the only descriptor.
std::string RunClose(Actor& actor, const Step& step) {
  if (step.a == 0) return Outcome(close(dup(actor.fd(step.fd))));
  return actor.Drop(step.fd);
}

// What was opened with O_DIRECT keeps it: it tells of a known deviation.
std::string RunSetFlags(Actor& actor, const Step& step) {
  const int fd = actor.fd(step.fd);
  const int direct = fcntl(fd, F_GETFL) & O_DIRECT;
  return Outcome(fcntl(fd, F_SETFL, static_cast<int>(step.a) | O_NONBLOCK | direct));
}

std::string RunGetFlags(Actor& actor, const Step& step) {
  const int flags = fcntl(actor.fd(step.fd), F_GETFL);
  return Outcome(flags < 0 ? flags : flags & ~O_LARGEFILE);
}

}  // namespace

std::vector<Call> OpenCalls() {
  return {
      {"open", "pomf", 40, MakeUsualOpen, RunOpen},
      {"open", "pomf", 40, MakeOpen, RunOpen},
      {"open", "pomf", 1, MakeTemporary, RunOpen},
      {"open", "pomf", 8, MakeOpenDirectory, RunOpen},
      {"openat", "gpomf", 6, MakeOpenAt, RunOpenAt},
      {"creat", "pmf", 6, MakeCreat,
       [](Actor& actor, const Step& step) {
         return actor.Keep(step.fd,
                           open(step.path.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_NONBLOCK | O_CLOEXEC,
                                static_cast<mode_t>(step.b)));
       }},
      {"dup", "gf", 4, MakeDup,
       [](Actor& actor, const Step& step) { return actor.Keep(step.fd, dup(actor.fd(step.fd2))); }},
      {"fcntl_setfl", "fo", 5, MakeSetFlags, RunSetFlags},
      {"fcntl_getfl", "f", 3, [](Maker& maker, Step& step) { maker.UseOpen(step); }, RunGetFlags},
      {"close", "fa", 6,
       [](Maker& maker, Step& step) {
         maker.UseOpen(step);
         step.a = maker.Below(2);
       },
       RunClose},
  };
}

}  // namespace ocfsgw::posixdiff
