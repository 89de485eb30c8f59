// Damaged databases: misses, or set aside and begun anew; never wrong bytes, never a degraded store.
#include "tests/unit/cache/store_test_util.h"

namespace ocfsgw::cache {
namespace {

constexpr uint64_t kRecords = 40;

size_t LengthOf(uint64_t index) { return index % 3 == 0 ? index * 10 : 50'000; }

void Fill(const ScratchDirectory& directory) {
  const auto store = MustOpen(StoreOptions(directory));
  for (uint64_t index = 0; index < kRecords; ++index) {
    PutContent(*store, Block(1, index), kStamp, LengthOf(index));
  }
}

/// How many of Fill's records are found; fails the test if one is wrong.
uint64_t CountRight(PageStore& store) {
  uint64_t found = 0;
  for (uint64_t index = 0; index < kRecords; ++index) {
    found += HasRightContent(store, Block(1, index), kStamp) ? 1 : 0;
    HasRightContent(store, Block(1, index), kStamp);
  }
  return found;
}

std::string Database(const ScratchDirectory& directory) {
  return StoreOptions(directory).directory + "/store";
}

TEST(PageStoreDamage, FlippedBitsAnywhereInTables) {
  auto random = SeededRandom();
  uint64_t found = 0;
  constexpr int kRounds = 20;
  for (int round = 0; round < kRounds; ++round) {
    ScratchDirectory directory;
    Fill(directory);
    const auto tables = FilesBelow(Database(directory), ".sst");
    ASSERT_FALSE(tables.empty());
    const std::string& table = tables[random() % tables.size()];
    const uint64_t size = std::filesystem::file_size(table);
    // Half of them near the end, where index, filter and properties are.
    const uint64_t from = round % 2 == 0 ? 0 : size - std::min<uint64_t>(size, 8192);
    FlipBit(table, 8 * (from + random() % (size - from)) + random() % 8);
    const auto store = MustOpen(StoreOptions(directory));
    found += CountRight(*store);
    EXPECT_FALSE(store->Stats().degraded);
    PutContent(*store, Block(9, 0), kStamp, 100);
    store->Flush();
    EXPECT_TRUE(HasRightContent(*store, Block(9, 0), kStamp));
  }
  EXPECT_GT(found, kRounds * kRecords / 4) << "one bit should not cost everything";
}

TEST(PageStoreDamage, FlippedBitsUnderAnOpenStore) {
  auto random = SeededRandom();
  for (int round = 0; round < 8; ++round) {
    ScratchDirectory directory;
    Fill(directory);
    auto options = StoreOptions(directory);
    options.memory_bytes = 0;
    const auto store = MustOpen(std::move(options));
    for (const std::string& table : FilesBelow(Database(directory), ".sst")) {
      FlipBit(table, random() % (8 * std::filesystem::file_size(table)));
    }
    const uint64_t found = CountRight(*store);
    EXPECT_EQ(found + store->Stats().corrupt_records, kRecords) << "each bad record is counted once";
    EXPECT_EQ(store->Stats().records, found);
    EXPECT_FALSE(store->Stats().degraded);
  }
}

TEST(PageStoreDamage, AnyFileTruncatedEmptiedOrMissing) {
  auto random = SeededRandom();
  ScratchDirectory pattern;
  Fill(pattern);
  const size_t files = FilesBelow(Database(pattern)).size();
  for (size_t which = 0; which < files; ++which) {
    for (int damage = 0; damage < 3; ++damage) {
      ScratchDirectory directory;
      Fill(directory);
      const std::string file = FilesBelow(Database(directory)).at(which);
      if (damage == 0) {
        std::filesystem::remove(file);
      } else {
        std::filesystem::resize_file(file,
                                     damage == 1 ? 0 : random() % (std::filesystem::file_size(file) + 1));
      }
      const auto store = MustOpen(StoreOptions(directory));
      CountRight(*store);
      EXPECT_FALSE(store->Stats().degraded) << file << " damage " << damage;
      PutContent(*store, Block(9, 0), kStamp, 100);
      store->Flush();
      EXPECT_TRUE(HasRightContent(*store, Block(9, 0), kStamp)) << file << " damage " << damage;
    }
  }
}

TEST(PageStoreDamage, AMissingManifestOrCurrentSetsAside) {
  for (const std::string prefix : {"CURRENT", "MANIFEST-"}) {
    ScratchDirectory directory;
    Fill(directory);
    for (const std::string& file : FilesBelow(Database(directory))) {
      if (std::filesystem::path(file).filename().string().starts_with(prefix)) {
        std::filesystem::remove(file);
      }
    }
    const auto store = MustOpen(StoreOptions(directory));
    EXPECT_EQ(store->Stats().records, 0U);
    EXPECT_EQ(CountAsides(directory), 1U);
  }
}

TEST(PageStoreDamage, FlippedBitsInEveryOtherFile) {
  auto random = SeededRandom();
  for (int round = 0; round < 15; ++round) {
    ScratchDirectory directory;
    Fill(directory);
    auto files = FilesBelow(Database(directory));
    std::erase_if(files, [](const std::string& file) {
      return file.ends_with(".sst") || std::filesystem::file_size(file) == 0;
    });
    const std::string& file = files[random() % files.size()];
    FlipBit(file, random() % (8 * std::filesystem::file_size(file)));
    const auto store = MustOpen(StoreOptions(directory));
    CountRight(*store);
    EXPECT_FALSE(store->Stats().degraded) << file;
  }
}

}  // namespace
}  // namespace ocfsgw::cache
