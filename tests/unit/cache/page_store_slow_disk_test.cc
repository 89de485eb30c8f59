// A disk that answers, but too late: the store misses at once until it is quick again.
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "base/metrics.h"
#include "tests/unit/cache/fault_file_system.h"
#include "tests/unit/cache/store_test_util.h"

namespace ocfsgw::cache {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr size_t kLength = 100'000;
constexpr uint64_t kBlocks = 60;
constexpr Duration kLimit = milliseconds(300);  // more than a busy machine takes for a quick look-up

class PageStoreSlowDisk : public testing::Test {
 protected:
  PageStoreSlowDisk() {
    auto options = StoreOptions(directory_);
    options.memory_bytes = 0;  // every Get of what is stored reads a file
    options.file_system = files_;
    options.slow_limit = kLimit;
    options.slow_probe_interval = milliseconds(5);
    options.drain_time = milliseconds(10);
    options.metrics = &metrics_;
    store_ = MustOpen(std::move(options));
    for (uint64_t index = 0; index < kBlocks; ++index) {
      PutContent(*store_, Block(1, index), kStamp, kLength);
    }
    PutContent(*store_, Block(2, 0), kStamp, kLength);
    store_->Flush();
    EXPECT_TRUE(Hits(1, 0)) << "its table is open from now on";
  }

  bool Hits(uint64_t ino, uint64_t index) { return HasRightContent(*store_, Block(ino, index), kStamp); }
  double Metric(const std::string& name) const {
    for (const MetricSample& sample : metrics_.Snapshot()) {
      if (sample.name == "ocfsgw_page_store_" + name) {
        return sample.value;
      }
    }
    return -1;
  }
  void AwaitQuick() {
    const auto deadline = steady_clock::now() + std::chrono::seconds(60);
    while (store_->Stats().slow && steady_clock::now() < deadline) {
      std::this_thread::yield();
    }
    EXPECT_FALSE(store_->Stats().degraded);
  }

  ScratchDirectory directory_;
  LogLines log_{directory_};
  MetricsRegistry metrics_;
  std::shared_ptr<FaultFileSystem> files_ = std::make_shared<FaultFileSystem>();
  std::unique_ptr<RocksdbPageStore> store_;
};

TEST_F(PageStoreSlowDisk, IsNotAskedUntilItIsQuickAgain) {
  files_->Delay(FaultFileSystem::kRead, kLimit + milliseconds(1));
  Hits(1, 1);  // waits, whatever it finds
  EXPECT_TRUE(store_->Stats().slow);
  EXPECT_TRUE(store_->Stats().degraded);
  EXPECT_EQ(Metric("slow"), 1);
  EXPECT_EQ(Metric("degraded"), 1);
  files_->Hold(FaultFileSystem::kRead);  // whoever reads now does not come back
  const uint64_t dropped = store_->Stats().dropped_puts;
  for (uint64_t index = 0; index < kBlocks; ++index) {
    EXPECT_FALSE(Hits(1, index));
    PutContent(*store_, Block(3, index), kStamp, kLength);
  }
  EXPECT_EQ(store_->Stats().dropped_puts, dropped + kBlocks);
  store_->DropInode(InodeId{2, 1});
  EXPECT_TRUE(store_->Has(InodeId{1, 1}));

  files_->AwaitHeld();  // a probe
  EXPECT_TRUE(store_->Stats().slow);
  files_->Delay(0, Duration{});
  files_->Release();
  AwaitQuick();
  for (uint64_t index = 0; index < kBlocks; ++index) {
    EXPECT_TRUE(Hits(1, index)) << "nothing was lost";
  }
  EXPECT_FALSE(Hits(2, 0)) << "dropped meanwhile";
  EXPECT_FALSE(Hits(3, 0));
  EXPECT_EQ(Metric("slow"), 0);
  EXPECT_EQ(Metric("degraded"), 0);
  PutContent(*store_, Block(3, 0), kStamp, kLength);
  store_->Flush();
  EXPECT_TRUE(Hits(3, 0));
  store_ = nullptr;  // all is logged
  EXPECT_EQ(log_.Count("its disk is slow"), 1U);
  EXPECT_EQ(log_.Count("its disk is quick again"), 1U);
  EXPECT_TRUE(FilesBelow(directory_.path(), "PROBE").empty());
}

// This test hangs if anything but the stuck look-ups waits for the disk.
TEST_F(PageStoreSlowDisk, OnlyLookUpsUnderWayWait) {
  files_->Hold(FaultFileSystem::kAll);
  std::vector<std::thread> stuck;
  std::atomic<uint64_t> hits = 0;
  for (uint64_t index = 0; index < 8; ++index) {
    stuck.emplace_back([this, index, &hits] { hits += Hits(1, index) ? 1 : 0; });
  }
  files_->AwaitHeld();
  std::this_thread::sleep_for(kLimit + milliseconds(1));
  for (uint64_t index = 0; index < kBlocks; ++index) {
    EXPECT_FALSE(Hits(1, index));
  }
  EXPECT_TRUE(store_->Stats().slow);
  store_->DropInode(InodeId{2, 1});
  files_->Release();
  for (std::thread& thread : stuck) {
    thread.join();
  }
  EXPECT_GT(hits, 0U) << "what was waited for is served, too";
  AwaitQuick();
  EXPECT_TRUE(Hits(1, kBlocks - 1));
  EXPECT_FALSE(Hits(2, 0));
}

TEST_F(PageStoreSlowDisk, DropsOfASlowStoreSurviveItsEnd) {
  files_->Delay(FaultFileSystem::kRead, kLimit + milliseconds(1));
  Hits(1, 1);
  ASSERT_TRUE(store_->Stats().slow);
  store_->DropInode(InodeId{2, 1});
  store_ = nullptr;
  store_ = MustOpen(StoreOptions(directory_));
  EXPECT_FALSE(Hits(2, 0));
  EXPECT_TRUE(Hits(1, 0)) << "flushed before the disk was slow";
}

// Writes may take as long as they like: what is stored is served.
TEST_F(PageStoreSlowDisk, OneThatIsSlowToWriteIsRead) {
  files_->Hold(FaultFileSystem::kWrite | FaultFileSystem::kSync);
  while (store_->Stats().dropped_puts == 0) {
    PutContent(*store_, Block(3, 0), kStamp, kLength);
    for (uint64_t index = 1; index < kBlocks * 20; ++index) {
      PutContent(*store_, Block(3, index), kStamp, kLength);
    }
  }
  files_->AwaitHeld();
  for (uint64_t index = 0; index < kBlocks; ++index) {
    EXPECT_TRUE(Hits(1, index));
  }
  store_->DropInode(InodeId{2, 1});
  EXPECT_FALSE(Hits(2, 0));
  EXPECT_FALSE(store_->Stats().degraded);
  files_->Release();
}

}  // namespace
}  // namespace ocfsgw::cache
