#pragma once

#include <cerrno>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/mutex.h"
#include "base/status.h"

namespace ocfsgw::coherence {

/// Extended attributes of an inode as they were asked for under one lease, also those that do not exist;
/// thrown away with it. The kernel keeps none itself and asks for `security.capability` before every write.
/// Thread-safe; its mutex is a leaf.
class Xattrs {
 public:
  /// Larger values are asked for each time. Together with kNamesMax it bounds what one inode takes.
  static constexpr size_t kValueBytesMax = 1024;
  static constexpr size_t kNamesMax = 16;
  /// Stands for the list of names; no attribute has it.
  static constexpr const char* kList = "";

  std::optional<Result<std::string>> Find(const std::string& name) const {
    MutexLock lock(mutex_);
    const auto it = answers_.find(name);
    if (it == answers_.end()) return std::nullopt;
    return it->second;
  }
  /// `answer`: the value, or ENODATA; other errors are not kept.
  void Add(const std::string& name, const Result<std::string>& answer) {
    if (answer.ok() ? answer->size() > kValueBytesMax : !answer.status().IsErrno(ENODATA)) return;
    MutexLock lock(mutex_);
    if (answers_.size() < kNamesMax) answers_.try_emplace(name, answer);
  }

 private:
  mutable Mutex mutex_;
  std::unordered_map<std::string, Result<std::string>> answers_ GUARDED_BY(mutex_);
};

}  // namespace ocfsgw::coherence
