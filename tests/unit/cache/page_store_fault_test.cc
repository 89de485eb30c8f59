// The database's I/O fails at every call there is, one after the other, or never comes back.
#include <sched.h>
#include <unistd.h>

#include <future>

#include "cache/fifo_reinsertion_policy.h"
#include "tests/unit/cache/fault_file_system.h"
#include "tests/unit/cache/store_test_util.h"

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OCFSGW_SANITIZED 1
#else
#define OCFSGW_SANITIZED 0
#endif

#if !OCFSGW_SANITIZED
/// RocksDB sleeps for a second after each flush that fails (DBImpl::BackgroundCallFlush); nothing else in
/// this program calls it.
extern "C" int usleep(useconds_t /*microseconds*/) { return sched_yield(); }
#endif

namespace ocfsgw::cache {
namespace {

using rocksdb::IOStatus;

constexpr size_t kLength = 300'000;  // three to a segment
constexpr uint64_t kBlocks = 4;
constexpr uint64_t kDropped = 2;  // the inode that is dropped half-way

constexpr uint64_t kStride = OCFSGW_SANITIZED ? 11 : 1;  // they cannot do without that sleep

TestStoreOptions FaultyOptions(const ScratchDirectory& directory,
                               const std::shared_ptr<FaultFileSystem>& files) {
  auto options = StoreOptions(directory, kCacheSizeMin);
  options.memory_bytes = 0;                        // every Get of what is stored reads a file
  options.retry_interval = std::chrono::hours(1);  // only Flush() makes it try again
  options.file_system = files;
  return options;
}

uint64_t CountRight(PageStore& store, uint64_t ino, uint64_t blocks) {
  uint64_t found = 0;
  for (uint64_t index = 0; index < blocks; ++index) {
    found += HasRightContent(store, Block(ino, index), kStamp) ? 1 : 0;
  }
  return found;
}

/// A little of everything; what is found is checked all along.
void Work(PageStore& store) {
  for (uint64_t ino : {uint64_t{1}, kDropped}) {
    for (uint64_t index = 0; index < kBlocks; ++index) {
      PutContent(store, Block(ino, index), kStamp, kLength);
      CountRight(store, ino, 1);
    }
  }
  store.Flush();
  CountRight(store, 1, kBlocks);
  store.DropInode(InodeId{kDropped, 1});
  PutContent(store, Block(1, 0), kStamp, kLength);
  store.Flush();
  PutContent(store, Block(1, 1), kStamp, kLength);
  EXPECT_EQ(CountRight(store, kDropped, kBlocks), 0U);
  CountRight(store, 1, kBlocks);
}

void ExpectWorks(PageStore& store) {
  PutContent(store, Block(9, 0), kStamp, kLength);
  store.Flush();
  EXPECT_TRUE(HasRightContent(store, Block(9, 0), kStamp));
  EXPECT_FALSE(store.Stats().degraded);
}

/// Runs Work() with the first call failing, then the second, and so on, until none fails any more.
class PageStoreFaults : public testing::Test {
 protected:
  void FailEachCall(unsigned kinds, const IOStatus& error, bool lasting, uint64_t stride = kStride) {
    uint64_t nth = 1;
    while (FailCall(nth, kinds, error, lasting) && !HasFailure()) {
      nth += stride;
    }
    std::cout << nth - 1 << " calls\n";
    EXPECT_GT(nth, 5U) << "nothing has been tried";
  }

 private:
  virtual TestStoreOptions Options(const ScratchDirectory& directory,
                                   const std::shared_ptr<FaultFileSystem>& files) const {
    return FaultyOptions(directory, files);
  }

