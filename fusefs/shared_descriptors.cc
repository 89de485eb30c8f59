#include "fusefs/shared_descriptors.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdlib>

namespace ocfsgw::fusefs {

SharedDescriptors::SharedDescriptors(int passing) : directory_(opendir("/proc/self/fd")), ours_(Open()) {
  ours_.erase(passing);
}

SharedDescriptors::~SharedDescriptors() {
  if (directory_ != nullptr) closedir(directory_);
}

std::set<int> SharedDescriptors::Open() const {
  std::set<int> open;
  if (directory_ == nullptr) return open;
  rewinddir(directory_);
  while (const dirent* const entry = readdir(directory_)) {  // NOLINT(concurrency-mt-unsafe): one thread
    if (entry->d_name[0] != '.') open.insert(std::atoi(entry->d_name));
  }
  return open;
}

std::string SharedDescriptors::PathOf(int fd) const {
  std::array<char, PATH_MAX> path;
  const ssize_t length = readlinkat(dirfd(directory_), std::to_string(fd).c_str(), path.data(), path.size());
  return {path.data(), length > 0 ? static_cast<size_t>(length) : 0};
}

void SharedDescriptors::Close(std::span<const int> keep,
                              const std::function<bool(const std::string& path)>& which) const {
  // From the last to the first: a lock on a directory must outlast what was opened in it.
  const std::set<int> open = Open();
  for (auto it = open.rbegin(); it != open.rend(); ++it) {
    const int fd = *it;
    const bool kept = ours_.contains(fd) || std::find(keep.begin(), keep.end(), fd) != keep.end();
    if (!kept && which(PathOf(fd))) close(fd);
  }
}

}  // namespace ocfsgw::fusefs
