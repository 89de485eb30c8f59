// The quota, counted from outside: blocks of the files below the database's directory.
#include <atomic>
#include <thread>

#include "tests/unit/cache/store_test_util.h"

namespace ocfsgw::cache {
namespace {

uint64_t DiskUse(const std::string& directory) {
  uint64_t bytes = 0;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    struct stat info;
    if (lstat(it->path().c_str(), &info) == 0) {
      bytes += static_cast<uint64_t>(info.st_blocks) * 512;
    }
  }
  return bytes;
}

/// Puts `total` bytes of records of up to `length_max` bytes, reading some of them, and looks at the disk all
/// the time.
void CheckQuota(uint64_t cache_size, uint64_t total, size_t length_max) {
  ScratchDirectory directory;
  auto random = SeededRandom();
  const auto store = MustOpen(StoreOptions(directory, cache_size));
  std::atomic<bool> done = false;
  std::atomic<uint64_t> highest = 0;
  std::thread watcher([&] {
    while (!done) {
      highest = std::max(highest.load(), DiskUse(directory.path()));
    }
  });
  uint64_t put = 0;
  for (uint64_t step = 0; put < total; ++step) {
    const size_t length = random() % length_max;
    PutContent(*store, Block(random() % 100, random() % 1000), StampHash(1), length);
    put += length;
    HasRightContent(*store, Block(random() % 100, random() % 1000), StampHash(1));
    if (step % 100 == 0 || random() % 1000 == 0) {
      store->Flush();  // also small flushes, which make small files; and so that few puts are dropped
    }
  }
  store->Flush();
  done = true;
  watcher.join();
  const PageStoreStats stats = store->Stats();
  EXPECT_LE(highest.load(), cache_size);
  EXPECT_GT(highest.load(), cache_size / 2) << "the quota should be used";
  EXPECT_FALSE(stats.degraded);
  EXPECT_GT(stats.evicted_records, 0U);
  EXPECT_GE(stats.disk_bytes, stats.bytes / 2);
  std::cout << "highest use " << highest / 1024 << " KiB of " << cache_size / 1024 << "; dropped puts "
            << stats.dropped_puts << '\n';
}

TEST(PageStoreQuota, IsNeverExceededByBlocks) { CheckQuota(16 * kMiB, 4 * 16 * kMiB, kBlockBytes); }
TEST(PageStoreQuota, IsNeverExceededByLargeRecords) { CheckQuota(16 * kMiB, 4 * 16 * kMiB, 1 * kMiB); }
TEST(PageStoreQuota, IsNeverExceededByManySegments) { CheckQuota(66 * kMiB, 120 * kMiB, kBlockBytes); }

TEST(PageStoreQuota, TinyRecordsAreChargedSoThatTheIndexStaysSmall) {
  ScratchDirectory directory;
  const auto store = MustOpen(StoreOptions(directory, 16 * kMiB));
  for (uint64_t index = 0; index < 10'000; ++index) {
    PutContent(*store, Block(index, 0), StampHash(1), 10);
    if (index % 1000 == 0) {
      store->Flush();
    }
  }
  store->Flush();
  EXPECT_LE(DiskUse(directory.path()), 16 * kMiB);
  EXPECT_FALSE(store->Stats().degraded);
}

TEST(PageStoreQuota, ASmallerQuotaHoldsAtOnceAfterARestart) {
  ScratchDirectory directory;
  {
    const auto store = MustOpen(StoreOptions(directory, 64 * kMiB));
    for (uint64_t index = 0; index < 480; ++index) {
      PutContent(*store, Block(1, index), StampHash(1), kBlockBytes);
      if (index % 100 == 0) {
        store->Flush();
      }
    }
  }
  EXPECT_GT(DiskUse(directory.path()), 16 * kMiB);
  const auto store = MustOpen(StoreOptions(directory, 16 * kMiB));
  EXPECT_LE(DiskUse(directory.path()), 16 * kMiB);
  EXPECT_GT(store->Stats().records, 64U);
  EXPECT_FALSE(store->Stats().degraded);
}

}  // namespace
}  // namespace ocfsgw::cache