  /// Whether there is an `nth` call.
  bool FailCall(uint64_t nth, unsigned kinds, const IOStatus& error, bool lasting) const {
    SCOPED_TRACE("call " + std::to_string(nth));
    const ScratchDirectory directory;
    const LogLines log(directory);
    const auto files = std::make_shared<FaultFileSystem>();
    files->Fail(nth, kinds, error, lasting);
    auto store = MustOpen(Options(directory, files));
    Work(*store);
    if (nth % 2 == 0) {
      store.reset();  // the fault has not gone when the store is closed
    }
    const bool hit = files->Heal();
    if (store == nullptr) {
      store = MustOpen(Options(directory, files));
    }
    store->Flush();  // an error may be noticed here
    store->Flush();
    EXPECT_FALSE(store->Stats().degraded) << "the fault has gone";
    ExpectWorks(*store);
    EXPECT_EQ(CountRight(*store, kDropped, kBlocks), 0U);
    CountRight(*store, 1, kBlocks);
    if (nth % 2 != 0) {
      EXPECT_EQ(log.Count("/store: works again"), log.Count("nothing is cached"));
    }
    store = nullptr;
    store = MustOpen(Options(directory, files));
    EXPECT_FALSE(store->Stats().degraded);
    EXPECT_EQ(CountRight(*store, 9, 1), 1U);
    EXPECT_EQ(CountRight(*store, kDropped, kBlocks), 0U);
    CountRight(*store, 1, kBlocks);
    return hit;
  }
};

TEST_F(PageStoreFaults, NoSpaceOnce) {
  FailEachCall(FaultFileSystem::kWrite, IOStatus::NoSpace("injected"), false);
}

TEST_F(PageStoreFaults, NoSpaceFromThenOn) {
  FailEachCall(FaultFileSystem::kWrite, IOStatus::NoSpace("injected"), true);
}

TEST_F(PageStoreFaults, IoErrorOnce) {
  FailEachCall(FaultFileSystem::kAll, IOStatus::IOError("injected"), false);
}

TEST_F(PageStoreFaults, IoErrorFromThenOn) {
  FailEachCall(FaultFileSystem::kAll, IOStatus::IOError("injected"), true);
}

/// The same with an index that has room for so few records that segments are evicted all along, and what was
/// read is kept.
class PageStoreEvictionFaults : public PageStoreFaults {
 private:
  TestStoreOptions Options(const ScratchDirectory& directory,
                           const std::shared_ptr<FaultFileSystem>& files) const override {
    auto options = FaultyOptions(directory, files);
    options.index_bytes_max = 1024;
    options.write_amplification_max = 10;
    options.policy = std::make_unique<FifoReinsertionPolicy>();
    return options;
  }

