// The memory of a store: each part stays within its bound, and what is counted is what is there.
#include <malloc.h>

#include <map>

#include "cache/store_index.h"
#include "tests/unit/cache/store_test_util.h"

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OCFSGW_SANITIZED 1
#else
#define OCFSGW_SANITIZED 0
#endif

namespace ocfsgw::cache {
namespace {

constexpr uint64_t kIndexBytes = 1 * kMiB;
constexpr uint64_t kRecords = 10'000;
constexpr size_t kLength = 100;

/// A queue of records passes the index' bound, and so does its table while it doubles.
constexpr uint64_t kQueueRecords = 256;
constexpr uint64_t kIndexBytesMost = 2 * kIndexBytes;

TestStoreOptions SmallIndex(const ScratchDirectory& directory) {
  auto options = StoreOptions(directory);
  options.index_bytes_max = kIndexBytes;
  options.queue_records_max = kQueueRecords;
  return options;
}

/// kRecords of them, each in an inode of its own.
void PutSmallFiles(PageStore& store, uint64_t* index_most) {
  for (uint64_t ino = 1; ino <= kRecords; ++ino) {
    PutContent(store, Block(ino, 0), kStamp, kLength);
    if (ino % kQueueRecords == 0) {
      store.Flush();
      *index_most = std::max(*index_most, store.Stats().memory.index);
    }
  }
  store.Flush();
}

uint64_t CountFrom(PageStore& store, uint64_t first, uint64_t last) {
  uint64_t found = 0;
  for (uint64_t ino = first; ino <= last; ++ino) {
    found += HasRightContent(store, Block(ino, 0), kStamp) ? 1 : 0;
  }
  return found;
}

TEST(PageStoreMemory, SmallFilesDoNotOutgrowTheIndex) {
  const ScratchDirectory directory;
  const auto store = MustOpen(SmallIndex(directory));
  uint64_t index_most = 0;
  PutSmallFiles(*store, &index_most);
  const PageStoreStats stats = store->Stats();
  EXPECT_FALSE(stats.degraded);
  EXPECT_EQ(stats.dropped_puts, 0U);
  EXPECT_GT(index_most, kIndexBytes / 2) << "not filled";
  EXPECT_LE(index_most, kIndexBytesMost);
  EXPECT_LT(stats.disk_bytes, stats.quota_bytes / 2) << "evicted for want of disk";
  EXPECT_EQ(stats.evicted_records, kRecords - stats.records);
  EXPECT_GT(stats.records, kIndexBytes / 2 / StoreIndex::kEntryBytesMax);
  EXPECT_EQ(CountFrom(*store, kRecords - 1000, kRecords), 1001U) << "the newest stay";
}

TEST(PageStoreMemory, WhatIsReadIsKeptWhenTheIndexIsFull) {
  const ScratchDirectory directory;
  const auto store = MustOpen(SmallIndex(directory));
  for (uint64_t ino = 1; ino <= kRecords; ++ino) {
    PutContent(*store, Block(ino, 0), kStamp, kLength);
    if (ino % kQueueRecords == 0) {
      store->Flush();
      EXPECT_TRUE(HasRightContent(*store, Block(1, 0), kStamp)) << ino;
    }
  }
  EXPECT_GT(store->Stats().evicted_records, kRecords / 3);
}

TEST(PageStoreMemory, AStoreOpenedWithLessMemoryKeepsTheNewest) {
  const ScratchDirectory directory;
  auto options = StoreOptions(directory);
  options.index_bytes_max = 4 * kIndexBytes;
  auto store = MustOpen(std::move(options));
  uint64_t index_most = 0;
  PutSmallFiles(*store, &index_most);
  ASSERT_EQ(store->Stats().records, kRecords);
  store.reset();
  store = MustOpen(SmallIndex(directory));
  const uint64_t records = store->Stats().records;
  EXPECT_FALSE(store->Stats().degraded);
  EXPECT_LE(store->Stats().memory.index, kIndexBytesMost);
  EXPECT_LT(records, kRecords);
  EXPECT_GT(records, kIndexBytes / 2 / StoreIndex::kEntryBytesMax);
  EXPECT_EQ(CountFrom(*store, kRecords - records + 1, kRecords), records);
  EXPECT_EQ(CountFrom(*store, 1, kRecords), records);
  PutContent(*store, Block(kRecords + 1, 0), kStamp, kLength);
  store->Flush();
  EXPECT_TRUE(HasRightContent(*store, Block(kRecords + 1, 0), kStamp));
  store.reset();
  store = MustOpen(SmallIndex(directory));
  EXPECT_EQ(CountFrom(*store, 1, kRecords - records), 0U) << "what was dropped comes back";
}

TEST(PageStoreMemory, TheBlockCacheGivesWayToTheIndex) {
  const ScratchDirectory directory;
  auto options = StoreOptions(directory);
  options.queue_records_max = kQueueRecords;
  options.index_bytes_max = 2 * kMiB;
  options.memory_bytes_min = 4 * kMiB;
  options.memory_bytes = 6 * kMiB;
  auto store = MustOpen(std::move(options));
  constexpr uint64_t kCached = 4000;  // of a size that RocksDB caches
  for (uint64_t index = 0; index < kCached; ++index) {
    PutContent(*store, Block(kRecords + 1, index), kStamp, 1900);
    if (index % 100 == 99) {
      store->Flush();
    }
  }
  store->Flush();
  const auto read_all = [&] {
    for (uint64_t index = 0; index < kCached; ++index) {
      HasRightContent(*store, Block(kRecords + 1, index), kStamp);
    }
    return store->Stats().memory.block_cache;
  };
  const uint64_t alone = read_all();
  EXPECT_GT(alone, 4 * kMiB + kMiB / 2);
  EXPECT_LE(alone, 6 * kMiB);
  uint64_t index_most = 0;
  PutSmallFiles(*store, &index_most);
  ASSERT_GT(store->Stats().memory.index, kMiB + kMiB / 2);
  EXPECT_LE(read_all() + store->Stats().memory.index, 6 * kMiB);
}

TEST(PageStoreMemory, QueueAndMemtablesAreCounted) {
  const ScratchDirectory directory;
  auto options = StoreOptions(directory);
  options.queue_bytes_max = 4 * kMiB;
  options.memtable_bytes = 4 * kMiB;
  MetricsRegistry metrics;
  options.metrics = &metrics;
  const auto store = MustOpen(std::move(options));
  uint64_t memtables_most = 0;
  for (uint64_t index = 0; index < 100; ++index) {
    PutContent(*store, Block(1, index), kStamp, kBlockBytes);
    const PageStoreMemory memory = store->Stats().memory;
    EXPECT_LE(memory.queue, 4 * kMiB);
    memtables_most = std::max(memtables_most, memory.memtables);
    if (index % 16 == 15) {
      store->Flush();
      EXPECT_EQ(store->Stats().memory.queue, 0U);
    }
  }
  EXPECT_GT(memtables_most, 0U);
  EXPECT_LE(memtables_most, 6 * kMiB) << "a batch and an arena block more than its bound";
  store->Flush();
  EXPECT_EQ(CountFrom(*store, 1, 1), 1U);  // is in the block cache now
  const PageStoreMemory memory = store->Stats().memory;
  EXPECT_GT(memory.index, 100 * sizeof(IndexSlot));
  EXPECT_GT(memory.block_cache, kBlockBytes);
  std::map<std::string, double> parts;
  for (const MetricSample& sample : metrics.Snapshot()) {
    if (sample.name == "ocfsgw_page_store_memory_bytes") {
      ASSERT_EQ(sample.labels.size(), 1U);
      parts[sample.labels.front().second] = sample.value;
    }
  }
  const std::map<std::string, double> expected = {{"index", static_cast<double>(memory.index)},
                                                  {"memtables", static_cast<double>(memory.memtables)},
                                                  {"block_cache", static_cast<double>(memory.block_cache)},
                                                  {"queue", 0}};
  EXPECT_EQ(parts, expected);
}

TEST(PageStoreMemory, ShareMemoryGivesOutNoMoreThanThereIs) {
  for (const uint64_t bytes : {kStoreMemoryMin, 120 * kMiB, 256 * kMiB, 1024 * 1024 * kMiB}) {
    RocksdbPageStoreOptions options;
    ShareMemory(bytes, &options);
    EXPECT_EQ(
        options.queue_bytes_max + options.memtable_bytes + options.memory_bytes_min + options.index_bytes_max,
        bytes);
    EXPECT_GE(options.index_bytes_max, bytes / 16 * 13);
    EXPECT_GE(options.queue_bytes_max, 4 * kMiB);
  }
}

#if !OCFSGW_SANITIZED
// glibc's own count; the sanitizers' malloc has none.
TEST(PageStoreMemory, TheIndexTakesWhatItSays) {
  for (const uint64_t blocks_per_file : {1, 1000}) {
    const struct mallinfo2 before = mallinfo2();
    StoreIndex index;
    for (uint64_t i = 0; i < 50'000; ++i) {
      IndexSlot* const slot = index.FindOrAdd(Block(1 + i / blocks_per_file, i));
      index.SetQueued(slot, kStamp, i + 1, kBlockBytes);
      index.SetStored(slot, static_cast<SegmentId>(1 + i / 1000));
    }
    const struct mallinfo2 after = mallinfo2();
    const auto taken =
        static_cast<double>((after.uordblks + after.hblkhd) - (before.uordblks + before.hblkhd));
    EXPECT_NEAR(static_cast<double>(index.MemoryBytes()), taken, taken / 50);
    std::cout << index.MemoryBytes() / 50'000 << " bytes a block, " << blocks_per_file << " to a file\n";
  }
}
#endif

}  // namespace
}  // namespace ocfsgw::cache
