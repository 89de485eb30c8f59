#include "ocfs2-backend/range_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <random>
#include <tuple>

namespace ocfsgw::ocfs2 {
namespace {

constexpr uint64_t kEnd = std::numeric_limits<int64_t>::max();
constexpr InodeId kFile{7, 1};

RangeLock Lock(uint64_t owner, uint64_t first, uint64_t last, bool exclusive = true, uint64_t handle = 1) {
  return {.inode = kFile,
          .instance = 1,
          .owner = owner,
          .handle = handle,
          .first = first,
          .last = last,
          .pid = 5,
          .exclusive = exclusive};
}

std::vector<RangeLock> Sorted(const RangeTable& table) {
  std::vector<RangeLock> locks = table.locks();
  std::sort(locks.begin(), locks.end(), [](const RangeLock& a, const RangeLock& b) {
    return std::tie(a.owner, a.first) < std::tie(b.owner, b.first);
  });
  return locks;
}

TEST(RangeTable, MergesWhatTouches) {
  RangeTable table;
  table.Set(Lock(1, 0, 9));
  table.Set(Lock(1, 20, 29));
  table.Set(Lock(1, 10, 19));
  EXPECT_EQ(Sorted(table), (std::vector{Lock(1, 0, 29)}));
  table.Set(Lock(1, 30, kEnd));
  table.Set(Lock(1, 5, 6));
  EXPECT_EQ(Sorted(table), (std::vector{Lock(1, 0, kEnd)}));
}

TEST(RangeTable, SplitsWhatChangesInTheMiddle) {
  RangeTable table;
  table.Set(Lock(1, 0, kEnd));
  table.Unset(Lock(1, 10, 19));
  EXPECT_EQ(Sorted(table), (std::vector{Lock(1, 0, 9), Lock(1, 20, kEnd)}));
  table.Set(Lock(1, 5, 7, false));
  EXPECT_EQ(Sorted(table),
            (std::vector{Lock(1, 0, 4), Lock(1, 5, 7, false), Lock(1, 8, 9), Lock(1, 20, kEnd)}));
  table.Unset(Lock(1, 0, kEnd));
  EXPECT_TRUE(table.locks().empty());
}

TEST(RangeTable, WhatWasSetThroughAnotherFileStaysApart) {
  RangeTable table;
  table.Set(Lock(1, 0, 9, true, 1));
  table.Set(Lock(1, 10, 19, true, 2));
  EXPECT_EQ(table.Remove([](const RangeLock& lock) { return lock.handle == 1; }), 1U);
  EXPECT_EQ(Sorted(table), (std::vector{Lock(1, 10, 19, true, 2)}));
}

TEST(RangeTable, SharedLocksExcludeExclusiveOnesOnly) {
  RangeTable table;
  table.Set(Lock(1, 0, 9, false));
  EXPECT_EQ(table.Conflict(Lock(2, 9, 20, false)), nullptr);
  ASSERT_NE(table.Conflict(Lock(2, 9, 20)), nullptr);
  EXPECT_EQ(*table.Conflict(Lock(2, 9, 20)), Lock(1, 0, 9, false));
  EXPECT_EQ(table.Conflict(Lock(2, 10, 20)), nullptr);
  EXPECT_EQ(table.Conflict(Lock(1, 0, 9)), nullptr) << "its own";
  RangeLock other = Lock(1, 0, 9);
  other.instance = 2;
  EXPECT_NE(table.Conflict(other), nullptr) << "the same number, of another gateway";
  other = Lock(2, 0, 9);
  other.inode.ino = 8;
  EXPECT_EQ(table.Conflict(other), nullptr) << "another file";
}

TEST(RangeTable, FirstOfTheConflictsIsReported) {
  RangeTable table;
  table.Set(Lock(1, 50, 59));
  table.Set(Lock(2, 10, 19));
  EXPECT_EQ(*table.Conflict(Lock(3, 0, kEnd)), Lock(2, 10, 19));
}

/// Against a table that knows the owners of every byte.
TEST(RangeTable, RandomOperationsAgreeWithBytes) {
  constexpr uint64_t kBytes = 24;
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto upto = [&random](uint64_t n) { return std::uniform_int_distribution<uint64_t>(0, n)(random); };
  struct Had {
    bool exclusive;
    uint64_t handle;
    bool operator==(const Had&) const = default;
  };
  RangeTable table;
  std::array<std::map<uint64_t, Had>, kBytes> bytes;  // by owner
  for (int step = 0; step < 50'000; ++step) {
    const uint64_t first = upto(kBytes - 1);
    const RangeLock lock =
        Lock(1 + upto(3), first, first + upto(kBytes - 1 - first), upto(1) == 0, 1 + upto(1));
    const uint64_t what = upto(9);
    if (what < 5) {
      bool conflict = false;
      for (uint64_t at = lock.first; at <= lock.last; ++at) {
        for (const auto& [owner, had] : bytes[at]) {
          conflict = conflict || (owner != lock.owner && (had.exclusive || lock.exclusive));
        }
      }
      ASSERT_EQ(table.Conflict(lock) != nullptr, conflict);
      if (conflict) continue;
      table.Set(lock);
      ASSERT_TRUE(table.Has(lock));
      for (uint64_t at = lock.first; at <= lock.last; ++at) {
        bytes[at][lock.owner] = {lock.exclusive, lock.handle};
      }
    } else if (what < 8) {
      bool any = false;
      for (uint64_t at = lock.first; at <= lock.last; ++at) any = bytes[at].erase(lock.owner) > 0 || any;
      ASSERT_EQ(table.HasAny(lock), any);
      table.Unset(lock);
    } else if (what == 8) {
      table.Remove([&lock](const RangeLock& l) { return l.owner == lock.owner; });
      for (auto& byte : bytes) byte.erase(lock.owner);
    } else {
      const auto decoded = DecodeTable(EncodeTable(table.locks(), 3));
      ASSERT_TRUE(decoded.ok());
      ASSERT_EQ(decoded->locks, table.locks());
    }
    std::array<std::map<uint64_t, Had>, kBytes> from_table;
    const auto locks = Sorted(table);
    for (size_t i = 0; i < locks.size(); ++i) {
      for (uint64_t at = locks[i].first; at <= locks[i].last; ++at) {
        ASSERT_TRUE(
            from_table[at].try_emplace(locks[i].owner, Had{locks[i].exclusive, locks[i].handle}).second)
            << "overlap";
      }
      ASSERT_FALSE(i > 0 && locks[i - 1].SameOwner(locks[i]) && locks[i - 1].last + 1 == locks[i].first &&
                   locks[i - 1].exclusive == locks[i].exclusive && locks[i - 1].handle == locks[i].handle)
          << "not merged";
    }
    ASSERT_EQ(from_table, bytes);
  }
}

std::vector<std::byte> Encoded(uint64_t sequence, uint64_t owner) {
  return EncodeTable(std::vector{Lock(owner, 0, kEnd)}, sequence);
}

TEST(StoredTable, ZerosAreAnEmptyTable) {
  const std::vector<std::byte> zeros(4096);
  const auto table = NewestTable(zeros, zeros);
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(table->sequence, 0U);
  EXPECT_TRUE(table->locks.empty());
}

TEST(StoredTable, TheNewerPlaceCounts) {
  EXPECT_EQ(NewestTable(Encoded(4, 1), Encoded(5, 2))->locks, (std::vector{Lock(2, 0, kEnd)}));
  EXPECT_EQ(NewestTable(Encoded(6, 1), Encoded(5, 2))->sequence, 6U);
}

/// A write that was cut short, wherever, leaves what was there before it.
TEST(StoredTable, ATornWriteLeavesTheOneBefore) {
  const std::vector<std::byte> before = Encoded(4, 1), zeros(4096);
  const std::vector<std::byte> written = EncodeTable(std::vector{Lock(9, 3, 4), Lock(8, 1, 2)}, 5);
  std::vector<std::byte> older = Encoded(3, 6);
  older.resize(written.size());
  for (size_t done = 0; done < written.size() - 7; ++done) {  // its last bytes are zeros
    std::vector<std::byte> torn(written.size());
    std::copy_n(written.begin(), done, torn.begin());
    EXPECT_EQ(NewestTable(before, torn)->sequence, 4U) << done;
    EXPECT_EQ(NewestTable(zeros, torn)->sequence, 0U) << done;
    torn = older;
    std::copy_n(written.begin(), done, torn.begin());
    EXPECT_EQ(NewestTable(before, torn)->sequence, 4U) << done;
  }
  EXPECT_EQ(NewestTable(before, written)->sequence, 5U);
}

TEST(StoredTable, WhatIsNoTableIsRefused) {
  const std::vector<std::byte> garbage(4096, std::byte{'x'});
  EXPECT_TRUE(NewestTable(garbage, garbage).status().Is(StatusCode::kCorrupt));
  EXPECT_TRUE(NewestTable(Encoded(5, 1), Encoded(4, 1)).status().Is(StatusCode::kCorrupt)) << "exchanged";
  auto newer = Encoded(5, 1);
  newer[4] = std::byte{2};  // the format

  EXPECT_TRUE(NewestTable(Encoded(4, 1), newer).status().Is(StatusCode::kUnsupported));
  auto flipped = Encoded(4, 1);
  for (auto& byte : flipped) {
    byte ^= std::byte{1};
    EXPECT_FALSE(DecodeTable(flipped).ok());
    byte ^= std::byte{1};
  }
}

TEST(StoredTable, ItsSizeIsInItsFirstBytes) {
  const auto bytes = EncodeTable(std::vector<RangeLock>(kTableLocksMax, Lock(1, 0, 1)), 2);
  EXPECT_EQ(EncodedTableBytes(std::span(bytes).first(kTableHeaderBytes)), bytes.size());
  EXPECT_LE(bytes.size(), kTablePlaceBytes);
  EXPECT_EQ(DecodeTable(bytes)->locks.size(), kTableLocksMax);
  EXPECT_EQ(EncodedTableBytes(std::vector<std::byte>(4096)), 0U);
}

}  // namespace
}  // namespace ocfsgw::ocfs2
