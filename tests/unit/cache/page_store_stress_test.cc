// Many threads on one store, while segments come and go.
#include <atomic>
#include <thread>

#include "cache/memory_page_store.h"
#include "tests/unit/cache/store_test_util.h"

namespace ocfsgw::cache {
namespace {

constexpr int kThreads = 4;
constexpr int kSteps = 2000;

void Hammer(PageStore& store, uint64_t seed) {
  std::atomic<uint64_t> hits = 0;
  std::vector<std::thread> threads;
  for (int id = 0; id < kThreads; ++id) {
    threads.emplace_back([&store, &hits, random = std::mt19937_64(seed + id)]() mutable {
      for (int step = 0; step < kSteps; ++step) {
        const RecordKey key = Block(random() % 20, random() % 30);
        const StampHash stamp(random() % 2);
        switch (random() % 8) {
          case 0:
          case 1:
          case 2:
            PutContent(store, key, stamp, random() % 50'000);
            break;
          case 3:
            if (random() % 20 == 0) {
              store.DropInode(key.inode);
            } else if (random() % 20 == 0) {
              store.Flush();
            } else {
              (void)store.Stats();
            }
            break;
          default:
            hits += HasRightContent(store, key, stamp) ? 1 : 0;
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_GT(hits, 0U);
  EXPECT_EQ(store.Stats().corrupt_records, 0U) << "a record in motion is not a bad one";
  EXPECT_FALSE(store.Stats().degraded);
}

TEST(PageStoreStress, Rocksdb) {
  ScratchDirectory directory;
  const uint64_t seed = SeededRandom()();
  for (int run = 0; run < 2; ++run) {
    Hammer(*MustOpen(StoreOptions(directory, 16 * kMiB)), seed + run);
  }
}

TEST(PageStoreStress, Memory) {
  MemoryPageStore store(8 * kMiB);
  Hammer(store, SeededRandom()());
}

}  // namespace
}  // namespace ocfsgw::cache
