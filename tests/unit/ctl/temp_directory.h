#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

namespace ocfsgw::ctl {

/// An empty directory that is gone with everything in it at the end.
class TempDirectory {
 public:
  TempDirectory() {
    char name[] = "/tmp/ocfsgw_ctl_test.XXXXXX";
    path_ = mkdtemp(name);
  }
  ~TempDirectory() { std::filesystem::remove_all(path_); }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace ocfsgw::ctl
