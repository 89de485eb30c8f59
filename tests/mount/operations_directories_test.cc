// Reading directories, large ones too, and what the kernel and the gateway remember of what was read.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "tests/mount/operations.h"

namespace ocfsgw::mounttest {
namespace {

class OperationsDirectories : public OperationsTest {
 protected:
  /// Empty files `PREFIX0`, `PREFIX1`, ...
  static bool MakeFiles(const std::string& directory, const std::string& prefix, int count) {
    const Descriptor at(open(directory.c_str(), O_RDONLY | O_DIRECTORY));
    for (int i = 0; i < count; ++i) {
      if (mknodat(at.get(), (prefix + std::to_string(i)).c_str(), S_IFREG | 0600, 0) != 0) return false;
    }
    return true;
  }
};

TEST_F(OperationsDirectories, HundredThousandEntriesOnceEach) {
  constexpr int kEntries = 100'000;
  ASSERT_EQ(mkdir(Source("large").c_str(), 0755), 0);
  ASSERT_TRUE(MakeFiles(Source("large"), "f", kEntries));
  gateway_.Barrier();
  for (int round = 0; round < 2; ++round) {
    const auto names = List(Mount("large"));
    EXPECT_EQ(names.size(), static_cast<size_t>(kEntries));
    EXPECT_TRUE(std::adjacent_find(names.begin(), names.end()) == names.end()) << "a name came twice";
  }

  // While it changes, by the mount and behind it, what was there all the time comes exactly once.
  DIR* const directory = opendir(Mount("large").c_str());
  ASSERT_NE(directory, nullptr);
  std::map<std::string, int> seen;
  int count = 0;
  while (const dirent* const entry = readdir(directory)) {
    ++seen[entry->d_name];
    if (++count % 5000 != 0 || count >= kEntries) continue;
    const std::string changed = std::to_string(count);
    EXPECT_EQ(unlink(Source("large/f" + changed).c_str()), 0);
    EXPECT_EQ(mknod(Mount("large/new" + changed).c_str(), S_IFREG | 0600, 0), 0);
  }
  closedir(directory);
  int wrong = 0;
  for (int i = 0; i < kEntries; ++i) {
    const bool stayed = i % 5000 != 0 || i == 0;
    const auto it = seen.find("f" + std::to_string(i));
    const int times = it == seen.end() ? 0 : it->second;
    if (stayed ? times != 1 : times > 1) ++wrong;
  }
  EXPECT_EQ(wrong, 0);
  gateway_.Barrier();
  EXPECT_TRUE(List(Mount("large")) == List(Source("large")));
  std::filesystem::remove_all(Source("large"));
}

TEST_F(OperationsDirectories, TypesAndInodeNumbers) {
  ASSERT_TRUE(WriteFile(Mount("file"), ""));
  ASSERT_EQ(mkdir(Mount("dir").c_str(), 0755), 0);
  ASSERT_EQ(symlink("file", Mount("link").c_str()), 0);
  ASSERT_EQ(mkfifo(Mount("fifo").c_str(), 0600), 0);
  const auto entries = [](const std::string& path) {
    std::map<std::string, std::pair<int, ino_t>> found;
    DIR* const directory = opendir(path.c_str());
    if (directory == nullptr) return found;
    while (const dirent* const entry = readdir(directory)) {
      const bool is_parent = std::string(entry->d_name) == "..";
      found[entry->d_name] = {entry->d_type, is_parent ? 0 : entry->d_ino};
    }
    closedir(directory);
    return found;
  };
  EXPECT_EQ(entries(Mount()), entries(Source()));
  EXPECT_EQ(entries(Mount("dir")), entries(Source("dir")));
}

TEST_F(OperationsDirectories, SeekTellRewind) {
  ASSERT_TRUE(MakeFiles(Source(), "f", 1000));
  gateway_.Barrier();
  DIR* const directory = opendir(Mount().c_str());
  ASSERT_NE(directory, nullptr);
  std::vector<std::pair<long, std::string>> entries;  // position before the entry, name
  for (;;) {
    const long at = telldir(directory);
    const dirent* const entry = readdir(directory);
    if (entry == nullptr) break;
    entries.emplace_back(at, entry->d_name);
  }
  EXPECT_EQ(entries.size(), 1002U);
  for (const size_t index : {999UL, 5UL, 1001UL, 0UL, 500UL, 1UL}) {
    seekdir(directory, entries[index].first);
    for (size_t i = index; i < std::min<size_t>(index + 3, entries.size()); ++i) {
      const dirent* const entry = readdir(directory);
      ASSERT_NE(entry, nullptr);
      EXPECT_EQ(entry->d_name, entries[i].second);
    }
  }
  ASSERT_TRUE(WriteFile(Mount("new"), ""));
  rewinddir(directory);
  std::set<std::string> again;
  while (const dirent* const entry = readdir(directory)) again.insert(entry->d_name);
  closedir(directory);
  EXPECT_EQ(again.size(), 1003U) << "a rewound directory shows what is there now";
  EXPECT_TRUE(again.contains("new"));
}

TEST_F(OperationsDirectories, EmptyAndRemovedWhileOpen) {
  ASSERT_EQ(mkdir(Mount("dir").c_str(), 0755), 0);
  EXPECT_EQ(List(Mount("dir")), std::vector<std::string>{});
  DIR* const directory = opendir(Mount("dir").c_str());
  ASSERT_NE(directory, nullptr);
  ASSERT_EQ(rmdir(Mount("dir").c_str()), 0);
  while (const dirent* const entry = readdir(directory)) {
    EXPECT_TRUE(std::string(entry->d_name) == "." || std::string(entry->d_name) == "..");
  }
  closedir(directory);
}

class LookupCounts : public OperationsDirectories {
 protected:
  static constexpr int kDirectories = 40;
  static constexpr int kFilesEach = 500;

