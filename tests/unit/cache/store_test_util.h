#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "cache/rocksdb_page_store.h"

namespace ocfsgw::cache {

inline constexpr uint64_t kMiB = 1 << 20;
inline constexpr StampHash kStamp(1);  // where a test needs one

/// A directory under testing::TempDir(), empty at first, deleted at the end.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string name = testing::TempDir() + "/ocfsgw-cache-XXXXXX";
    path_ = mkdtemp(name.data()) == nullptr ? "" : name;
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Random numbers from OCFSGW_TEST_SEED, or a fresh seed; prints how to replay.
inline std::mt19937_64 SeededRandom() {
  const char* const given = std::getenv("OCFSGW_TEST_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  const auto* const test = testing::UnitTest::GetInstance()->current_test_info();
  std::cout << "seed: OCFSGW_TEST_SEED=" << seed << " cache_test --gtest_filter=" << test->test_suite_name()
            << '.' << test->name() << '\n';
  return std::mt19937_64(seed);
}

inline RecordKey Block(uint64_t ino, uint64_t index) {
  return {InodeId{ino, 1}, RecordKind::kData, BlockIndex(index)};
}

/// The one content that may ever be read under this key and stamp: incompressible, `length` bytes.
inline std::string Content(const RecordKey& key, StampHash stamp, size_t length) {
  std::string content(length, '\0');
  uint64_t word = HashMix(HashMix(key.inode.ino, key.index.value), stamp.value);
  for (size_t i = 0; i < length; ++i) {
    if (i % sizeof(word) == 0) {
      word = HashMix(word, i);
    }
    content[i] = static_cast<char>(word >> (8 * (i % sizeof(word))));
  }
  return content;
}

inline void PutContent(PageStore& store, const RecordKey& key, StampHash stamp, size_t length) {
  store.Put(key, stamp, std::make_shared<const std::string>(Content(key, stamp, length)));
}

/// Whether there is a record; fails the test if it is not Content(key, stamp, its length).
inline bool HasRightContent(PageStore& store, const RecordKey& key, StampHash stamp) {
  const auto whole = store.GetWhole(key, stamp);
  if (!whole.ok()) {
    EXPECT_EQ(whole.status().code(), StatusCode::kNotFound);
    return false;
  }
  EXPECT_TRUE(*whole == Content(key, stamp, whole->size())) << "wrong bytes, inode " << key.inode.ino;
  return true;
}

/// What is logged while this lives.
class LogLines {
 public:
  explicit LogLines(const ScratchDirectory& directory) : path_(directory.path() + "/log") {
    log::Options options;
    options.file = path_;
    EXPECT_TRUE(log::Configure(options).ok());
  }
  ~LogLines() { EXPECT_TRUE(log::Configure({}).ok()); }
  size_t Count(const std::string& part) const {
    std::ifstream file(path_);
    size_t count = 0;
    for (std::string line; std::getline(file, line);) {
      count += line.find(part) != std::string::npos ? 1 : 0;
    }
    return count;
  }

 private:
  const std::string path_;
};

struct TestStoreOptions : RocksdbPageStoreOptions {
  std::string directory;  ///< The slot.
};

inline TestStoreOptions StoreOptions(const ScratchDirectory& directory, uint64_t cache_size = 64 * kMiB) {
  TestStoreOptions options;
  options.directory = directory.path() + "/cache";
  options.volume = VolumeId(7);
  options.cache_size = cache_size;
  options.memory_bytes = 1 * kMiB;
  return options;
}

inline Result<std::unique_ptr<RocksdbPageStore>> Open(TestStoreOptions options) {
  OCFSGW_ASSIGN_OR_RETURN(StoreDirectory directory, StoreDirectory::Open(options.directory));
  return RocksdbPageStore::Open(std::move(directory), std::move(options));
}

/// Opens; a failure ends the test program, for there is nothing to go on with.
inline std::unique_ptr<RocksdbPageStore> MustOpen(TestStoreOptions options) {
  auto store = Open(std::move(options));
  if (!store.ok()) {
    std::cerr << "cannot open the store: " << store.status().ToString() << '\n';
    std::abort();
  }
  return std::move(*store);
}

/// Regular files below `directory` whose name ends in `suffix`, sorted.
inline std::vector<std::string> FilesBelow(const std::string& directory, const std::string& suffix = "") {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file() && entry.path().string().ends_with(suffix)) {
      files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

inline void FlipBit(const std::string& path, uint64_t bit) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(bit / 8));
  char byte = 0;
  file.get(byte);
  file.seekp(static_cast<std::streamoff>(bit / 8));
  file.put(static_cast<char>(byte ^ (1 << (bit % 8))));
}

inline size_t CountAsides(const ScratchDirectory& directory) {
  size_t asides = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory.path() + "/cache")) {
    asides += entry.path().filename().string().starts_with("store.aside-") ? 1 : 0;
  }
  return asides;
}

}  // namespace ocfsgw::cache
