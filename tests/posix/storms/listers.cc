#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>

#include "tests/posix/storms/storms.h"

namespace ocfsgw::storms {
namespace {

// --- Linkers

enum LinkCounter { kOwn };  // kOwn + id: links of that process

nlink_t LinksOf(const Member& member, const std::string& path) {
  struct stat st {};
  member.Must(stat(path.c_str(), &st) == 0, "stat");
  return st.st_nlink;
}

void LinkAndUnlink(Member& member, const Scene& scene) {
  const std::string file = member.At("file");
  std::vector<std::string> own;
  for (int round = 0; round < scene.rounds; ++round) {
    for (int i = 0; i < 3; ++i) {
      if (!own.empty() && member.Below(2) == 0) {
        member.Must(unlink(own.back().c_str()) == 0, "unlink");
        own.pop_back();
      } else {
        own.push_back(member.At((member.Below(2) == 0 ? "a/" : "b/") + std::to_string(member.id()) + "." +
                                std::to_string(round * 3 + i)));
        member.Must(link(file.c_str(), own.back().c_str()) == 0, "link");
      }
    }
    member.counter(kOwn + member.id()) = static_cast<int64_t>(own.size());
    member.Meet();
    int64_t expected = 1;
    for (int id = 0; id < scene.processes; ++id) expected += member.counter(kOwn + id);
    for (const std::string& path : {file, own.empty() ? file : own.front()}) {
      const auto links = static_cast<int64_t>(LinksOf(member, path));
      if (links != expected && !scene.late)
        member.Fail(path + " has " + std::to_string(links) + " links, not " + std::to_string(expected));
    }
    member.Meet();
  }
  for (const std::string& path : own) member.Must(unlink(path.c_str()) == 0, "unlink");
}

// --- Listers: the last two processes list, the others make and remove names.

constexpr int kStable = 300, kListers = 2;
enum ListCounter { kListersDone };

std::string Stable(int i) { return "stable." + std::to_string(i); }

void Count(const char* name, std::map<std::string, int>& names) { ++names[name]; }

/// By getdents64(2) with so little room that a listing takes many calls; by readdir(3) else.
std::map<std::string, int> List(const Member& member, bool little) {
  std::map<std::string, int> names;
  const int fd = open(member.top().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  member.Must(fd >= 0, "open of the directory");
  std::vector<char> buffer(little ? 512 : 32768);
  long n = 0;
  while ((n = syscall(SYS_getdents64, fd, buffer.data(), buffer.size())) > 0) {
    for (long at = 0; at < n;) {
      const auto* const entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
      Count(entry->d_name, names);
      at += entry->d_reclen;
    }
  }
  member.Must(n == 0, "getdents64");
  close(fd);
  return names;
}

void CheckListings(Member& member, const Scene& scene) {
  for (int round = 0; round < scene.rounds; ++round) {
    const auto names = List(member, member.Below(2) == 0);
    for (int i = 0; i < kStable; ++i) {
      const auto found = names.find(Stable(i));
      const int times = found == names.end() ? 0 : found->second;
      if (times != 1) member.Fail(Stable(i) + " is listed " + std::to_string(times) + " times");
    }
    for (const auto& [name, times] : names) {
      if (!name.starts_with("stable.") && !name.starts_with("churn.") && name != "." && name != "..")
        member.Fail("a name that never was is listed: " + name);
    }
  }
  ++member.counter(kListersDone);
}

void Churn(Member& member) {
  const std::string own = "churn." + std::to_string(member.id()) + ".";
  for (uint64_t i = 0; member.counter(kListersDone) < kListers; ++i) {
    const std::string name = member.At(own + std::to_string(i % 97)), other = member.At(own + "moved");
    const int fd = open(name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    member.Must(fd >= 0 && close(fd) == 0, "create");
    if (i % 2 == 0) {
      member.Must(unlink(name.c_str()) == 0, "unlink");
      continue;
    }
    member.Must(rename(name.c_str(), other.c_str()) == 0 && unlink(other.c_str()) == 0, "rename and unlink");
  }
}

}  // namespace

bool Linkers(const Scene& scene) {
  const auto prepare = [](Member& member) {
    if (member.id() != 0) return;
    for (const char* const d : {"a", "b"}) member.Must(mkdir(member.At(d).c_str(), 0755) == 0, "mkdir");
    const int fd = open(member.At("file").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    member.Must(fd >= 0 && close(fd) == 0, "create");
  };
  return Run(scene, "linked", prepare) &&
         Run(scene, "linked", [&](Member& member) { LinkAndUnlink(member, scene); }) &&
         LeavesOnly(scene, "linked", {"a/", "b/", "file"});
}

bool Listers(const Scene& scene) {
  std::vector<std::string> left;
  for (int i = 0; i < kStable; ++i) left.push_back(Stable(i));
  const auto prepare = [&](Member& member) {
    for (int i = 0; member.id() == 0 && i < kStable; ++i) {
      const int fd =
          open(member.At(left[static_cast<size_t>(i)]).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
      member.Must(fd >= 0 && close(fd) == 0, "create");
    }
  };
  const auto body = [&](Member& member) {
    if (member.id() >= scene.processes - kListers) {
      CheckListings(member, scene);
    } else {
      Churn(member);
    }
  };
  return Run(scene, "listed", prepare) && Run(scene, "listed", body) && LeavesOnly(scene, "listed", left);
}

}  // namespace ocfsgw::storms
