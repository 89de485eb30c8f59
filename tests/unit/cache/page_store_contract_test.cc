// What every PageStore promises (cache/page_store.h), for each implementation.

#include "cache/memory_page_store.h"
#include "tests/unit/cache/store_test_util.h"

namespace ocfsgw::cache {
namespace {

enum class Kind { kMemory, kRocksdb, kRocksdbFlushed };

class PageStoreContract : public testing::TestWithParam<Kind> {
 protected:
  PageStoreContract() {
    if (GetParam() == Kind::kMemory) {
      store_ = std::make_unique<MemoryPageStore>(64 * kMiB);
    } else {
      store_ = MustOpen(StoreOptions(directory_));
    }
  }

  /// What was put: read back from the queue in one variant, from the disk in another.
  void Settle() {
    if (GetParam() == Kind::kRocksdbFlushed) {
      store_->Flush();
    }
  }
  void Put(const RecordKey& key, uint64_t stamp, std::string bytes) {
    store_->Put(key, StampHash(stamp), std::make_shared<const std::string>(std::move(bytes)));
    Settle();
  }
  std::string Read(const RecordKey& key, uint64_t stamp) {
    const auto whole = store_->GetWhole(key, StampHash(stamp));
    return whole.ok() ? *whole : "(" + std::to_string(static_cast<int>(whole.status().code())) + ")";
  }
  const std::string kMiss = "(" + std::to_string(static_cast<int>(StatusCode::kNotFound)) + ")";

