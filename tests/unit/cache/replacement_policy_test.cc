#include "cache/replacement_policy.h"

#include <gmock/gmock.h>

#include <set>

#include "cache/alirs_policy.h"
#include "cache/ghost_table.h"
#include "tests/unit/cache/store_test_util.h"

namespace ocfsgw::cache {
namespace {

using ::testing::ElementsAre;
using ::testing::Optional;

/// Accesses each object; 'h' for a hit, or the object that went, or '.'. Objects are letters.
std::string Replayed(ReplacementPolicy& policy, std::string_view objects) {
  std::string out;
  for (const char object : objects) {
    const AccessOutcome outcome = policy.Access(static_cast<ObjectId>(object));
    out += outcome.hit ? '+' : outcome.evicted ? static_cast<char>(*outcome.evicted) : '.';
  }
  return out;
}

std::string Replayed(std::string_view name, size_t capacity, std::string_view objects) {
  return Replayed(*MakeReplacementPolicy(name, capacity), objects);
}

class EveryPolicy : public ::testing::TestWithParam<std::string_view> {
 protected:
  std::unique_ptr<ReplacementPolicy> Make(size_t capacity) const {
    return MakeReplacementPolicy(GetParam(), capacity, 7);
  }
};
INSTANTIATE_TEST_SUITE_P(, EveryPolicy, ::testing::ValuesIn(ReplacementPolicyNames()),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(EveryPolicy, OfNoCapacityMissesAlways) {
  const auto policy = Make(0);
  EXPECT_EQ(Replayed(*policy, "aabab"), ".....");
  EXPECT_EQ(policy->size(), 0U);
  policy->Remove('a');
}

TEST_P(EveryPolicy, OfOneObjectHoldsTheLastOne) { EXPECT_EQ(Replayed(*Make(1), "aabbaab"), ".+a+b+a"); }

TEST_P(EveryPolicy, OfTwoObjectsHoldsTheLastOneAndAnother) {
  const auto policy = Make(2);
  EXPECT_EQ(Replayed(*policy, "abab"), "..++");
  EXPECT_EQ(Replayed(*policy, "c").size(), 1U);
  EXPECT_TRUE(policy->IsResident('c'));
  EXPECT_NE(policy->IsResident('a'), policy->IsResident('b'));
}

TEST_P(EveryPolicy, EvictsNothingBeforeItIsFull) {
  EXPECT_EQ(Replayed(*Make(5), "abcdeabcde"), ".....+++++");
}

TEST_P(EveryPolicy, GivesRoomForWhatIsRemoved) {
  const auto policy = Make(3);
  Replayed(*policy, "abc");
  policy->Remove('b');
  policy->Remove('x');
  EXPECT_FALSE(policy->IsResident('b'));
  EXPECT_EQ(policy->size(), 2U);
  EXPECT_EQ(Replayed(*policy, "dacd"), ".+++");
}

TEST_P(EveryPolicy, MetadataDoesNotGrow) {
  const auto policy = Make(100);
  const size_t before = policy->MetadataBytes();
  for (ObjectId id = 0; id < 5000; ++id) policy->Access(id * id % 1009);
  EXPECT_EQ(policy->MetadataBytes(), before);
}

// Against a set of what should be resident. Few ids, so that there are hits, ghosts, and many of both.
TEST_P(EveryPolicy, KeepsItsInvariantsUnderRandomCalls) {
  std::mt19937_64 random = SeededRandom();
  for (const size_t capacity : {0, 1, 2, 3, 10, 64, 200}) {
    const auto policy = Make(capacity);
    std::set<ObjectId> resident;
    for (int i = 0; i < 20000; ++i) {
      const ObjectId id = random() % (random() % 2 == 0 ? capacity + 1 : 4 * capacity + 1);
      const bool was_resident = resident.contains(id);
      ASSERT_EQ(policy->IsResident(id), was_resident);
      if (random() % 20 == 0) {
        policy->Remove(id);
        resident.erase(id);
      } else {
        const AccessOutcome outcome = policy->Access(id);
        ASSERT_EQ(outcome.hit, was_resident);
        if (outcome.evicted) {
          ASSERT_FALSE(outcome.hit);
          ASSERT_EQ(resident.size(), capacity);
          ASSERT_EQ(resident.erase(*outcome.evicted), 1U);
          ASSERT_FALSE(policy->IsResident(*outcome.evicted));
        }
        if (capacity > 0) resident.insert(id);
      }
      ASSERT_EQ(policy->size(), resident.size());
      ASSERT_LE(resident.size(), capacity);
    }
    for (const ObjectId id : resident) ASSERT_TRUE(policy->IsResident(id));
  }
}

TEST_P(EveryPolicy, IsDeterministicForASeed) {
  const auto a = Make(50), b = Make(50);
  std::mt19937_64 random = SeededRandom();
  for (int i = 0; i < 20000; ++i) {
    const ObjectId id = random() % 400;
    const AccessOutcome of_a = a->Access(id), of_b = b->Access(id);
    ASSERT_EQ(of_a.hit, of_b.hit);
    ASSERT_EQ(of_a.evicted, of_b.evicted);
  }
}

TEST(ReplacementPolicy, UnknownName) { EXPECT_EQ(MakeReplacementPolicy("best", 1), nullptr); }

TEST(ReplacementPolicy, DefaultIsOneOfTheNames) {
  EXPECT_THAT(ReplacementPolicyNames(), ::testing::Contains(kDefaultReplacementPolicy));
}

TEST(ReplacementPolicy, MetadataBytesPerObject) {
  const auto bytes = [](std::string_view name) {
    return static_cast<double>(MakeReplacementPolicy(name, 100000)->MetadataBytes()) / 100000;
  };
  EXPECT_NEAR(bytes("fifo"), 21, 0.01);  // id 8, links 8, index 5
  EXPECT_NEAR(bytes("lru"), 21, 0.01);
  EXPECT_NEAR(bytes("alirs"), 39, 0.01);  // as before, time and flags 8, ghosts 10
  EXPECT_LE(bytes(kDefaultReplacementPolicy), 40);
}

// By hand, with the oldest on the left.
TEST(Fifo, EvictsInOrderOfArrival) { EXPECT_EQ(Replayed("fifo", 3, "abcadba"), "...+a+b"); }

TEST(Lru, EvictsTheLeastRecentlyUsed) { EXPECT_EQ(Replayed("lru", 3, "abcadba"), "...+bc+"); }

// After abc and the hit of a, d makes the hand clear a and evict b; e evicts c, where the hand stands; f
// finds d unread; a was cleared before, and is next when the hand is back at the oldest.
TEST(Sieve, HandStaysWhereItEvicted) { EXPECT_EQ(Replayed("sieve", 3, "abcadefg"), "...+bcde"); }

// a is read twice and goes to T2, so that the scan bcdef passes by it. b comes from B1: p grows.
TEST(Arc, ScanLeavesWhatWasReadTwice) { EXPECT_EQ(Replayed("arc", 3, "aabcdefa"), ".+..bcd+"); }

TEST(Arc, HitOfAGhostGoesToTheFrequentPart) {
  const auto arc = MakeReplacementPolicy("arc", 2);
  // T1 = ab, T2 = {}; c: |T1| = 2 = c and B1 is empty, so that a goes without a ghost.
  EXPECT_EQ(Replayed(*arc, "abc"), "..a");
  // b is read again: T2 = b, T1 = c. d: c becomes a ghost. c again: from B1, p = 1, and d does not exceed p:
  // b, the victim, comes from T2.
  EXPECT_EQ(Replayed(*arc, "bdc"), "+cb");
}

// The small queue has one place, the main queue nine. All objects go through the small queue; a ghost that is
// read again goes to the main queue.
TEST(S3Fifo, GhostsGoToTheMainQueue) {
  const auto policy = MakeReplacementPolicy("s3fifo", 10);
  EXPECT_EQ(Replayed(*policy, "abcdefghij"), "..........");
  EXPECT_EQ(Replayed(*policy, "k"), "a");
  EXPECT_EQ(Replayed(*policy, "a"), "b");                  // main: a
  EXPECT_EQ(Replayed(*policy, "lmnopqrst"), "cdefghijk");  // a stays
  EXPECT_EQ(Replayed(*policy, "a"), "+");
}

TEST(S3Fifo, TwoReadsTakeAnObjectToTheMainQueue) {
  const auto policy = MakeReplacementPolicy("s3fifo", 3);
  EXPECT_EQ(Replayed(*policy, "aabbbc"), ".+.++.");
  EXPECT_EQ(Replayed(*policy, "d"), "a");  // read once after it came: not enough
  EXPECT_EQ(Replayed(*policy, "e"), "c");  // b moves on
  EXPECT_TRUE(policy->IsResident('b'));
}

// One cold place. abc are hot; a loop of five over a cache of four keeps them, and hits them in each round.
TEST(Lirs, KeepsPartOfALoop) { EXPECT_EQ(Replayed("lirs", 4, "abcdeabcdeabcde"), "....d+++ed+++ed"); }

// As in the paper: e, a ghost in the stack when it is read again, becomes hot, and the oldest hot block, a,
// takes the cold place.
TEST(Lirs, GhostInTheStackBecomesHot) {
  const auto policy = MakeReplacementPolicy("lirs", 4);
  EXPECT_EQ(Replayed(*policy, "abcdef"), "....de");
  EXPECT_EQ(Replayed(*policy, "e"), "f");
  EXPECT_EQ(Replayed(*policy, "g"), "a");
  EXPECT_TRUE(policy->IsResident('e'));
}

// Everything but one place is the main part. The candidate c was asked for once, as was a, the victim: it
// goes.
TEST(WTinyLfu, RareObjectsDoNotEnterTheMainPart) {
  const auto policy = MakeReplacementPolicy("wtinylfu", 3);
  EXPECT_EQ(Replayed(*policy, "abab"), "..++");
  EXPECT_EQ(Replayed(*policy, "cdef"), ".cde");
  EXPECT_EQ(Replayed(*policy, "ab"), "++");
}

TEST(WTinyLfu, FrequentObjectsEnterTheMainPart) {
  const auto policy = MakeReplacementPolicy("wtinylfu", 3);
  Replayed(*policy, "abc");
  for (int i = 0; i < 5; ++i) Replayed(*policy, "xy");  // alternate through the window, each counted
  EXPECT_TRUE(policy->IsResident('x') && policy->IsResident('y'));
}

TEST(Alirs, KeepsPartOfALoop) { EXPECT_EQ(Replayed("alirs", 4, "abcdeabcdeabcde"), "....d+++ed+++ed"); }

// d is read twice in a row: one reference, so that it stays cold, and a stays hot.
TEST(Alirs, CorrelatedReferencesAreOne) {
  EXPECT_EQ(Replayed("alirs", 4, "abcddefabc"), "....+de+++");
  EXPECT_EQ(Replayed("alirs-no-correlation", 4, "abcddefabc"), "....+aef++");
}

// A loop with a reuse distance twice the ghosts: an ordered table knows none of them, and the first blocks
// read stay hot though they never come again; by lot, some are known, and the loop takes over.
TEST(Alirs, LotsRecognizeLoopsBeyondTheGhosts) {
  const auto hits_of = [](std::string_view name) {
    const auto policy = MakeReplacementPolicy(name, 100, 1);
    for (ObjectId once = 0; once < 100; ++once) policy->Access(10000 + once);
    int hits = 0;
    for (int i = 0; i < 100000; ++i) hits += policy->Access(static_cast<ObjectId>(i % 600)).hit;
    return hits;
  };
  EXPECT_LT(hits_of("alirs-no-lots"), 1000);
  EXPECT_GT(hits_of("alirs"), 14000);  // of 16600
}

TEST(Alirs, RecencyEnlargesTheColdPart) {
  const auto hits_of = [](std::string_view name) {
    const auto policy = MakeReplacementPolicy(name, 100, 1);
    std::mt19937_64 random(5);
    int hits = 0;
    // A window of 80 objects that moves on by one with each fourth access.
    for (int i = 0; i < 100000; ++i) hits += policy->Access(static_cast<ObjectId>(i / 4) + random() % 80).hit;
    return hits;
  };
  EXPECT_GT(hits_of("alirs"), hits_of("alirs-no-adaptation"));
  EXPECT_GT(hits_of("alirs"), 0.92 * hits_of("lru"));
}

std::vector<bool> HitsOf(ReplacementPolicy& policy, std::mt19937_64 random) {
  std::vector<bool> hits;
  for (int i = 0; i < 5000; ++i) hits.push_back(policy.Access(random() % 300).hit);
  return hits;
}

TEST(Alirs, RestoredStateGoesOnAsIfNothingHadHappened) {
  std::mt19937_64 random = SeededRandom();
  AlirsPolicy before(64, 1), after(64, 2);
  HitsOf(before, random);
  before.Remove(17);
  ASSERT_TRUE(after.Restore(before.Serialize()).ok());
  EXPECT_TRUE(after.Serialize() == before.Serialize());
  EXPECT_EQ(after.size(), before.size());
  EXPECT_EQ(HitsOf(after, random), HitsOf(before, random));
  EXPECT_TRUE(after.Serialize() == before.Serialize());
}

TEST(Alirs, RestoreRefusesWhatIsNotItsState) {
  AlirsPolicy policy(64, 1);
  HitsOf(policy, std::mt19937_64(3));
  const std::string good = policy.Serialize();
  AlirsPolicy other(64, 1);
  for (size_t length = 0; length < good.size(); ++length) {
    ASSERT_TRUE(other.Restore(good.substr(0, length)).Is(StatusCode::kInvalidArgument)) << length;
  }
  EXPECT_TRUE(other.Restore(good + "x").Is(StatusCode::kInvalidArgument));
  EXPECT_TRUE(AlirsPolicy(65, 1).Restore(good).Is(StatusCode::kInvalidArgument));
  EXPECT_EQ(other.size(), 0U);
}

// Whatever was damaged, the policy that comes of it keeps its invariants.
TEST(Alirs, RestoreOfDamagedStateIsRefusedOrHarmless) {
  std::mt19937_64 random = SeededRandom();
  AlirsPolicy policy(16, 1);
  HitsOf(policy, random);
  const std::string good = policy.Serialize();
  for (int i = 0; i < 3000; ++i) {
    std::string bad = good;
    bad[random() % bad.size()] = static_cast<char>(random());
    AlirsPolicy restored(16, 1);
    if (!restored.Restore(bad).ok()) continue;
    for (ObjectId id = 0; id < 100; ++id) {
      restored.Access(random() % 40);
      ASSERT_LE(restored.size(), 16U);
    }
  }
}

TEST(GhostTable, KnowsAgesInItsUnits) {
  GhostTable ghosts(1024, 100, GhostTable::Forget::kByLot, 1);
  ghosts.Put(5, 1000, 1500, UINT32_MAX);
  EXPECT_EQ(ghosts.Take(6, 1500), std::nullopt);
  EXPECT_THAT(ghosts.Take(5, 2000), Optional(1000U));
  EXPECT_EQ(ghosts.Take(5, 2000), std::nullopt);
}

TEST(GhostTable, ForgetsTheOldestOrByLot) {
  GhostTable ordered(8, 8, GhostTable::Forget::kOldest, 1);
  for (uint32_t i = 0; i < 9; ++i) ordered.Put(i, i, i, UINT32_MAX);
  EXPECT_EQ(ordered.Take(0, 9), std::nullopt);
  for (uint32_t i = 1; i < 9; ++i) EXPECT_THAT(ordered.Take(i, 9), Optional(9 - i));

  GhostTable by_lot(8, 8, GhostTable::Forget::kByLot, 1);
  size_t known = 0;
  for (uint32_t i = 0; i < 1000; ++i) by_lot.Put(i, i, i, UINT32_MAX);
  for (uint32_t i = 0; i < 1000; ++i) known += by_lot.Take(i, 1000).has_value();
  EXPECT_GE(known, 7U);  // all eight, unless two have the same fingerprint
  EXPECT_LE(known, 8U);
}

TEST(GhostTable, UsesUselessCellsFirst) {
  GhostTable ghosts(8, 8, GhostTable::Forget::kOldest, 1);
  for (uint32_t i = 0; i < 8; ++i) ghosts.Put(i, 1000 - 100 * (i == 3), 1000, UINT32_MAX);
  ghosts.Put(100, 1000, 1000, 50);
  EXPECT_EQ(ghosts.Take(3, 1000), std::nullopt);
  for (const uint32_t i : {0, 1, 2, 4, 5, 6, 7, 100}) EXPECT_THAT(ghosts.Take(i, 1000), Optional(0U));
}

TEST(GhostTable, TimesWrapAround) {
  GhostTable ghosts(8, 8, GhostTable::Forget::kByLot, 1);
  ghosts.Put(1, UINT32_MAX - 5, UINT32_MAX - 5, UINT32_MAX);
  EXPECT_THAT(ghosts.Take(1, 4), Optional(10U));
  ghosts.Put(1, 0, 0, UINT32_MAX);
  EXPECT_EQ(ghosts.Take(1, 1U << 19), std::nullopt);  // beyond half the range of 2^20
}

}  // namespace
}  // namespace ocfsgw::cache
