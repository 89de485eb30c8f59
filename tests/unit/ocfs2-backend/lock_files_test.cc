#include "ocfs2-backend/lock_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <thread>
#include <vector>

#include "tests/unit/ocfs2-backend/temp_dir.h"

namespace ocfsgw::ocfs2 {
namespace {

constexpr const char* kDomain = "29ECA91BEF814E4B959F4904AA7D2427";
constexpr size_t kBudget = 40;

std::string Name(int i) { return fmt::format("M000000{:016x}00000000", i); }

struct LockFilesTest : testing::Test {
  const TempDir dlmfs{"/tmp"};

  std::shared_ptr<LockFiles> Join() const {
    auto joined = LockFiles::Join(dlmfs.path(), kDomain, kBudget);
    EXPECT_TRUE(joined.ok()) << joined.status().ToString();
    return *joined;
  }
  static LockFile Open(LockFiles& files, int i) {
    auto opened = files.Open(Name(i));
    EXPECT_TRUE(opened.ok()) << i << ": " << opened.status().ToString();
    return *std::move(opened);
  }
  static void Touch(LockFiles& files, int begin, int end) {
    for (int i = begin; i < end; ++i) Open(files, i);
  }
  bool Exists(int i) const { return std::filesystem::exists(dlmfs / kDomain + "/" + Name(i)); }
  size_t Count() const {
    const std::filesystem::directory_iterator files(dlmfs / kDomain);
    return static_cast<size_t>(std::distance(begin(files), end(files)));
  }
  // What somebody gets who wants to unlink all of it.
  bool ExclusiveToBeHad() const {
    const UniqueFd fd(::open((dlmfs / kDomain).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0;
  }
};

TEST_F(LockFilesTest, BeyondTheBudgetTheOldestClosedOnesGo) {
  const auto files = Join();
  const LockFile held = Open(*files, 0);
  Touch(*files, 1, 41);
  Open(*files, 1);  // used again: not the oldest any more
  Touch(*files, 41, 60);
  EXPECT_LE(Count(), kBudget);
  EXPECT_EQ(files->known(), Count());
  EXPECT_TRUE(Exists(0)) << "is open";
  EXPECT_TRUE(Exists(1));
  EXPECT_FALSE(Exists(2));
  EXPECT_TRUE(Exists(59));
  Open(*files, 2);
  EXPECT_TRUE(Exists(2)) << "can be had again";
}

TEST_F(LockFilesTest, ThreadsDoNotTakeOneAnotherForAnotherGateway) {
  constexpr int kThreads = 8;
  const auto files = Join();
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&files, t] { Touch(*files, 1000 * t, 1000 * t + 500); });
  }
  for (auto& thread : threads) thread.join();
  const size_t left = files->known();
  Touch(*files, 9000, 9100);  // one alone catches up with what eight have made, and is not put off
  EXPECT_TRUE(files->known() <= kBudget || files->known() + 1000 <= left) << left << ", " << files->known();
  EXPECT_EQ(files->known(), Count());
}

TEST_F(LockFilesTest, OpenFilesMayExceedTheBudget) {
  const auto files = Join();
  std::vector<LockFile> held;
  for (int i = 0; i < 100; ++i) held.push_back(Open(*files, i));
  EXPECT_EQ(Count(), 100U);
  held.clear();
  Touch(*files, 100, 110);
  EXPECT_LE(Count(), kBudget);
}

TEST_F(LockFilesTest, NothingIsUnlinkedWhileAnotherGatewayUsesTheDomain) {
  const auto files = Join();
  auto other = Join();
  Touch(*files, 0, 200);
  EXPECT_EQ(Count(), 200U);
  other.reset();
  EXPECT_FALSE(ExclusiveToBeHad()) << "the attempt gave up what says that this gateway uses the domain";
  Touch(*files, 200, 600);
  EXPECT_LE(Count(), kBudget);
}

TEST_F(LockFilesTest, NothingIsUnlinkedWhileSomebodyElseIsAboutTo) {
  const auto files = Join();
  const UniqueFd root(::open(dlmfs.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_EQ(::flock(root.get(), LOCK_EX), 0);
  Touch(*files, 0, 100);
  EXPECT_EQ(Count(), 100U);
}

TEST_F(LockFilesTest, FilesOfAnEarlierLifeGoFirst) {
  Touch(*Join(), 0, 30);
  EXPECT_TRUE(ExclusiveToBeHad());
  const auto files = Join();
  EXPECT_FALSE(ExclusiveToBeHad());
  EXPECT_EQ(files->known(), 30U);
  Touch(*files, 100, 120);
  for (int i = 100; i < 120; ++i) EXPECT_TRUE(Exists(i));
  EXPECT_LE(Count(), kBudget);
}

TEST_F(LockFilesTest, WhatIsClosedForGoodGoesAtOnceUnlessSomebodyElseHasTheDomain) {
  const auto files = Join();
  Touch(*files, 0, 3);
  LockFile again = Open(*files, 0);
  Open(*files, 0).CloseForGood();
  EXPECT_TRUE(Exists(0)) << "is open";
  again.CloseForGood();
  EXPECT_FALSE(Exists(0));
  EXPECT_TRUE(Exists(1));
  auto other = Join();
  Open(*files, 1).CloseForGood();
  EXPECT_TRUE(Exists(1));
  other.reset();
  Open(*files, 2).CloseForGood();
  EXPECT_FALSE(Exists(1));
  EXPECT_FALSE(Exists(2));
  EXPECT_EQ(files->known(), 0U);
}

TEST_F(LockFilesTest, OpenLocksOfAnEarlierLifeAreGoneOnceItHasJoined) {
  std::filesystem::create_directory(dlmfs / kDomain);
  for (int i = 0; i < 100; ++i) {
    for (const char kind : {'O', 'M'}) {
      std::string name = Name(i);
      name[0] = kind;
      const UniqueFd made(::open((dlmfs / kDomain + "/" + name).c_str(), O_CREAT | O_RDONLY, 0600));
    }
  }
  EXPECT_EQ(Count(), 200U);
  const auto files = Join();
  EXPECT_EQ(Count(), 100U);
  EXPECT_TRUE(Exists(99));
}

TEST_F(LockFilesTest, WhatIsNoLockFileIsLeftAlone) {
  ASSERT_EQ(::mkdir((dlmfs / kDomain).c_str(), 0700), 0);
  dlmfs.WriteFile(std::string(kDomain) + "/notes", "");
  Touch(*Join(), 0, 100);
  EXPECT_TRUE(std::filesystem::exists(dlmfs / kDomain + "/notes"));
}

}  // namespace
}  // namespace ocfsgw::ocfs2
