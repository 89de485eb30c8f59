// A full disk: the store degrades, its callers see misses, and it recovers when there is room. Needs root,
// for a small tmpfs.
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "tests/unit/cache/store_test_util.h"

namespace ocfsgw::cache {
namespace {

class PageStoreFullDisk : public testing::Test {
 protected:
  void SetUp() override {
    if (mount("none", directory_.path().c_str(), "tmpfs", 0, "size=24m") != 0) {
      GTEST_SKIP() << "NOT TESTED: cannot mount a tmpfs (needs root): " << strerror(errno);
    }
    mounted_ = true;
  }
  void TearDown() override {
    store_.reset();
    if (mounted_) {
      EXPECT_EQ(umount(directory_.path().c_str()), 0);
    }
  }

  void Open() {
    auto options = StoreOptions(directory_);
    options.retry_interval = std::chrono::hours(1);  // only Flush() makes it try again
    store_ = MustOpen(std::move(options));
  }
  /// Takes all the space there is.
  void FillDisk() {
    const int fd = open(Filler().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    const std::string zeros(65536, '\0');
    while (write(fd, zeros.data(), zeros.size()) > 0) {
    }
    close(fd);
  }
  void FreeDisk() { std::filesystem::remove(Filler()); }
  std::string Filler() const { return directory_.path() + "/filler"; }

  ScratchDirectory directory_;
  std::unique_ptr<RocksdbPageStore> store_;
  bool mounted_ = false;
};

TEST_F(PageStoreFullDisk, DegradesAndRecovers) {
  Open();
  PutContent(*store_, Block(1, 0), kStamp, kBlockBytes);
  PutContent(*store_, Block(2, 0), kStamp, kBlockBytes);
  store_->Flush();
  FillDisk();
  for (uint64_t index = 1; index < 10; ++index) {
    PutContent(*store_, Block(1, index), kStamp, kBlockBytes);
  }
  store_->Flush();
  EXPECT_TRUE(store_->Stats().degraded);
  EXPECT_FALSE(HasRightContent(*store_, Block(1, 0), kStamp));
  const uint64_t dropped = store_->Stats().dropped_puts;
  PutContent(*store_, Block(3, 0), kStamp, kBlockBytes);
  EXPECT_EQ(store_->Stats().dropped_puts, dropped + 1);
  store_->Flush();
  EXPECT_TRUE(store_->Stats().degraded) << "the disk is still full";
  store_->DropInode(InodeId{2, 1});

  FreeDisk();
  store_->Flush();
  EXPECT_FALSE(store_->Stats().degraded);
  EXPECT_TRUE(HasRightContent(*store_, Block(1, 0), kStamp)) << "what was on disk is found again";
  EXPECT_FALSE(HasRightContent(*store_, Block(2, 0), kStamp)) << "dropped while degraded";
  PutContent(*store_, Block(3, 0), kStamp, kBlockBytes);
  store_->Flush();
  EXPECT_TRUE(HasRightContent(*store_, Block(3, 0), kStamp));
  EXPECT_EQ(CountAsides(directory_), 0U);

  store_.reset();
  Open();
  EXPECT_TRUE(HasRightContent(*store_, Block(1, 0), kStamp));
  EXPECT_FALSE(HasRightContent(*store_, Block(2, 0), kStamp));
  EXPECT_TRUE(HasRightContent(*store_, Block(3, 0), kStamp));
}

TEST_F(PageStoreFullDisk, ADiskSmallerThanTheQuotaCostsMissesOnly) {
  Open();
  for (uint64_t index = 0; index < 240; ++index) {
    PutContent(*store_, Block(1, index), kStamp, kBlockBytes);
    HasRightContent(*store_, Block(1, index / 2), kStamp);
    if (index % 20 == 0) {
      store_->Flush();
    }
  }
  EXPECT_GT(store_->Stats().dropped_puts, 0U);
}

TEST_F(PageStoreFullDisk, StartsDegradedOnAFullDisk) {
  Open();
  PutContent(*store_, Block(1, 0), kStamp, kBlockBytes);
  PutContent(*store_, Block(2, 0), kStamp, kBlockBytes);
  store_.reset();
  FillDisk();
  Open();
  EXPECT_TRUE(store_->Stats().degraded);
  EXPECT_FALSE(HasRightContent(*store_, Block(1, 0), kStamp));
  FreeDisk();
  store_->Flush();
  EXPECT_FALSE(store_->Stats().degraded);
  EXPECT_TRUE(HasRightContent(*store_, Block(1, 0), kStamp));
}

TEST_F(PageStoreFullDisk, DropsBeforeTheIndexIsLoadedAreNotForgotten) {
  Open();
  PutContent(*store_, Block(1, 0), kStamp, kBlockBytes);
  store_.reset();
  FillDisk();
  Open();
  store_->DropInode(InodeId{1, 1});
  FreeDisk();
  store_->Flush();
  EXPECT_FALSE(store_->Stats().degraded);
  EXPECT_FALSE(HasRightContent(*store_, Block(1, 0), kStamp));
}

}  // namespace
}  // namespace ocfsgw::cache
