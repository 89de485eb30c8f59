// Sealing trees of a local file system, which has immutable inodes, too.
#include "coherence/sealer.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/unit/ocfs2-backend/temp_dir.h"

namespace ocfsgw::ocfs2 {
namespace {

namespace fs = std::filesystem;
using coherence::NodeRef;
using coherence::Seal;
using coherence::Sealer;

bool SetImmutable(const std::string& path, bool immutable) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  int flags = 0;
  if (!fd || ::ioctl(fd.get(), FS_IOC_GETFLAGS, &flags) != 0) return false;
  flags = immutable ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
  return ::ioctl(fd.get(), FS_IOC_SETFLAGS, &flags) == 0;
}

bool IsImmutable(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  int flags = 0;
  EXPECT_EQ(::ioctl(fd.get(), FS_IOC_GETFLAGS, &flags), 0) << path;
  return (flags & FS_IMMUTABLE_FL) != 0;
}

class SealerTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(tree_ + "/a/b");
    for (const char* const file : {"tree/f", "tree/a/g", "tree/a/b/h", "outside"}) dir_.WriteFile(file, file);
    fs::create_symlink("f", tree_ + "/link");
    ASSERT_EQ(::mkfifo((tree_ + "/fifo").c_str(), 0600), 0);
    if (::geteuid() != 0 || !SetImmutable(dir_ / "outside", true)) {
      GTEST_SKIP() << "NOT TESTED: needs root and a file system with immutable inodes in /tmp";
    }
    ASSERT_TRUE(SetImmutable(dir_ / "outside", false));
  }
  void TearDown() override {
    for (const auto& entry : fs::recursive_directory_iterator(dir_.path())) {
      if (entry.is_regular_file() || entry.is_directory()) SetImmutable(entry.path(), false);
    }
  }

  NodeRef Tree() { return backend_->Lookup(backend_->Root(), "tree")->node; }
  Result<Sealer::Report> SealIt(const Sealer::Progress& progress = [](uint64_t) { return true; }) {
    return Sealer(*backend_, progress).Seal(Tree(), "tree");
  }
  Result<Sealer::Report> UnsealIt(const Sealer::Progress& progress = [](uint64_t) { return true; }) {
    return Sealer(*backend_, progress).Unseal(Tree(), "tree");
  }
  std::string Attribute() { return backend_->GetXattr(Tree(), Seal::kName).ok() ? "there" : "none"; }
  bool IsSealed() {
    const auto text = backend_->GetXattr(Tree(), Seal::kName);
    if (!text.ok()) return false;
    const auto seal = Seal::Parse(*text);
    auto attr = backend_->Stat(Tree());
    attr->immutable = IsImmutable(tree_);
    return seal.ok() && seal->Covers(*attr);
  }
  /// How many of the tree's six files and directories are immutable.
  int Immutable() {
    int count = IsImmutable(tree_) ? 1 : 0;
    for (const char* const path : {"/f", "/a", "/a/g", "/a/b", "/a/b/h"}) count += IsImmutable(tree_ + path);
    return count;
  }
  /// Refused for that reason, and the tree as it was.
  void ExpectRefused(const std::string& why) {
    const auto sealed = SealIt();
    ASSERT_FALSE(sealed.ok());
    EXPECT_NE(sealed.status().ToString().find(why), std::string::npos) << sealed.status().ToString();
    EXPECT_EQ(Attribute(), "none");
  }

  TempDir dir_{"/tmp"};
  const std::string tree_ = dir_ / "tree";
  std::unique_ptr<PosixBackend> backend_ = OpenBackend(dir_.path());
};

TEST_F(SealerTest, MakesAllOfATreeImmutableAndChangeableAgain) {
  const auto sealed = SealIt();
  ASSERT_TRUE(sealed.ok()) << sealed.status().ToString();
  EXPECT_EQ(sealed->inodes, 6u);
  EXPECT_FALSE(sealed->already);
  EXPECT_EQ(Immutable(), 6);
  EXPECT_TRUE(IsSealed());
  EXPECT_LT(::open((tree_ + "/a/b/h").c_str(), O_WRONLY | O_CLOEXEC), 0);
  EXPECT_EQ(errno, EPERM);
  EXPECT_NE(::unlink((tree_ + "/link").c_str()), 0);
  const std::string attribute = *backend_->GetXattr(Tree(), Seal::kName);
  const auto again = SealIt();
  ASSERT_TRUE(again.ok()) << again.status().ToString();
  EXPECT_TRUE(again->already);
  EXPECT_EQ(again->inodes, 6u);
  EXPECT_EQ(*backend_->GetXattr(Tree(), Seal::kName), attribute) << "leases of it go on";
  const auto unsealed = UnsealIt();
  ASSERT_TRUE(unsealed.ok()) << unsealed.status().ToString();
  EXPECT_EQ(unsealed->inodes, 6u);
  EXPECT_EQ(Immutable(), 0);
  EXPECT_EQ(Attribute(), "none");
  EXPECT_TRUE(UnsealIt().status().Is(StatusCode::kNotFound));
}

