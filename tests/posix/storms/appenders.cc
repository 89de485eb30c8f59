#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "tests/posix/storms/storms.h"

namespace ocfsgw::storms {
namespace {

constexpr size_t kHead = 32;

/// Record `number` of process `id`: a head that tells its length, and bytes up to there.
std::string Record(int id, int number, size_t size) {
  char head[kHead + 1];
  std::snprintf(head, sizeof head, "%05d %010d %014zu\n", id, number, size);
  return head + std::string(size - kHead, static_cast<char>('a' + (id + number) % 26));
}

void Append(Member& member, int rounds, int access) {
  int fd = -1;
  for (int number = 0; number < rounds; ++number) {
    if (fd < 0 || member.Below(8) == 0) {
      if (fd >= 0) close(fd);
      fd = open(member.At("log").c_str(), access | O_APPEND | O_CLOEXEC, 0644);
      member.Must(fd >= 0, "open");
    }
    const std::string record =
        Record(member.id(), number, kHead + member.Below(member.Below(4) == 0 ? 10'000 : 200));
    member.Must(write(fd, record.data(), record.size()) == static_cast<ssize_t>(record.size()), "append");
  }
  close(fd);
}

bool Check(const std::string& path, const Scene& scene) {
  int error = 0;
  const std::string log = ReadAll(path, &error);
  std::vector<int> next(static_cast<size_t>(scene.processes), 0);
  size_t at = 0;
  while (at < log.size()) {
    int id = -1, number = -1;
    size_t size = 0;
    const bool head = std::sscanf(log.c_str() + at, "%d %d %zu", &id, &number, &size) == 3 && id >= 0 &&
                      id < scene.processes && size >= kHead;
    if (!head || number != next[static_cast<size_t>(id)] ||
        log.compare(at, size, Record(id, number, size)) != 0) {
      const std::string rest = log.substr(at + kHead, 2 * kHead);
      std::printf("WRONG: in %s at %zu of %zu: '%s' and '%s', but of process %d record %d should follow\n",
                  path.c_str(), at, log.size(), log.substr(at, kHead).c_str(), rest.c_str(), id,
                  head ? next[static_cast<size_t>(id)] : -1);
      return false;
    }
    ++next[static_cast<size_t>(id)];
    at += size;
  }
  for (const int count : next) {
    if (count == scene.rounds) continue;
    std::printf("WRONG: in %s are %d records of a process, not %d\n", path.c_str(), count, scene.rounds);
    return false;
  }
  return true;
}

bool AppendAll(const Scene& scene, const char* name, int access) {
  // The file is there from the start: a new name may be noticed late.
  const auto prepare = [](Member& member) {
    const int fd =
        member.id() == 0 ? open(member.At("log").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644) : -1;
    if (fd >= 0) close(fd);
  };
  if (!Run(scene, name, prepare)) return false;
  if (!Run(scene, name, [&](Member& member) { Append(member, scene.rounds, access); })) return false;
  Settle(scene);
  bool good = true;
  for (const std::string& way : scene.ways) good = Check(way + "/" + name + "/log", scene) && good;
  return LeavesOnly(scene, name, {"log"}) && good;
}

}  // namespace

bool Appenders(const Scene& scene) { return AppendAll(scene, "appended", O_WRONLY); }
bool ReadingAppenders(const Scene& scene) { return AppendAll(scene, "appended-rw", O_RDWR); }

}  // namespace ocfsgw::storms
