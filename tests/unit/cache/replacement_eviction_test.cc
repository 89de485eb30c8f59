#include "cache/replacement_eviction.h"

#include <algorithm>
#include <cmath>

#include "tests/unit/cache/store_test_util.h"

namespace ocfsgw::cache {
namespace {

TEST(ReplacementEviction, BeforeTheStoreIsFullItKeepsWhatWasRead) {
  ReplacementEviction policy("alirs");
  const PolicyWord unread = *policy.Offered(Block(1, 0), 100);
  EXPECT_FALSE(policy.Keep(Block(1, 0), unread).has_value());
  EXPECT_TRUE(policy.Keep(Block(1, 0), policy.Touched(Block(1, 0), unread)).has_value());
}

TEST(ReplacementEviction, KeepsWhatIsResidentUntilItIsGone) {
  ReplacementEviction policy("lru");
  EXPECT_TRUE(policy.SetCapacity(2));
  for (const uint64_t index : {0, 1, 2}) policy.Inserted(Block(1, index), 100);
  EXPECT_FALSE(policy.Keep(Block(1, 0), 1).has_value());
  EXPECT_TRUE(policy.Keep(Block(1, 1), 0).has_value());
  policy.Gone(Block(1, 1));
  EXPECT_FALSE(policy.Keep(Block(1, 1), 1).has_value());
}

TEST(ReplacementEviction, WhatWentForWantOfRoomIsNotRefused) {
  ReplacementEviction policy("alirs");
  EXPECT_TRUE(policy.SetCapacity(10));
  policy.Inserted(Block(1, 0), 100);  // and the store evicts it without asking
  EXPECT_TRUE(policy.Offered(Block(1, 0), 100).has_value());
}

TEST(ReplacementEviction, OnlyAPolicyThatRemembersRefuses) {
  ReplacementEviction lru("lru"), alirs("alirs");
  for (ReplacementEviction* policy : {&lru, &alirs}) EXPECT_TRUE(policy->SetCapacity(10));
  EXPECT_TRUE(lru.Offered(Block(1, 0), 100).has_value());
  EXPECT_FALSE(alirs.Offered(Block(1, 0), 100).has_value());
  EXPECT_TRUE(alirs.Offered(Block(1, 0), 100).has_value());
  EXPECT_TRUE(alirs.Offered({InodeId{1, 1}, RecordKind::kListing}, 100).has_value());
}

TEST(ReplacementEviction, SaysWhatItWouldStoreWithoutTakingNote) {
  ReplacementEviction lru("lru"), alirs("alirs");
  EXPECT_TRUE(alirs.WouldStore(Block(1, 0))) << "not full yet";
  for (ReplacementEviction* policy : {&lru, &alirs}) EXPECT_TRUE(policy->SetCapacity(10));
  EXPECT_TRUE(lru.WouldStore(Block(1, 0)));
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(alirs.WouldStore(Block(1, 0)));
  EXPECT_TRUE(alirs.WouldStore({InodeId{1, 1}, RecordKind::kListing}));
  EXPECT_FALSE(alirs.Offered(Block(1, 0), 100).has_value()) << "to have asked is no access";
  EXPECT_TRUE(alirs.Offered(Block(1, 0), 100).has_value());
  EXPECT_TRUE(alirs.WouldStore(Block(1, 0)));
}

TEST(ReplacementEviction, BeginsAnewWhenTheCapacityIsAnother) {
  ReplacementEviction policy("alirs");
  EXPECT_TRUE(policy.SetCapacity(100));
  EXPECT_FALSE(policy.SetCapacity(80));
  EXPECT_FALSE(policy.SetCapacity(125));
  EXPECT_TRUE(policy.SetCapacity(126));
}

TEST(ReplacementEviction, IsRestored) {
  ReplacementEviction policy("alirs"), restored("alirs");
  EXPECT_EQ(policy.Serialize(), "");
  policy.SetCapacity(10);
  for (uint64_t index = 0; index < 30; ++index) policy.Inserted(Block(1, index), 100);
  const std::string state = policy.Serialize();
  for (size_t size = 0; size < state.size(); ++size) {
    EXPECT_FALSE(restored.Restore(state.substr(0, size)).ok()) << size;
  }
  ASSERT_TRUE(restored.Restore(state).ok());
  size_t kept = 0;
  for (uint64_t index = 0; index < 30; ++index) {
    const bool keeps = policy.Keep(Block(1, index), 0).has_value();
    kept += keeps;
    EXPECT_EQ(restored.Keep(Block(1, index), 0).has_value(), keeps) << index;
  }
  EXPECT_EQ(kept, 10U);
  EXPECT_FALSE(restored.SetCapacity(10));
}

/// Ten turnovers of files of one to eight blocks, read whole, by popularity (Zipf, exponent 0.9).
PageStoreStats AfterTenTurnovers(bool admission) {
  constexpr uint64_t kFiles = 500;
  constexpr uint64_t kQuota = 16 * kMiB;
  ScratchDirectory directory;
  auto random = SeededRandom();
  auto options = StoreOptions(directory, kQuota);
  options.admission = admission;
  const auto store = MustOpen(std::move(options));
  std::vector<double> sums;
  for (uint64_t file = 0; file < kFiles; ++file) {
    sums.push_back((sums.empty() ? 0 : sums.back()) + std::pow(file + 1, -0.9));
  }
  uint64_t unflushed = 0;
  while (store->Stats().put_bytes < 10 * kQuota) {
    const double draw = std::uniform_real_distribution<double>(0, sums.back())(random);
    const uint64_t file = std::lower_bound(sums.begin(), sums.end(), draw) - sums.begin();
    const size_t length = 4096 + HashMix(file, 1) % (8 * 16384);
    for (size_t offset = 0; offset < length; offset += 16384) {
      const RecordKey key = Block(file, offset / 16384);
      if (!HasRightContent(*store, key, kStamp)) {
        PutContent(*store, key, kStamp, std::min<size_t>(16384, length - offset));
        if (++unflushed % 64 == 0) store->Flush();
      }
    }
  }
  store->Flush();
  return store->Stats();
}

TEST(ReplacementEviction, WritesAreBounded) {
  const PageStoreStats stats = AfterTenTurnovers(false);
  EXPECT_EQ(stats.dropped_puts, 0U);
  EXPECT_EQ(stats.refused_puts, 0U);
  EXPECT_GT(stats.written_bytes, stats.put_bytes * 11 / 10) << "something should be kept";
  EXPECT_LE(stats.written_bytes, stats.put_bytes * 13 / 10);
}

TEST(ReplacementEviction, WhatIsRefusedIsNotWritten) {
  const PageStoreStats stats = AfterTenTurnovers(true);
  EXPECT_EQ(stats.dropped_puts, 0U);
  EXPECT_GT(stats.refused_puts, 0U);
  EXPECT_LE(stats.written_bytes, stats.put_bytes * 13 / 10);
}

TEST(ReplacementEviction, AFullStoreDoesNotWantWhatItWouldRefuse) {
  for (const bool admission : {true, false}) {
    ScratchDirectory directory;
    auto options = StoreOptions(directory, 16 * kMiB);
    options.admission = admission;
    const auto store = MustOpen(std::move(options));
    EXPECT_TRUE(store->Wants(Block(2, 0), kStamp, 16384));
    for (uint64_t index = 0; index < 2000; ++index) {  // 32 MiB
      PutContent(*store, Block(1, index), kStamp, 16384);
      if (index % 64 == 0) store->Flush();
    }
    EXPECT_EQ(store->Wants(Block(2, 0), kStamp, 16384), !admission);
    const uint64_t refused = store->Stats().refused_puts;
    PutContent(*store, Block(2, 0), kStamp, 16384);
    EXPECT_EQ(store->Stats().refused_puts, refused + (admission ? 1 : 0));
  }
}

TEST(ReplacementEviction, AScanLeavesTheWorkingSetWhereItIs) {
  constexpr uint64_t kHot = 400, kScanned = 4000;  // blocks of 16 KiB: 6 MiB and 63 MiB
  const auto hot_after_a_scan = [](bool admission) {
    ScratchDirectory directory;
    auto options = StoreOptions(directory, 16 * kMiB);
    options.admission = admission;
    const auto store = MustOpen(std::move(options));
    const auto read = [&](uint64_t inode, uint64_t index) {
      const bool hit = HasRightContent(*store, Block(inode, index), kStamp);
      if (!hit) PutContent(*store, Block(inode, index), kStamp, 16384);
      if (index % 64 == 0) store->Flush();
      return hit;
    };
    for (int round = 0; round < 4; ++round) {
      for (uint64_t index = 0; index < kHot; ++index) read(1, index);
      for (uint64_t index = 0; index < kHot; ++index) read(2 + round, index);  // until it is full
    }
    for (uint64_t index = 0; index < kScanned; ++index) read(99, index);
    uint64_t hits = 0;
    for (uint64_t index = 0; index < kHot; ++index) hits += read(1, index) ? 1 : 0;
    return hits;
  };
  EXPECT_GE(hot_after_a_scan(true), kHot * 3 / 4);  // which segments go meanwhile is the writer's timing
  EXPECT_LE(hot_after_a_scan(false), kHot / 10) << "the load does not tell one from the other";
}

TEST(ReplacementEviction, ItsStateSurvivesACleanEndAndDamageDoesNoHarm) {
  ScratchDirectory directory;
  const std::string file = StoreOptions(directory).directory + "/store/POLICY";
  for (const bool damage : {false, true}) {
    {
      const auto store = MustOpen(StoreOptions(directory, 16 * kMiB));
      EXPECT_FALSE(std::filesystem::exists(file));
      for (uint64_t index = 0; index < 300; ++index) {
        PutContent(*store, Block(1, index), kStamp, kBlockBytes);
        if (index % 32 == 0) store->Flush();
      }
    }
    ASSERT_TRUE(std::filesystem::exists(file));
    if (damage) FlipBit(file, 1000);
  }
  const auto store = MustOpen(StoreOptions(directory, 16 * kMiB));
  EXPECT_FALSE(std::filesystem::exists(file));
  EXPECT_FALSE(store->Stats().degraded);
  EXPECT_TRUE(HasRightContent(*store, Block(1, 299), kStamp));
}

}  // namespace
}  // namespace ocfsgw::cache
