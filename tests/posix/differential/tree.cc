#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <stdexcept>
#include <vector>

#include "tests/posix/differential/actor.h"
#include "tests/posix/differential/fixture.h"

namespace ocfsgw::posixdiff {
namespace {

constexpr off_t kReadWhole = 4 << 20;
constexpr off_t kReadOfLarge = 1 << 16;

std::string ReadAt(int fd, off_t offset, off_t size) {
  std::string data(static_cast<size_t>(size), '\0');
  size_t done = 0;
  while (done < data.size()) {
    const ssize_t got = pread(fd, data.data() + done, data.size() - done, offset + static_cast<off_t>(done));
    if (got < 0) return Outcome(got);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  data.resize(done);
  return Bytes(data);
}

/// All of it, or of a file that is mostly a hole both ends.
std::string Contents(const std::string& path, off_t size) {
  const int fd = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return "unreadable " + Outcome(fd);
  const std::string text = size <= kReadWhole ? ReadAt(fd, 0, size + 1)
                                              : ReadAt(fd, 0, kReadOfLarge) + " ... " +
                                                    ReadAt(fd, size - kReadOfLarge, kReadOfLarge);
  close(fd);
  return text;
}

std::string Xattrs(const std::string& path) {
  static char names[70'000];
  static char value[70'000];
  const ssize_t listed = llistxattr(path.c_str(), names, sizeof names);
  if (listed < 0) return " xattrs " + Outcome(listed);
  std::vector<std::string> all;
  for (const char* name = names; name < names + listed; name += std::strlen(name) + 1) {
    const ssize_t got = lgetxattr(path.c_str(), name, value, sizeof value);
    all.push_back(" " + Quote(name) + "=" + Bytes(got, value));
  }
  std::sort(all.begin(), all.end());
  std::string text;
  for (const std::string& one : all) text += one;
  return text;
}

class Tree {
 public:
  void Add(const std::string& path, const std::string& name) {
    struct stat st {};
    if (lstat(path.c_str(), &st) != 0) {
      lines_ += Quote(name) + ": " + Outcome(-1) + "\n";
      return;
    }
    lines_ += Quote(name) + ": " + StatText(st);
    if (!S_ISDIR(st.st_mode) && !first_name_.emplace(st.st_ino, name).second) {
      lines_ += " same file as " + Quote(first_name_[st.st_ino]);
    }
    if (S_ISREG(st.st_mode)) lines_ += " contents " + Contents(path, st.st_size);
    if (S_ISLNK(st.st_mode)) {
      char target[5000];
      lines_ += " to " + Bytes(readlink(path.c_str(), target, sizeof target), target);
    }
    lines_ += Xattrs(path) + "\n";
    if (S_ISDIR(st.st_mode)) AddChildren(path, name);
  }
  const std::string& lines() const { return lines_; }

 private:
  void AddChildren(const std::string& path, const std::string& name) {
    DIR* const stream = opendir(path.c_str());
    if (stream == nullptr) throw std::runtime_error("cannot list " + path + ": " + Outcome(-1));
    std::vector<std::string> names;
    while (const dirent* const entry = readdir(stream)) {
      if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0)
        names.emplace_back(entry->d_name);
    }
    closedir(stream);
    std::sort(names.begin(), names.end());
    for (const std::string& child : names) Add(path + "/" + child, name.empty() ? child : name + "/" + child);
  }

  std::string lines_;
  std::map<ino_t, std::string> first_name_;
};

}  // namespace

std::string TreeText(const std::string& directory) {
  Tree tree;
  tree.Add(directory, "");
  return tree.lines();
}

}  // namespace ocfsgw::posixdiff
