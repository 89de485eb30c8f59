#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "ocfs2-backend/posix_backend.h"

namespace ocfsgw::ocfs2 {

/// A directory below `base` that goes away with the object.
class TempDir {
 public:
  explicit TempDir(const std::string& base) : path_(base + "/ocfsgw-test-XXXXXX") {
    EXPECT_NE(::mkdtemp(path_.data()), nullptr) << base;
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  void WriteFile(const std::string& name, const std::string& content) const {
    std::ofstream(*this / name) << content;
  }

 private:
  std::string path_;
};

inline std::unique_ptr<PosixBackend> OpenBackend(const std::string& path) {
  auto source = SourceMount::Open(path);
  EXPECT_TRUE(source.ok()) << source.status().ToString();
  auto backend = PosixBackend::Open(*std::move(source));
  EXPECT_TRUE(backend.ok()) << backend.status().ToString();
  return *std::move(backend);
}

}  // namespace ocfsgw::ocfs2
