#pragma once

#include <cerrno>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

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

  using Answer = Result<std::string>;

  /// Whether this is an answer to keep: a value that is not too large, or ENODATA.
  static bool Lasts(const Answer& answer) {
    return answer.ok() ? answer->size() <= kValueBytesMax : answer.status().IsErrno(ENODATA);
  }
  std::optional<Answer> Find(const std::string& name) const {
    MutexLock lock(mutex_);
    const auto it = answers_.find(name);
    if (it == answers_.end()) return std::nullopt;
    return it->second.answer;
  }
  /// Keeps it if it lasts. `stored`: it is in the page store.
  void Add(const std::string& name, const Answer& answer, bool stored) {
    if (!Lasts(answer)) return;
    MutexLock lock(mutex_);
    if (answers_.size() < kNamesMax) answers_.try_emplace(name, Known{answer, stored});
  }
  /// True once for each that is kept, unless it is stored already.
  bool FirstToStore(const std::string& name) {
    MutexLock lock(mutex_);
    const auto it = answers_.find(name);
    return it != answers_.end() && !std::exchange(it->second.stored, true);
  }

 private:
  struct Known {
    Answer answer;
    bool stored = false;
  };
  mutable Mutex mutex_;
  std::unordered_map<std::string, Known> answers_ GUARDED_BY(mutex_);
};

}  // namespace ocfsgw::coherence
