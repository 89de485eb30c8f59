#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <array>
#include <map>
#include <string>
#include <vector>

#include "tests/posix/differential/step.h"

namespace ocfsgw::posixdiff {

struct Watching {
  bool steps = false;  ///< Look at what a step changed after each, which also fills caches.
  bool ctimes =
      false;  ///< The clock of the file system is fine enough to tell whether a step changed a ctime.
};

/// A fresh directory with the fixture on one file system, and a process for each user that works in it.
class World {
 public:
  World(std::string directory, const std::vector<Step>& steps, Watching watching);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// Has the step done and tells all that can be compared, "hung" if it takes too long.
  std::string Do(size_t index);
  std::string Tree() const;

 private:
  [[noreturn]] void Serve(size_t user, int socket, const std::vector<Step>& steps) const;
  std::string Look(const Step& step);
  std::string CtimeText(ino_t inode, const timespec& time);
  std::string LookAt(const char* what, const std::string& path, ino_t* inode);

  const std::string directory_;  ///< The working directory is further down, so that `..` stays inside.
  const std::string top_;
  const std::vector<Step>& steps_;
  const Watching watching_;
  int top_fd_ = -1;
  bool flags_set_ = false;  ///< A file is or was immutable or append-only.
  std::array<pid_t, 3> processes_{};
  std::array<int, 3> sockets_{};
  std::map<ino_t, timespec> ctimes_;
};

}  // namespace ocfsgw::posixdiff
