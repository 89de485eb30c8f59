#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/posix/storms/storms.h"

namespace ocfsgw::storms {
namespace {

constexpr int kWays = 4;

/// Makes the name in one of several ways; 0 or an error.
int Make(const Member& member, int way, const std::string& path) {
  int result = 0;
  switch (way) {
    case 0: {
      const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
      result = fd < 0 ? -1 : close(fd);
      break;
    }
    case 1:
      result = mkdir(path.c_str(), 0755);
      break;
    case 2:
      result = link(member.At("origin." + std::to_string(member.id())).c_str(), path.c_str());
      break;
    default:
      result = symlink("nowhere", path.c_str());
  }
  return result == 0 ? 0 : errno;
}

void Create(Member& member, int rounds) {
  enum Counter { kWinners };
  const int fd =
      open(member.At("origin." + std::to_string(member.id())).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  member.Must(fd >= 0 && close(fd) == 0, "create");
  for (int round = 0; round < rounds; ++round) {
    const std::string path = member.At("x" + std::to_string(round));
    member.Meet();
    const int error = Make(member, round % kWays, path);
    if (error == 0) {
      ++member.counter(kWinners);
    } else if (error != EEXIST) {
      member.Fail(path + ": " + std::strerror(error));
    }
    member.Meet();
    if (member.counter(kWinners) != 1)
      member.Fail(path + " was made by " + std::to_string(member.counter(kWinners)) + " processes at once");
    member.Meet();
    if (error != 0) continue;
    member.counter(kWinners) = 0;
    member.Must(round % kWays == 1 ? rmdir(path.c_str()) == 0 : unlink(path.c_str()) == 0,
                "removing " + path);
  }
}

void UseLock(Member& member, int rounds) {
  enum Counter { kOwners };
  const std::string lock = member.At("lock"), number = member.At("number");
  for (int round = 0; round < rounds; ++round) {
    int fd = -1;
    while ((fd = open(lock.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)) < 0) {
      member.Must(errno == EEXIST, "lock file");
      sched_yield();
    }
    close(fd);
    if (member.counter(kOwners)++ != 0) member.Fail("the lock file has two owners");
    int error = 0;
    const int64_t before = std::atoll(ReadAll(number, &error).c_str());
    const int out = open(number.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    const std::string after = std::to_string(before + 1);
    member.Must(out >= 0 && pwrite(out, after.data(), after.size(), 0) == static_cast<ssize_t>(after.size()),
                "number");
    close(out);
    --member.counter(kOwners);
    member.Must(unlink(lock.c_str()) == 0, "unlink of the lock file");
  }
}

}  // namespace

bool Creators(const Scene& scene) {
  if (!Run(scene, "creators", [&](Member& member) { Create(member, scene.rounds); })) return false;
  std::vector<std::string> left;
  for (int id = 0; id < scene.processes; ++id) left.push_back("origin." + std::to_string(id));
  return LeavesOnly(scene, "creators", left);
}

bool LockFiles(const Scene& scene) {
  // The number's file is there from the start: a new name may be noticed late.
  const auto prepare = [](Member& member) {
    const int fd =
        member.id() == 0 ? open(member.At("number").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644) : -1;
    if (fd >= 0) close(fd);
  };
  if (!Run(scene, "locks", prepare)) return false;
  if (!Run(scene, "locks", [&](Member& member) { UseLock(member, scene.rounds); })) return false;
  bool good = true;
  for (const std::string& way : scene.ways) {
    int error = 0;
    const std::string number = ReadAll(way + "/locks/number", &error);
    if (number == std::to_string(scene.processes * scene.rounds)) continue;
    std::printf("WRONG: %s/locks/number is %s, not %d\n", way.c_str(), number.c_str(),
                scene.processes * scene.rounds);
    good = false;
  }
  return LeavesOnly(scene, "locks", {"number"}) && good;
}

}  // namespace ocfsgw::storms