 protected:
  void ExpectEvictsAndKeeps() const {
    const ScratchDirectory directory;
    const auto store = MustOpen(Options(directory, std::make_shared<FaultFileSystem>()));
    Work(*store);
    const PageStoreStats stats = store->Stats();
    EXPECT_GT(stats.evicted_records, 1U);
    EXPECT_GT(stats.written_bytes, stats.put_bytes);
  }
  static constexpr uint64_t kEvictionStride = 5 * kStride;  // there are many, and the others are done above
};

TEST_F(PageStoreEvictionFaults, NoSpaceOnce) {
  ExpectEvictsAndKeeps();
  FailEachCall(FaultFileSystem::kWrite, IOStatus::NoSpace("injected"), false, kEvictionStride);
}

TEST_F(PageStoreEvictionFaults, IoErrorOnce) {
  ExpectEvictsAndKeeps();
  FailEachCall(FaultFileSystem::kAll, IOStatus::IOError("injected"), false, kEvictionStride);
}

// Bad sectors: reading goes on failing, renaming works.
TEST(PageStoreFault, ADatabaseThatStaysUnreadableIsReplaced) {
  ScratchDirectory directory;
  MustOpen(StoreOptions(directory)).reset();
  for (const std::string& file : FilesBelow(StoreOptions(directory).directory + "/store")) {
    if (file.find("MANIFEST-") != std::string::npos) {
      std::filesystem::remove(file);
      std::filesystem::create_directory(file);  // EISDIR, an I/O error to RocksDB
    }
  }
  auto options = StoreOptions(directory);
  options.retry_interval = std::chrono::hours(1);
  const auto store = MustOpen(std::move(options));
  EXPECT_TRUE(store->Stats().degraded);
  EXPECT_EQ(CountAsides(directory), 0U) << "it may pass";
  for (int tries = 0; store->Stats().degraded && tries < 20; ++tries) {
    store->Flush();
  }
  ExpectWorks(*store);
  EXPECT_EQ(CountAsides(directory), 1U);
}

TEST(PageStoreFault, ADeletedDirectoryIsMadeAnew) {
  ScratchDirectory directory;
  const LogLines log(directory);
  auto options = StoreOptions(directory, kCacheSizeMin);
  const std::string path = options.directory;
  options.retry_interval = std::chrono::milliseconds(1);  // by itself
  auto store = MustOpen(std::move(options));
  Work(*store);
  std::filesystem::remove_all(path);
  // Until something fails the open files go on serving: a failing write is enough.
  for (uint64_t index = 0; log.Count("nothing is cached") == 0 && index < 1000; ++index) {
    CountRight(*store, 1, kBlocks);
    PutContent(*store, Block(3, index), kStamp, kLength);
    store->Flush();
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (store->Stats().degraded && std::chrono::steady_clock::now() < deadline) {
    store->Flush();
  }
  EXPECT_EQ(CountRight(*store, kDropped, kBlocks), 0U);
  EXPECT_EQ(CountRight(*store, 1, kBlocks), 0U) << "a new database";
  ExpectWorks(*store);
  EXPECT_EQ(log.Count("nothing is cached"), 1U);
  EXPECT_EQ(log.Count("/store: works again"), 1U);
  EXPECT_EQ(Open(StoreOptions(directory)).status().code(), StatusCode::kBusy)
      << "the new directory is locked, too";
  store.reset();
  store = MustOpen(StoreOptions(directory));
  EXPECT_EQ(CountRight(*store, 9, 1), 1U);
}

TEST(PageStoreFault, ADatabaseDeletedFileByFileCostsMissesOnly) {
  ScratchDirectory directory;
  auto options = FaultyOptions(directory, std::make_shared<FaultFileSystem>());
  const std::string path = options.directory;
  auto store = MustOpen(std::move(options));
  Work(*store);
  for (const std::string& file : FilesBelow(path + "/store")) {
    std::filesystem::remove(file);
    CountRight(*store, 1, kBlocks);
    EXPECT_EQ(CountRight(*store, kDropped, kBlocks), 0U);
    PutContent(*store, Block(3, 0), kStamp, kLength);
    store->Flush();
  }
  store.reset();
  store = MustOpen(StoreOptions(directory));
  CountRight(*store, 1, kBlocks);
  EXPECT_EQ(CountRight(*store, kDropped, kBlocks), 0U);
  ExpectWorks(*store);
}

// A write that takes for ever: this test hangs if anything below waits for it.
TEST(PageStoreFault, NobodyWaitsForASlowDisk) {
  ScratchDirectory directory;
  const auto files = std::make_shared<FaultFileSystem>();
  auto options = StoreOptions(directory, kCacheSizeMin);
  options.memory_bytes = 8 * kMiB;
  options.queue_bytes_max = 4 * kMiB;
  options.drain_time = std::chrono::milliseconds(10);
  options.file_system = files;
  auto store = MustOpen(std::move(options));
  PutContent(*store, Block(1, 0), kStamp, 1000);
  store->Flush();
  EXPECT_EQ(CountRight(*store, 1, 1), 1U);  // is in the memory tier now, as it is small
  files->Hold(FaultFileSystem::kAll);
  for (uint64_t index = 0; index < 100; ++index) {
    PutContent(*store, Block(2, index), kStamp, kLength);
  }
  files->AwaitHeld();
  EXPECT_GT(store->Stats().dropped_puts, 0U) << "the queue is bounded";
  EXPECT_GT(CountRight(*store, 2, 100), 0U) << "what is queued is served";
  EXPECT_EQ(CountRight(*store, 1, 1), 1U);
  store->DropInode(InodeId{1, 1});
  EXPECT_EQ(CountRight(*store, 1, 1), 0U);
  EXPECT_TRUE(store->Has(InodeId{2, 1}));
  EXPECT_FALSE(store->Stats().degraded) << "slow is not broken";

  auto closed = std::async(std::launch::async, [&] { store.reset(); });
  EXPECT_EQ(closed.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  files->Release();
  const auto released = std::chrono::steady_clock::now();
  closed.get();
  EXPECT_LT(std::chrono::steady_clock::now() - released, std::chrono::seconds(5));
  store = MustOpen(StoreOptions(directory));
  EXPECT_EQ(CountRight(*store, 1, 1), 0U) << "dropped, although nothing was written in time";
  CountRight(*store, 2, 100);
}

// What is dropped while the store is degraded must not come back if the process is killed before it recovers.
TEST(PageStoreFault, DropsOfADegradedStoreArePreparedFor) {
  ScratchDirectory directory;
  const auto files = std::make_shared<FaultFileSystem>();
  auto options = FaultyOptions(directory, files);
  const std::string current = options.directory + "/store/CURRENT";
  auto store = MustOpen(std::move(options));
  Work(*store);
  files->Fail(1, FaultFileSystem::kWrite, IOStatus::NoSpace("injected"), true);
  PutContent(*store, Block(1, 0), kStamp, kLength);
  store->Flush();
  store->Flush();
  ASSERT_TRUE(store->Stats().degraded);
  EXPECT_TRUE(std::filesystem::exists(current));
  store->DropInode(InodeId{1, 1});
  store->Flush();  // the writer does one thing after the other
  store->Flush();
  EXPECT_FALSE(std::filesystem::exists(current)) << "an opener would find what was dropped";
  files->Heal();
  store->Flush();
  ExpectWorks(*store);
  EXPECT_EQ(CountRight(*store, 1, kBlocks), 0U);
  EXPECT_EQ(CountAsides(directory), 0U) << "what was not dropped is kept";
}

}  // namespace
}  // namespace ocfsgw::cache