  void SetUp() override {
    MountTest::SetUp();
    for (int d = 0; d < kDirectories; ++d) {
      const std::string directory = Source("d" + std::to_string(d));
      ASSERT_EQ(mkdir(directory.c_str(), 0755), 0);
      ASSERT_TRUE(MakeFiles(directory, "f", kFilesEach));
    }
  }
  int Descriptors() const {
    const std::filesystem::directory_iterator fds("/proc/" + std::to_string(gateway_.pid()) + "/fd");
    return static_cast<int>(std::distance(begin(fds), end(fds)));
  }
  /// stat of everything; how many objects, the root not counted. `each` after every directory.
  template <typename Each>
  int Walk(const Each& each) {
    int found = 0;
    for (const std::string& directory : List(Mount())) {
      ++found;
      for (const std::string& name : List(Mount(directory))) {
        struct stat st {};
        if (stat(Mount(directory + "/" + name).c_str(), &st) == 0) ++found;
      }
      each();
    }
    return found;
  }
};

/// One walk for both, since it takes long.
TEST_F(LookupCounts, DescriptorsAreBoundedAndNothingIsKnownAfterTheKernelForgot) {
  constexpr int kLeases = 100;
  constexpr int kObjects = kDirectories * (kFilesEach + 1);
  ASSERT_TRUE(gateway_.Start("max_leases=" + std::to_string(kLeases)));
  const int before = Descriptors();
  int most = 0;
  EXPECT_EQ(Walk([&] { most = std::max(most, Descriptors()); }), kObjects);
  const double known = gateway_.Metric("ocfsgw_inodes_known");
  std::printf("descriptors: %d before, %d at most; %.0f inodes known\n", before, most, known);
  EXPECT_LE(most, before + kLeases + 150) << "64 workers and 32 acquisitions, each with a few of its own";
  EXPECT_LE(gateway_.Metric("ocfsgw_leases_held"), kLeases + 32);

  EXPECT_GT(known, 0.5 * kObjects) << "the kernel forgot before it was told to: this test shows nothing";
  ASSERT_TRUE(WriteFile("/proc/sys/vm/drop_caches", "2\n"));
  EXPECT_TRUE(Eventually([&] { return gateway_.Metric("ocfsgw_inodes_known") <= 5; }))
      << gateway_.Metric("ocfsgw_inodes_known") << " inodes are known, of " << known;
  EXPECT_EQ(List(Mount("d7")), List(Source("d7")));
  EXPECT_EQ(Describe(Mount("d7/f7")), Describe(Source("d7/f7")));
}

}  // namespace
}  // namespace ocfsgw::mounttest
