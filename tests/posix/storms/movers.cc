#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "tests/posix/storms/storms.h"

namespace ocfsgw::storms {
namespace {

/// 0, or why the path is not there.
int Missing(const std::string& path) {
  struct stat st {};
  return lstat(path.c_str(), &st) == 0 ? 0 : errno;
}

// --- Movers. The first process moves, the others look.

enum MoverCounter { kTicks, kLooks };  // odd ticks: while it is being moved; kLooks + id: rounds seen

void Move(Member& member, const Scene& scene, const std::string (&places)[2]) {
  for (int round = 1; round <= scene.rounds; ++round) {
    ++member.counter(kTicks);
    member.Must(rename(places[(round + 1) % 2].c_str(), places[round % 2].c_str()) == 0, "rename");
    ++member.counter(kTicks);
    // Each of the others is to see it at rest once.
    for (int id = 1; id < scene.processes; ++id) {
      while (member.counter(kLooks + id) < round) sched_yield();
    }
  }
}

/// `inside`: what is looked at below the places, and where.
void Watch(Member& member, const Scene& scene, const std::string (&places)[2], const std::string& inside) {
  while (member.counter(kLooks + member.id()) < scene.rounds) {
    const int64_t before = member.counter(kTicks);
    const int errors[2] = {Missing(places[0] + inside), Missing(places[1] + inside)};
    if (before % 2 != 0 || member.counter(kTicks) != before) continue;
    const int64_t round = before / 2;
    if (errors[round % 2] != 0 || errors[(round + 1) % 2] != ENOENT) {
      member.Fail("after " + std::to_string(round) + " moves it is in place " + std::to_string(round % 2) +
                  ", but place 0: " + std::strerror(errors[0]) + ", place 1: " + std::strerror(errors[1]));
    }
    member.counter(kLooks + member.id()) = round;
  }
}

bool MoveAll(const Scene& scene, const char* name, bool directory) {
  const auto prepare = [&](Member& member) {
    if (member.id() != 0) return;
    for (const char* const d : {"left", "right"})
      member.Must(mkdir(member.At(d).c_str(), 0755) == 0, "mkdir");
    std::string file = member.At("left/it");
    if (directory) {
      member.Must(mkdir(file.c_str(), 0755) == 0, "mkdir");
      file += "/inside";
    }
    const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    member.Must(fd >= 0 && close(fd) == 0, "create");
  };
  if (!Run(scene, name, prepare)) return false;
  const auto body = [&](Member& member) {
    const std::string places[2] = {member.At("left/it"), member.At("right/that")};
    if (member.id() == 0) {
      Move(member, scene, places);
    } else {
      Watch(member, scene, places, directory ? "/inside" : "");
    }
  };
  if (!Run(scene, name, body)) return false;
  const std::string at = scene.rounds % 2 == 0 ? "left/it" : "right/that";
  std::vector<std::string> left = {"left/", "right/", at + (directory ? "/" : "")};
  if (directory) left.push_back(at + "/inside");
  return LeavesOnly(scene, name, left);
}

// --- Replacers. The first process replaces, the others read.

enum ReplacerCounter { kStarted, kReplaced, kEnd };

/// Generation and size are in front; the rest depends on the generation and the place.
std::string Contents(int64_t generation, size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<char>(static_cast<size_t>(generation) * 31 + i * 7 + i / 251);
  char head[33];
  std::snprintf(head, sizeof head, "%015lld %015zu\n", static_cast<long long>(generation), size);
  return bytes.replace(0, 32, head, 32);
}

void Replace(Member& member, const Scene& scene) {
  const std::string name = member.At("target"), other = member.At("target.new");
  for (int generation = 1; generation <= scene.rounds; ++generation) {
    member.counter(kStarted) = generation;
    const std::string bytes = Contents(generation, 32 + member.Below(member.Below(2) == 0 ? 300 : 40'000));
    const int fd = open(other.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    member.Must(fd >= 0 && write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) &&
                    close(fd) == 0,
                "writing the new file");
    member.Must(rename(other.c_str(), name.c_str()) == 0, "rename");
    member.counter(kReplaced) = generation;
  }
  member.counter(kEnd) = 1;
}

void ReadWhole(Member& member, const Scene& scene) {
  int64_t newest = 0;
  for (bool last = false; !last;) {
    last = member.counter(kEnd) != 0;
    const int64_t replaced = member.counter(kReplaced);
    if (!scene.late) newest = std::max(newest, replaced);
    if (replaced == 0) continue;
    int error = 0;
    const char* where = nullptr;
    const std::string bytes = ReadAll(member.At("target"), &error, &where);
    // ENOMEM: what open_by_handle_at(2) says of some inodes that are being deleted.
    if ((error == ESTALE || error == ENOMEM) && scene.stale && std::strcmp(where, "open") == 0) continue;
    if (error != 0) member.Fail(std::string(where) + " of the replaced file: " + std::strerror(error));
    long long generation = 0;
    size_t size = 0;
    if (std::sscanf(bytes.c_str(), "%lld %zu", &generation, &size) != 2 || size != bytes.size() ||
        bytes != Contents(generation, size))
      member.Fail("not a whole file: " + std::to_string(bytes.size()) + " bytes that begin with " +
                  bytes.substr(0, 32));
    if (generation < newest || generation > member.counter(kStarted))
      member.Fail("generation " + std::to_string(generation) + " was read after " + std::to_string(newest));
    newest = generation;
  }
}

}  // namespace

bool Movers(const Scene& scene) {
  return MoveAll(scene, "moved-file", false) && MoveAll(scene, "moved-directory", true);
}

bool Replacers(const Scene& scene) {
  const auto body = [&](Member& member) {
    if (member.id() == 0) {
      Replace(member, scene);
    } else {
      ReadWhole(member, scene);
    }
  };
  return Run(scene, "replaced", body) && LeavesOnly(scene, "replaced", {"target"});
}

}  // namespace ocfsgw::storms
