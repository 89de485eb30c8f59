#pragma once

#include <sys/types.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/mount/process.h"

namespace ocfsgw::mounttest {

/// Holds up what one process does with files, at the file system's door (permission events of fanotify(7)),
/// and lets it go when the test says so. This is what OCFS2 does to a gateway when the writer of another node
/// is ahead of it in the queue for a lock, but at a moment of the test's choice. Thread-safe.
class HeldAccess {
 public:
  HeldAccess();
  /// Lets everything go.
  ~HeldAccess();
  HeldAccess(const HeldAccess&) = delete;
  HeldAccess& operator=(const HeldAccess&) = delete;

  /// Takes note of reads of a file; of opens, too, if told so. Before the process opens it: what was open
  /// when nobody watched the file system is never held.
  bool Watch(const std::string& file, bool opens = false);
  /// Opens of what is in a directory, also of what is created there.
  bool WatchChildren(const std::string& directory);
  /// Holds what process `pid` begins from now on.
  void HoldOf(pid_t pid);
  /// Ends the holding, of one file or of all, and lets go what is held.
  void LetGo(const std::string& file);
  void LetGo();
  /// Lets one go that waits for this file.
  void LetOneGo(const std::string& file);
  /// How many wait for this file now; waits until there are so many.
  size_t held(const std::string& file) const;
  bool Await(const std::string& file, size_t count) const;

 private:
  struct Event {
    int fd;
    ino_t inode;
  };
  void Receive();
  void Answer(const Event& event) const;
  void LetGoIf(const std::vector<ino_t>& inodes, bool all, size_t most);

  const int fanotify_;
  int stop_[2] = {-1, -1};
  std::atomic<pid_t> pid_{0};
  mutable std::mutex mutex_;
  std::vector<Event> held_;
  std::set<ino_t> free_;  ///< Not held any more.
  std::thread receiver_;
};

}  // namespace ocfsgw::mounttest