TEST_F(SealerTest, StoppedAnywhereItIsNotSealedAndCanBeFinishedOrUndone) {
  for (uint64_t stop = 1; stop <= 6; ++stop) {
    const auto half = [&](uint64_t inodes) { return inodes < stop; };
    ASSERT_TRUE(SealIt(half).status().Is(StatusCode::kShutdown));
    EXPECT_FALSE(IsSealed()) << stop;
    EXPECT_EQ(Immutable(), static_cast<int>(stop)) << "the root first, the other five after it";
    if (stop % 2 == 0) ASSERT_TRUE(SealIt().ok());
    EXPECT_EQ(IsSealed(), stop % 2 == 0);
    ASSERT_TRUE(UnsealIt(half).status().Is(StatusCode::kShutdown));
    EXPECT_FALSE(IsSealed()) << stop;
    const auto undone = UnsealIt();
    ASSERT_TRUE(undone.ok()) << undone.status().ToString();
    EXPECT_EQ(Immutable(), 0);
    EXPECT_EQ(Attribute(), "none");
  }
}

TEST_F(SealerTest, ANameMadeWhileItIsCompletedIsSealedToo) {
  int complete = 0;
  // Told of all six for the second time: the root gives up its flag for a moment.
  const auto sealed = SealIt([&](uint64_t inodes) {
    if (inodes == 6 && ++complete == 2) {
      EXPECT_EQ(Immutable(), 5);
      dir_.WriteFile("tree/late", "late");
    }
    return true;
  });
  ASSERT_TRUE(sealed.ok()) << sealed.status().ToString();
  EXPECT_TRUE(IsSealed());
  EXPECT_TRUE(IsImmutable(tree_ + "/late"));
  EXPECT_EQ(sealed->inodes, 7u);
}

TEST_F(SealerTest, RefusesWhatIsImmutableAlready) {
  ASSERT_TRUE(SetImmutable(tree_ + "/a/g", true));
  ExpectRefused("tree/a/g: immutable already");
  EXPECT_EQ(Immutable(), 1) << "what was immutable stays so";
}

TEST_F(SealerTest, RefusesAFileThatIsOpenForWriting) {
  {
    const UniqueFd writer(::open((tree_ + "/a/b/h").c_str(), O_WRONLY | O_CLOEXEC));
    ExpectRefused("tree/a/b/h: open for writing");
    EXPECT_EQ(Immutable(), 0);
  }
  EXPECT_TRUE(SealIt().ok());
}

TEST_F(SealerTest, RefusesAFileWithNamesOutsideOfTheTree) {
  fs::create_hard_link(tree_ + "/f", tree_ + "/a/also_f");
  ASSERT_TRUE(SealIt().ok()) << "two names in the tree are fine";
  ASSERT_TRUE(UnsealIt().ok());
  fs::create_hard_link(tree_ + "/f", dir_ / "f");
  ExpectRefused("has other names outside of the tree");
  EXPECT_EQ(Immutable(), 0);
}

TEST_F(SealerTest, RefusesATreeInATreeAndWhatIsNone) {
  ASSERT_TRUE(Sealer(*backend_, [](uint64_t) { return true; })
                  .Seal(backend_->Lookup(Tree(), "a")->node, "tree/a")
                  .ok());
  const auto sealed = SealIt();
  ASSERT_FALSE(sealed.ok());
  EXPECT_NE(sealed.status().ToString().find("unseal it first"), std::string::npos);
  EXPECT_EQ(Immutable(), 4) << "the inner tree stays sealed";
  const auto file = Sealer(*backend_, [](uint64_t) {
                      return true;
                    }).Seal(backend_->Lookup(backend_->Root(), "outside")->node, "outside");
  EXPECT_EQ(file.status().ToString(), "outside: not a directory");
}

TEST_F(SealerTest, OneAtATime) {
  const UniqueFd other(::open(tree_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_EQ(::flock(other.get(), LOCK_EX), 0);
  EXPECT_FALSE(SealIt().ok());
  EXPECT_FALSE(UnsealIt().ok());
  EXPECT_EQ(Immutable(), 0);
}

}  // namespace
}  // namespace ocfsgw::ocfs2
