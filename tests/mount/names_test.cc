// Names that the kernel keeps under the directory's lease.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <cstdio>
#include <functional>
#include <random>
#include <thread>

#include "tests/mount/files.h"
#include "tests/mount/gateway_mount.h"

namespace ocfsgw::mounttest {
namespace {

class Names : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    ASSERT_EQ(mkdir(Source("dir").c_str(), 0755), 0);
    ASSERT_TRUE(WriteFile(Source("dir/file"), "one"));
    ASSERT_TRUE(WriteFile(Source("dir/other"), "other"));
  }
  std::string Source(const std::string& path) const { return gateway_.Source(path); }
  std::string Mount(const std::string& path) const { return gateway_.Mount(path); }

  /// How often a name was asked for while it was looked at so often.
  double Asked(const std::string& path, int looks) {
    const auto asked = [this] {
      const nlohmann::json stats = gateway_.Ctl("stats");
      return stats.value("ocfsgw_names_total{from=\"lease\"}", 0.0) +
             stats.value("ocfsgw_names_total{from=\"backend\"}", 0.0);
    };
    const double before = asked();
    for (int i = 0; i < looks; ++i) Describe(Mount(path));
    return asked() - before;
  }
  /// Waits until the kernel trusts every name on the way; a listing is what makes it trust names that it has.
  bool Trusted(const std::string& path) {
    return Eventually([&] {
      List(Mount(""));
      List(Mount("dir"));
      Describe(Mount(path));
      return Asked(path, 1) == 0;
    });
  }
};

TEST_F(Names, NeedNoMessageWhileNobodyChangesThem) {
  ASSERT_TRUE(gateway_.Start());
  for (const char* path : {"dir", "dir/file", "dir/none"}) {
    Describe(Mount(path));
    EXPECT_LE(Asked(path, 100), 1) << path;
  }
}

TEST_F(Names, AreAskedForEachTimeWhereThatIsWanted) {
  ASSERT_TRUE(gateway_.Start("names=none"));
  EXPECT_GE(Asked("dir/file", 10), 20);
  EXPECT_GE(Asked("dir/none", 10), 20);
}

TEST_F(Names, FirstLookAfterAChangeBehindIsRight) {
  ASSERT_TRUE(gateway_.Start("hold_off_ms=10"));
  struct Change {
    const char* path;
    std::function<int(const std::string& source)> make;
  };
  const Change changes[] = {
      {"dir/none", [](const std::string& at) { return WriteFile(at + "/dir/none", "new") ? 0 : -1; }},
      {"dir/none", [](const std::string& at) { return unlink((at + "/dir/none").c_str()); }},
      {"dir/file",
       [](const std::string& at) { return rename((at + "/dir/other").c_str(), (at + "/dir/file").c_str()); }},
      {"dir/file", [](const std::string& at) { return unlink((at + "/dir/file").c_str()); }},
      {"dir/file", [](const std::string& at) { return mkdir((at + "/dir/file").c_str(), 0700); }},
      {"dir/file",
       [](const std::string& at) { return rename((at + "/dir").c_str(), (at + "/moved").c_str()); }},
      {"dir/file", [](const std::string& at) { return mkdir((at + "/dir").c_str(), 0700); }},
  };
  for (size_t i = 0; i < std::size(changes); ++i) {
    ASSERT_TRUE(Trusted(changes[i].path)) << "before change " << i;
    ASSERT_EQ(changes[i].make(Source("")), 0) << i;
    gateway_.Barrier();
    EXPECT_EQ(Describe(Mount(changes[i].path)), Describe(Source(changes[i].path))) << "after change " << i;
  }
}

TEST_F(Names, ChangesThroughTheMountAreSeenAtOnce) {
  ASSERT_TRUE(gateway_.Start("hold_off_ms=10"));
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(Trusted("dir/none"));
    ASSERT_TRUE(WriteFile(Mount("dir/none"), "x"));
    EXPECT_EQ(Describe(Mount("dir/none")), Describe(Source("dir/none")));
    ASSERT_TRUE(Trusted("dir/file"));
    // The kernel renames with the trust it has; behind the gateway the new name then means something else.
    ASSERT_EQ(rename(Mount("dir/file").c_str(), Mount("dir/renamed").c_str()), 0);
    ASSERT_EQ(rename(Source("dir/other").c_str(), Source("dir/renamed").c_str()), 0);
    gateway_.Barrier();
    EXPECT_EQ(Describe(Mount("dir/renamed")), Describe(Source("dir/renamed")));
    EXPECT_EQ(Describe(Mount("dir/file")), Describe(Source("dir/file")));
    ASSERT_TRUE(Trusted("dir/renamed"));
    ASSERT_EQ(renameat2(AT_FDCWD, Mount("dir/renamed").c_str(), AT_FDCWD, Mount("dir/none").c_str(),
                        RENAME_EXCHANGE),
              0);
    EXPECT_EQ(Describe(Mount("dir/renamed")), Describe(Source("dir/renamed")));
    ASSERT_EQ(unlink(Mount("dir/none").c_str()), 0);
    EXPECT_EQ(Describe(Mount("dir/none")), Describe(Source("dir/none")));
    ASSERT_EQ(rename(Mount("dir/renamed").c_str(), Mount("dir/file").c_str()), 0);
    ASSERT_TRUE(WriteFile(Source("dir/other"), "other"));
  }
}

