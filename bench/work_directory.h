#pragma once

#include <string>

#include "base/status.h"

namespace ocfsgw::bench {

/// A new, empty directory below another, removed with all that is in it by Remove() or the destructor.
/// Thread-compatible.
class WorkDirectory {
 public:
  /// kSystem, message `parent`: ENOTDIR if that is no directory, EROFS, EACCES, ENOSPC and others of
  /// mkdtemp(3) if nothing can be made there.
  static Result<WorkDirectory> MakeIn(const std::string& parent);
  ~WorkDirectory();
  WorkDirectory(WorkDirectory&& other) noexcept;
  WorkDirectory& operator=(WorkDirectory&&) = delete;

  const std::string& path() const { return path_; }
  /// From now on it stays.
  void Keep() { keep_ = true; }
  /// Unless it is to be kept. kSystem if something cannot be removed; the destructor does not try again.
  Status Remove();

 private:
  explicit WorkDirectory(std::string path) : path_(std::move(path)) {}

  std::string path_;
  bool keep_ = false;
};

}  // namespace ocfsgw::bench
