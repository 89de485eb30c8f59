#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>

#include "tests/posix/storms/storms.h"

namespace ocfsgw::storms {
namespace {

constexpr int kSharedDirectories = 3, kNames = 12;
constexpr const char* kIsDirectory = "/";

/// The names of one process: path -> contents, or kIsDirectory.
class Own {
 public:
  explicit Own(Member& member) : member_(member) {}

  void Step() {
    const std::string path = Draw();
    const auto found = model_.find(path);
    if (found == model_.end()) {
      member_.Below(4) == 0 ? MakeDirectory(path) : MakeFile(path);
    } else {
      switch (member_.Below(3)) {
        case 0:
          Remove(path);
          break;
        case 1:
          Rename(path, Draw());
          break;
        default:
          Rename(path, Draw());
          Check(Draw());
      }
    }
    Check(path);
  }
  void CheckAll() const {
    for (const auto& [path, contents] : model_) Check(path);
    const std::string mine = "/" + std::to_string(member_.id()) + ".";
    std::vector<std::string> seen;
    for (const std::string& path : Tree(member_.top())) {
      if (path.find(mine) != std::string::npos) seen.push_back(path);
    }
    if (seen.size() != model_.size())
      member_.Fail("it has " + std::to_string(seen.size()) + " names in the end, not " +
                   std::to_string(model_.size()));
  }
  void RemoveAll() {
    while (!model_.empty()) {
      const std::string last = model_.rbegin()->first;  // what is in a directory comes after it
      Remove(last);
    }
  }

 private:
  /// A name of ours in a shared directory, or in a directory of ours there.
  std::string Draw() const {
    const std::string id = std::to_string(member_.id()) + ".";
    std::string path = "s" + std::to_string(member_.Below(kSharedDirectories)) + "/" + id;
    path += std::to_string(member_.Below(kNames));
    const auto found = model_.find(path);
    if (found != model_.end() && found->second == kIsDirectory && member_.Below(2) == 0)
      path += "/" + id + std::to_string(member_.Below(kNames));
    return path;
  }
  bool IsDirectory(const std::string& path) const {
    const auto found = model_.find(path);
    return found != model_.end() && found->second == kIsDirectory;
  }
  bool HasChildren(const std::string& path) const {
    const auto next = model_.upper_bound(path + "/");
    return next != model_.end() && next->first.starts_with(path + "/");
  }
  void Expect(int error, int result, const std::string& what) const {
    const int got = result == 0 ? 0 : errno;
    // EEXIST and ENOTEMPTY mean the same of a directory.
    if (got == error || (error == ENOTEMPTY && got == EEXIST)) return;
    member_.Fail(what + ": expected " + std::strerror(error) + ", got " + std::strerror(got));
  }

  void MakeDirectory(const std::string& path) {
    Expect(0, mkdir(member_.At(path).c_str(), 0755), "mkdir " + path);
    model_[path] = kIsDirectory;
  }
  void MakeFile(const std::string& path) {
    const int fd = open(member_.At(path).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    member_.Must(fd >= 0, "create " + path);
    const std::string contents = path + " " + std::to_string(++made_);
    member_.Must(write(fd, contents.data(), contents.size()) == static_cast<ssize_t>(contents.size()),
                 "write");
    close(fd);
    model_[path] = contents;
  }
  void Remove(const std::string& path) {
    const std::string full = member_.At(path);
    if (!IsDirectory(path)) {
      Expect(0, unlink(full.c_str()), "unlink " + path);
    } else {
      const bool full_of = HasChildren(path);
      Expect(full_of ? ENOTEMPTY : 0, rmdir(full.c_str()), "rmdir " + path);
      if (full_of) return;
    }
    model_.erase(path);
  }
  void Rename(const std::string& from, const std::string& to) {
    if (from == to || to.starts_with(from + "/")) return;
    const auto target = model_.find(to);
    int error = 0;
    if (target != model_.end()) {
      error = IsDirectory(from) && !IsDirectory(to)   ? ENOTDIR
              : !IsDirectory(from) && IsDirectory(to) ? EISDIR
              : IsDirectory(to) && HasChildren(to)    ? ENOTEMPTY
                                                      : 0;
      // An ancestor is refused as such.
      if (from.starts_with(to + "/")) error = ENOTEMPTY;
    }
    Expect(error, rename(member_.At(from).c_str(), member_.At(to).c_str()), "rename " + from + " " + to);
    if (error != 0) return;
    model_.erase(to);
    std::map<std::string, std::string> moved;
    for (auto it = model_.lower_bound(from); it != model_.end() && it->first.starts_with(from);) {
      const bool part = it->first == from || it->first[from.size()] == '/';
      if (part) moved[to + it->first.substr(from.size())] = it->second;
      it = part ? model_.erase(it) : std::next(it);
    }
    model_.merge(moved);
    Check(from);
    Check(to);
  }
  void Check(const std::string& path) const {
    const auto found = model_.find(path);
    struct stat st {};
    const int result = lstat(member_.At(path).c_str(), &st);
    if (found == model_.end()) {
      // Its directory may not be there either, or be a file now.
      if (result == 0 || (errno != ENOENT && errno != ENOTDIR))
        member_.Fail(path + " is there and should not be");
      return;
    }
    member_.Must(result == 0, path + " should be there");
    if (S_ISDIR(st.st_mode) != (found->second == kIsDirectory)) member_.Fail(path + " is of the wrong kind");
    if (found->second == kIsDirectory) return;
    int error = 0;
    const std::string contents = ReadAll(member_.At(path), &error);
    if (contents != found->second)
      member_.Fail(path + " has '" + contents + "', not '" + found->second + "'");
  }

  Member& member_;
  std::map<std::string, std::string> model_;
  uint64_t made_ = 0;
};

}  // namespace

bool Neighbours(const Scene& scene) {
  std::vector<std::string> left;
  for (int i = 0; i < kSharedDirectories; ++i) left.push_back("s" + std::to_string(i) + "/");
  const auto prepare = [&](Member& member) {
    for (const std::string& path : left) {
      if (member.id() == 0) member.Must(mkdir(member.At(path).c_str(), 0755) == 0, "mkdir");
    }
  };
  const auto body = [&](Member& member) {
    Own own(member);
    for (int round = 0; round < scene.rounds; ++round) own.Step();
    member.Meet();
    own.CheckAll();
    member.Meet();
    own.RemoveAll();
  };
  return Run(scene, "neighbours", prepare) && Run(scene, "neighbours", body) &&
         LeavesOnly(scene, "neighbours", left);
}

}  // namespace ocfsgw::storms