// Into a directory of which the kernel trusts no name, since it is in its hold-off. The file has a second
// name: were it gone, its attributes would give ESTALE, on which the kernel looks the name up anyway.
TEST_F(Names, RenamedIntoAnUnquietDirectoryAreTakenBackThere) {
  ASSERT_EQ(mkdir(Source("busy").c_str(), 0755), 0);
  ASSERT_EQ(link(Source("dir/file").c_str(), Source("second").c_str()), 0);
  ASSERT_TRUE(gateway_.Start("hold_off_ms=60000"));
  ASSERT_TRUE(Trusted("dir/file"));
  ASSERT_TRUE(Trusted("busy/none"));
  ASSERT_TRUE(WriteFile(Source("busy/new"), "new"));
  gateway_.Barrier();
  EXPECT_GE(Asked("busy/none", 10), 10) << "it is to be in its hold-off";
  ASSERT_EQ(rename(Mount("dir/file").c_str(), Mount("busy/file").c_str()), 0);
  ASSERT_EQ(rename(Source("busy/new").c_str(), Source("busy/file").c_str()), 0);
  EXPECT_EQ(Describe(Mount("busy/file")), Describe(Source("busy/file")));
}

TEST_F(Names, WhatIsMountedOnThemSurvivesChangesOfTheDirectory) {
  ASSERT_EQ(mkdir(Source("dir/sub").c_str(), 0755), 0);
  ASSERT_TRUE(gateway_.Start("hold_off_ms=10"));
  ASSERT_EQ(mkdir(gateway_.Beside("above").c_str(), 0755), 0);
  ASSERT_TRUE(WriteFile(gateway_.Beside("above/file"), "above"));
  ASSERT_TRUE(Trusted("dir/sub"));
  ASSERT_TRUE(Trusted("dir/file"));
  ASSERT_EQ(mount(gateway_.Beside("above").c_str(), Mount("dir/sub").c_str(), nullptr, MS_BIND, nullptr), 0);
  ASSERT_EQ(
      mount(gateway_.Beside("above/file").c_str(), Mount("dir/file").c_str(), nullptr, MS_BIND, nullptr), 0);
  const Descriptor sub(open(Mount("dir").c_str(), O_PATH | O_CLOEXEC));
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(Trusted("dir/other"));
    ASSERT_TRUE(WriteFile(Source("dir/new" + std::to_string(i)), "x"));
    gateway_.Barrier();
    EXPECT_EQ(ReadFile(Mount("dir/sub/file")), "above");
    EXPECT_EQ(ReadFile(Mount("dir/file")), "above");
    EXPECT_EQ(ReadFile("/proc/self/fd/" + std::to_string(sub.get()) + "/file"), "above");
    char link[PATH_MAX] = {};
    ASSERT_GT(readlink(("/proc/self/fd/" + std::to_string(sub.get())).c_str(), link, sizeof link - 1), 0);
    EXPECT_EQ(link, Mount("dir")) << "what is a working directory stays one";
  }
  EXPECT_EQ(umount2(Mount("dir/sub").c_str(), 0), 0);
  EXPECT_EQ(umount2(Mount("dir/file").c_str(), 0), 0);
}

// Creators of one directory queue up in the kernel, which asks for its attributes once more when one's turn
// comes: names that cannot be taken back then must not stop anybody.
TEST_F(Names, CreatorsMakeProgressWhileNamesAreTakenBack) {
  constexpr int kCreators = 4, kRounds = 40;
  ASSERT_TRUE(gateway_.Start("hold_off_ms=10"));
  const uint64_t seed = TestSeed();
  std::atomic<int> failures{0};
  for (int round = 0; round < kRounds; ++round) {
    for (const char* name : {"a", "b", "c", "x"}) Describe(Mount(std::string("dir/") + name));
    std::vector<std::thread> threads;
    for (int creator = 0; creator < kCreators; ++creator) {
      threads.emplace_back([&, creator] {
        const std::string path = Mount("dir/") + std::string(1, static_cast<char>('a' + creator));
        const Descriptor fd(open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
        if (fd.get() < 0 || unlink(path.c_str()) != 0) ++failures;
      });
    }
    threads.emplace_back([&] {
      if (std::mt19937_64(seed + round)() % 2 == 0) WriteFile(Source("dir/x"), "x");
      Describe(Mount("dir/x"));
    });
    for (auto& thread : threads) thread.join();
    unlink(Source("dir/x").c_str());
    gateway_.Barrier();
  }
  EXPECT_EQ(failures, 0) << "refused twice";
}

}  // namespace
}  // namespace ocfsgw::mounttest