  ScratchDirectory directory_;
  std::unique_ptr<PageStore> store_;
};

TEST_P(PageStoreContract, GivesBackWhatWasPut) {
  Put(Block(1, 0), 1, "hello");
  EXPECT_EQ(Read(Block(1, 0), 1), "hello");
  EXPECT_EQ(store_->Stats().records, 1U);
  EXPECT_EQ(store_->Stats().bytes, 5U);
}

TEST_P(PageStoreContract, WantsWhatItDoesNotHave) {
  EXPECT_TRUE(store_->Wants(Block(1, 2), StampHash(3), 5));
  EXPECT_FALSE(store_->Wants(Block(1, 2), StampHash(3), 65 * kMiB)) << "it would not be stored";
  Put(Block(1, 2), 3, "hello");
  EXPECT_FALSE(store_->Wants(Block(1, 2), StampHash(3), 5));
  EXPECT_TRUE(store_->Wants(Block(1, 2), StampHash(4), 5));
  EXPECT_TRUE(store_->Wants(Block(1, 3), StampHash(3), 5));
  store_->DropInode(Block(1, 2).inode);
  EXPECT_TRUE(store_->Wants(Block(1, 2), StampHash(3), 5));
}

TEST_P(PageStoreContract, AnyOtherStampOrKeyMisses) {
  Put(Block(1, 2), 3, "hello");
  EXPECT_EQ(Read(Block(1, 2), 4), kMiss);
  EXPECT_EQ(Read(Block(1, 3), 3), kMiss);
  EXPECT_EQ(Read(Block(2, 2), 3), kMiss);
  RecordKey other = Block(1, 2);
  other.inode.generation = 2;
  EXPECT_EQ(Read(other, 3), kMiss);
  for (const RecordKind kind : {RecordKind::kListing, RecordKind::kSymlink, RecordKind::kNode}) {
    other = Block(1, 2);
    other.kind = kind;
    EXPECT_EQ(Read(other, 3), kMiss);
  }
  EXPECT_EQ(Read(Block(1, 2), 3), "hello");
}

TEST_P(PageStoreContract, EveryKindIsARecordOfItsOwn) {
  RecordKey key = Block(1, 0);
  for (int kind = 0; kind < 4; ++kind) {
    key.kind = static_cast<RecordKind>(kind);
    Put(key, 1, std::to_string(kind));
  }
  for (int kind = 0; kind < 4; ++kind) {
    key.kind = static_cast<RecordKind>(kind);
    EXPECT_EQ(Read(key, 1), std::to_string(kind));
  }
}

TEST_P(PageStoreContract, ReadsParts) {
  Put(Block(1, 0), 1, "0123456789");
  std::string into(4, '.');
  const auto get = [&](size_t offset) {
    return *store_->Get(Block(1, 0), StampHash(1), offset, std::as_writable_bytes(std::span(into)));
  };
  EXPECT_EQ(get(2), 4U);
  EXPECT_EQ(into, "2345");
  EXPECT_EQ(get(8), 2U);
  EXPECT_EQ(into, "8945");
  EXPECT_EQ(get(10), 0U);
  EXPECT_EQ(get(SIZE_MAX), 0U);
  EXPECT_EQ(*store_->Get(Block(1, 0), StampHash(1), 0, {}), 0U);
}

TEST_P(PageStoreContract, TheNewestPutWins) {
  Put(Block(1, 0), 1, "old");
  Put(Block(1, 0), 2, "new");
  EXPECT_EQ(Read(Block(1, 0), 1), kMiss);
  EXPECT_EQ(Read(Block(1, 0), 2), "new");
  Put(Block(1, 0), 2, "newer");
  EXPECT_EQ(Read(Block(1, 0), 2), "newer");
  EXPECT_EQ(store_->Stats().records, 1U);
  EXPECT_EQ(store_->Stats().bytes, 5U);
}

TEST_P(PageStoreContract, HasTellsWhatInodesHaveRecords) {
  EXPECT_FALSE(store_->Has(InodeId{1, 1}));
  Put(Block(1, 7), 1, "x");
  EXPECT_TRUE(store_->Has(InodeId{1, 1}));
  EXPECT_FALSE(store_->Has(InodeId{1, 2}));
  EXPECT_FALSE(store_->Has(InodeId{2, 1}));
  Settle();
  EXPECT_TRUE(store_->Has(InodeId{1, 1}));
  store_->DropInode(InodeId{1, 1});
  EXPECT_FALSE(store_->Has(InodeId{1, 1}));
}

TEST_P(PageStoreContract, DropInodeForgetsThatInodeOnly) {
  for (uint64_t index = 0; index < 10; ++index) {
    Put(Block(1, index), 1, "gone");
    Put(Block(2, index), 1, "stays");
  }
  store_->DropInode(InodeId{1, 1});
  store_->DropInode(InodeId{2, 2});
  store_->DropInode(InodeId{3, 1});
  for (uint64_t index = 0; index < 10; ++index) {
    EXPECT_EQ(Read(Block(1, index), 1), kMiss);
    EXPECT_EQ(Read(Block(2, index), 1), "stays");
  }
  Settle();
  EXPECT_EQ(Read(Block(1, 0), 1), kMiss);
  Put(Block(1, 0), 1, "again");
  EXPECT_EQ(Read(Block(1, 0), 1), "again");
  EXPECT_EQ(store_->Stats().records, 11U);
}

TEST_P(PageStoreContract, EmptyAndBigRecords) {
  Put(Block(1, 0), 1, "");
  EXPECT_EQ(Read(Block(1, 0), 1), "");
  const std::string big = Content(Block(1, 1), StampHash(1), 900'000);
  Put(Block(1, 1), 1, big);
  EXPECT_TRUE(Read(Block(1, 1), 1) == big);
}

TEST_P(PageStoreContract, TooBigIsDroppedAndCounted) {
  Put(Block(1, 0), 1, std::string(65 * kMiB, 'x'));
  EXPECT_EQ(Read(Block(1, 0), 1), kMiss);
  EXPECT_EQ(store_->Stats().dropped_puts, 1U);
}

TEST_P(PageStoreContract, EvictsTheOldestAndKeepsWhatIsRead) {
  constexpr uint64_t kRecords = 2 * 64 * kMiB / kBlockBytes;
  for (uint64_t index = 0; index < kRecords; ++index) {
    PutContent(*store_, Block(1, index), StampHash(1), kBlockBytes);
    if (index % 32 == 0) {
      store_->Flush();  // so that no Put finds the queue full
    }
    EXPECT_TRUE(HasRightContent(*store_, Block(1, 0), StampHash(1))) << "evicted while in use, at " << index;
  }
  store_->Flush();
  EXPECT_EQ(Read(Block(1, 1), 1), kMiss);
  EXPECT_TRUE(HasRightContent(*store_, Block(1, kRecords - 1), StampHash(1)));
  EXPECT_GE(store_->Stats().evicted_records, kRecords / 2);
  EXPECT_LE(store_->Stats().bytes, 64 * kMiB);
  EXPECT_GT(store_->Stats().bytes, 50 * kMiB) << "the quota should be used";
}

std::string KindName(const testing::TestParamInfo<Kind>& info) {
  constexpr const char* kNames[] = {"Memory", "Rocksdb", "RocksdbFlushed"};
  return kNames[static_cast<int>(info.param)];
}

INSTANTIATE_TEST_SUITE_P(Stores, PageStoreContract,
                         testing::Values(Kind::kMemory, Kind::kRocksdb, Kind::kRocksdbFlushed), KindName);

}  // namespace
}  // namespace ocfsgw::cache
