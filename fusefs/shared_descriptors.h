#pragma once

#include <dirent.h>

#include <functional>
#include <set>
#include <span>
#include <string>

namespace ocfsgw::fusefs {

/// The table of descriptors that guardian and gateway share: what is in it that the guardian did not have at
/// first. Used by one thread.
class SharedDescriptors {
 public:
  /// Everything that is open now stays open, but for `passing`, whose number may be used again.
  explicit SharedDescriptors(int passing);
  ~SharedDescriptors();
  /// False where /proc is missing: then nothing else may be called.
  bool ok() const { return directory_ != nullptr; }
  SharedDescriptors(const SharedDescriptors&) = delete;
  SharedDescriptors& operator=(const SharedDescriptors&) = delete;

  /// Closes what was opened since, except those in `keep`, and of that what `which` is true for: it gets what
  /// readlink(2) shows of the descriptor, since asking the file itself could wait for the lock manager.
  void Close(std::span<const int> keep, const std::function<bool(const std::string& path)>& which) const;
  /// What readlink(2) shows of a descriptor, empty if it is not open.
  std::string PathOf(int fd) const;

 private:
  std::set<int> Open() const;

  DIR* const directory_;  ///< Open from the beginning: later there may be no descriptor left.
  std::set<int> ours_;
};

}  // namespace ocfsgw::fusefs
