// A cache directory that cannot be used, is damaged, or was used before.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <vector>

#include "tests/mount/files.h"
#include "tests/mount/gateway_mount.h"

namespace ocfsgw::mounttest {
namespace {

constexpr int kFiles = 500;
constexpr size_t kFileBytes = 9000;

class CacheDirectory : public MountTest {
 protected:
  static std::string Name(int i) { return "file" + std::to_string(i); }

  void SetUp() override {
    MountTest::SetUp();
    for (int i = 0; i < kFiles; ++i) ASSERT_TRUE(WriteFile(gateway_.Source(Name(i)), Pattern(kFileBytes, i)));
    ASSERT_TRUE(Eventually([this] { return SourceIsSettled(); }));
  }
  /// Files that changed a moment ago are cached for the present lease only.
  bool SourceIsSettled() const {
    constexpr int64_t kNsPerSecond = 1'000'000'000;
    constexpr int64_t kGuardNs = 100'000'000;
    struct stat st {};
    timespec now{};
    stat(gateway_.Source(Name(kFiles - 1)).c_str(), &st);
    clock_gettime(CLOCK_REALTIME, &now);
    return (now.tv_sec - st.st_ctim.tv_sec) * kNsPerSecond + now.tv_nsec - st.st_ctim.tv_nsec > kGuardNs;
  }
  void ExpectFilesRight() {
    for (int i = 0; i < kFiles; ++i) {
      ASSERT_EQ(ReadFile(gateway_.Mount(Name(i))), Pattern(kFileBytes, i)) << Name(i);
    }
  }
  double FromStore() { return gateway_.Metric("ocfsgw_block_reads_total{from=\"store\"}"); }
  double FromBackend() { return gateway_.Metric("ocfsgw_block_reads_total{from=\"backend\"}"); }
  void FillCache() {
    ASSERT_TRUE(gateway_.Start());
    ExpectFilesRight();
    ASSERT_TRUE(gateway_.Unmount());
  }
  /// Overwrites the files of the database for which `choose(name)` is true; how many.
  template <typename Choose>
  int Damage(const Choose& choose) {
    int damaged = 0;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(gateway_.cache_dir() + "/0/store")) {
      if (!entry.is_regular_file() || entry.file_size() == 0 || !choose(entry.path().filename().string()))
        continue;
      EXPECT_TRUE(OverwriteFile(entry.path(), Pattern(entry.file_size(), ++damaged)));
    }
    return damaged;
  }
  bool SetAside() const {
    for (const auto& entry : std::filesystem::directory_iterator(gateway_.cache_dir() + "/0")) {
      if (entry.path().filename().string().starts_with("store.aside-")) return true;
    }
    return false;
  }
};

TEST_F(CacheDirectory, RestartKeepsTheCache) {
  FillCache();
  ASSERT_TRUE(gateway_.Start());
  ExpectFilesRight();
  const double store = FromStore();
  const double backend = FromBackend();
  std::printf("after the restart: %.0f blocks from the store, %.0f from the backend\n", store, backend);
  EXPECT_GE(store, 0.95 * kFiles);
  EXPECT_LE(backend, 0.05 * kFiles);
}

TEST_F(CacheDirectory, AWalkFindsWhatIsAheadInItIfItReads) {
  ASSERT_TRUE(gateway_.Start());
  std::vector<std::string> paths;  // as they are listed
  for (const auto& entry : std::filesystem::directory_iterator(gateway_.Mount()))
    paths.push_back(entry.path());
  for (const auto& path : paths) Describe(path);
  EXPECT_EQ(FromBackend(), 0) << "it only stats";
  ASSERT_TRUE(gateway_.Unmount());
  ASSERT_TRUE(gateway_.Start());
  for (const auto& path : paths) {
    Describe(path);
    ASSERT_TRUE(ReadFile(path).has_value());
  }
  EXPECT_EQ(FromBackend(), kFiles) << "each once";
  const double ahead = gateway_.Metric("ocfsgw_blocks_ahead_total");
  std::printf("%.0f of %d files were read ahead\n", ahead, kFiles);
  EXPECT_GT(ahead, 0);
}

TEST_F(CacheDirectory, RestartServesNothingThatChangedMeanwhile) {
  FillCache();
  for (int i = 0; i < kFiles; i += 10) {
    ASSERT_TRUE(OverwriteFile(gateway_.Source(Name(i)), Pattern(kFileBytes, kFiles + i)));
  }
  ASSERT_TRUE(gateway_.Start());
  for (int i = 0; i < kFiles; ++i) {
    ASSERT_EQ(ReadFile(gateway_.Mount(Name(i))), Pattern(kFileBytes, i % 10 == 0 ? kFiles + i : i))
        << Name(i);
  }
  EXPECT_GE(FromStore(), 0.85 * kFiles);
}

TEST_F(CacheDirectory, KilledGatewaysCacheIsUsable) {
  ASSERT_TRUE(gateway_.Start());
  ExpectFilesRight();
  gateway_.Kill();
  // On a busy machine the kernel may let go of it a moment after the processes have ended.
  ASSERT_TRUE(Eventually([&] { return umount2(gateway_.Mount().c_str(), 0) == 0; })) << strerror(errno);
  ASSERT_TRUE(gateway_.Start());
  ExpectFilesRight();
}

TEST_F(CacheDirectory, WholeDatabaseDamagedIsSetAside) {
  FillCache();
  ASSERT_GT(Damage([](const std::string&) { return true; }), 0);
  ASSERT_TRUE(gateway_.Start());
  ExpectFilesRight();
  EXPECT_TRUE(SetAside());
  ASSERT_TRUE(gateway_.Restart());
  ExpectFilesRight();
  EXPECT_GE(FromStore(), 0.95 * kFiles) << "the new database is not used";
}

TEST_F(CacheDirectory, ManifestDamagedIsSetAside) {
  FillCache();
  ASSERT_GT(Damage([](const std::string& name) { return name.starts_with("MANIFEST"); }), 0);
  ASSERT_TRUE(gateway_.Start());
  ExpectFilesRight();
  EXPECT_TRUE(SetAside());
}

TEST_F(CacheDirectory, DamagedRecordsAreNotServed) {
  FillCache();
  ASSERT_GT(Damage([](const std::string& name) { return name.ends_with(".sst") || name.ends_with(".blob"); }),
            0);
  ASSERT_TRUE(gateway_.Start());
  ExpectFilesRight();
}

/// Puts a file system of its own at the cache directory.
class Tmpfs {
 public:
  Tmpfs(const std::string& at, const char* options) : at_(at) {
    mounted_ = mount("ocfsgw-test", at.c_str(), "tmpfs", 0, options) == 0;
  }
  ~Tmpfs() { umount2(at_.c_str(), MNT_DETACH); }
  bool mounted() const { return mounted_; }
  bool MakeReadOnly() const {
    return mount(nullptr, at_.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0;
  }

 private:
  const std::string at_;
  bool mounted_ = false;
};

TEST_F(CacheDirectory, ReadOnlyCacheDirectory) {
  const Tmpfs tmpfs(gateway_.cache_dir(), "size=32m");
  ASSERT_TRUE(tmpfs.mounted() && tmpfs.MakeReadOnly());
  ASSERT_TRUE(gateway_.Start());
  ExpectFilesRight();
  EXPECT_TRUE(WriteFile(gateway_.Mount("new"), "written"));
  EXPECT_EQ(ReadFile(gateway_.Source("new")), "written");
  EXPECT_TRUE(gateway_.Unmount());
}

TEST_F(CacheDirectory, FullCacheDirectory) {
  const Tmpfs tmpfs(gateway_.cache_dir(), "size=1m");
  ASSERT_TRUE(tmpfs.mounted());
  WriteFile(gateway_.cache_dir() + "/ballast", Pattern(2 << 20, 1));
  ASSERT_TRUE(gateway_.Start());
  ExpectFilesRight();
  EXPECT_TRUE(gateway_.Unmount());
}

TEST_F(CacheDirectory, CacheDirectoryThatFillsUp) {
  const Tmpfs tmpfs(gateway_.cache_dir(), "size=4m");  // less than the files, far less than cache_size
  ASSERT_TRUE(tmpfs.mounted());
  ASSERT_TRUE(gateway_.Start());
  for (int round = 0; round < 3; ++round) ExpectFilesRight();
  EXPECT_TRUE(gateway_.Unmount());
}

}  // namespace
}  // namespace ocfsgw::mounttest
