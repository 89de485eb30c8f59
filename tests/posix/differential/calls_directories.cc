// Directory streams while their directories change.
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "tests/posix/differential/actor.h"
#include "tests/posix/differential/maker.h"

namespace ocfsgw::posixdiff {
namespace {

void MakeStream(Maker& maker, Step& step) {
  step.path = maker.DirectoryPath();
  step.fd2 = static_cast<int>(maker.Below(Actor::kDirectories));
  step.a = maker.Below(4);
}

using Names = std::map<std::string, ino_t>;

/// All of them by a stream of its own.
Names Fresh(const std::string& path, int* error, std::string* text = nullptr) {
  Names names;
  errno = 0;
  DIR* const stream = opendir(path.c_str());
  *error = stream == nullptr ? errno : 0;
  if (stream == nullptr) return names;
  std::map<std::string, int> types;
  while (const dirent* const entry = readdir(stream)) {
    names[entry->d_name] = entry->d_ino;
    types[entry->d_name] = types.contains(entry->d_name) ? -1 : entry->d_type;
  }
  closedir(stream);
  if (text != nullptr) {
    for (const auto& [name, type] : types) *text += " " + Quote(name) + ":" + std::to_string(type);
  }
  return names;
}

std::string RunList(Actor&, const Step& step) {
  std::string text = "0";
  int error = 0;
  Fresh(step.path, &error, &text);
  errno = error;
  return error != 0 ? Outcome(-1) : text;
}

std::string RunOpen(Actor& actor, const Step& step) {
  Actor::Directory& directory = actor.directory(step.fd2);
  if (directory.stream != nullptr) closedir(directory.stream);
  directory = {};
  directory.stream = opendir(step.path.c_str());
  if (directory.stream == nullptr) return Outcome(-1);
  // The stream may go on when the name means something else.
  directory.path = "/proc/self/fd/" + std::to_string(dirfd(directory.stream));
  int error = 0;
  directory.at_open = Fresh(directory.path, &error);
  return "opened";
}

bool ReadOne(Actor::Directory& directory) {
  errno = 0;
  const dirent* const entry = readdir(directory.stream);
  if (entry == nullptr) return false;
  ++directory.seen[entry->d_name];
  return true;
}

std::string RunSome(Actor& actor, const Step& step) {
  Actor::Directory& directory = actor.directory(step.fd2);
  if (directory.stream == nullptr) return "not open";
  for (int64_t n = 0; n <= step.a; ++n) {
    if (!ReadOne(directory)) break;
  }
  // Which ones, and how many are left, is up to the file system.
  return Outcome(errno == 0 ? 0 : -1);
}

/// Reads to the end. What was there from opendir(3) to now must have been seen once.
std::string RunRest(Actor& actor, const Step& step) {
  Actor::Directory& directory = actor.directory(step.fd2);
  if (directory.stream == nullptr) return "not open";
  while (ReadOne(directory)) {
  }
  std::string text = Outcome(errno == 0 ? 0 : -1);
  int error = 0;
  const Names now = Fresh(directory.path, &error);
  for (const auto& [name, ino] : directory.at_open) {
    const auto found = now.find(name);
    if (found == now.end() || found->second != ino || directory.moved) continue;
    const int seen = directory.seen[name];
    if (seen != 1) text += " " + Quote(name) + " seen " + std::to_string(seen);
  }
  rewinddir(directory.stream);
  directory.seen.clear();
  directory.moved = false;
  directory.at_open = now;
  return text;
}

std::string RunTell(Actor& actor, const Step& step) {
  Actor::Directory& directory = actor.directory(step.fd2);
  if (directory.stream == nullptr) return "not open";
  directory.mark = telldir(directory.stream);
  const dirent* const next = readdir(directory.stream);
  directory.after_mark = next != nullptr ? next->d_name : "";
  seekdir(directory.stream, directory.mark);
  return directory.mark < 0 ? Outcome(-1) : "told";
}

std::string RunSeek(Actor& actor, const Step& step) {
  Actor::Directory& directory = actor.directory(step.fd2);
  if (directory.stream == nullptr || directory.mark < 0) return "not open";
  seekdir(directory.stream, directory.mark);
  directory.moved = true;
  const dirent* const next = readdir(directory.stream);
  const std::string name = next != nullptr ? next->d_name : "";
  int error = 0;
  const bool there = Fresh(directory.path, &error).contains(directory.after_mark);
  return there && name != directory.after_mark ? "elsewhere" : "back";
}

std::string RunSync(Actor&, const Step& step) {
  const int fd = open(step.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Outcome(fd);
  const std::string outcome = Outcome(step.a == 0 ? fdatasync(fd) : fsync(fd));
  close(fd);
  return outcome;
}

}  // namespace

std::vector<Call> DirectoryCalls() {
  return {
      {"list", "p", 8, MakeStream, RunList},
      {"opendir", "pg", 6, MakeStream, RunOpen},
      {"readdir_some", "ga", 6, MakeStream, RunSome},
      {"readdir_rest", "g", 4, MakeStream, RunRest},
      {"telldir", "g", 3, MakeStream, RunTell},
      {"seekdir", "g", 3, MakeStream, RunSeek},
      {"fsync_directory", "pa", 3, MakeStream, RunSync},
  };
}

}  // namespace ocfsgw::posixdiff
