#include "cache/slow_disk.h"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace ocfsgw::cache {
namespace {

using std::chrono::milliseconds;

constexpr Duration kLimit = std::chrono::seconds(1);
constexpr Duration kTick = milliseconds(1);

class SlowDiskTest : public testing::Test {
 protected:
  /// One look-up after the other; whether they were let in.
  bool LookUp(Duration took) {
    const auto lookup = disk_.Begin(now_);
    if (!lookup) {
      return false;
    }
    now_ += took;
    disk_.End(*lookup, now_);
    return true;
  }
  void Probe(Duration took) {
    now_ += took;
    disk_.Probed(took, now_);
  }

  SlowDisk disk_{kLimit};
  TimePoint now_{std::chrono::hours(1)};
};

TEST_F(SlowDiskTest, LookUpsWithinTheLimitAreFine) {
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(LookUp(kLimit));
  }
  EXPECT_FALSE(disk_.slow());
}

TEST_F(SlowDiskTest, OneThatTookLongerIsEnough) {
  EXPECT_TRUE(LookUp(kLimit + kTick));
  EXPECT_TRUE(disk_.slow());
  EXPECT_FALSE(LookUp(kTick));
}

TEST_F(SlowDiskTest, OneThatDoesNotComeBackIsSeenByTheNext) {
  const auto stuck = disk_.Begin(now_);
  ASSERT_TRUE(stuck);
  now_ += kLimit;
  EXPECT_TRUE(LookUp(kTick)) << "the limit has not passed";
  EXPECT_FALSE(disk_.slow());
  EXPECT_FALSE(LookUp(kTick));
  EXPECT_TRUE(disk_.slow());
}

TEST_F(SlowDiskTest, ABoundedNumberWaits) {
  std::vector<SlowDisk::Lookup> waiting;
  for (size_t i = 0; i < SlowDisk::kLookupsMax; ++i) {
    const auto lookup = disk_.Begin(now_);
    ASSERT_TRUE(lookup);
    waiting.push_back(*lookup);
  }
  EXPECT_FALSE(disk_.Begin(now_));
  EXPECT_FALSE(disk_.slow()) << "many at a time are no reason";
  disk_.End(waiting[7], now_);
  EXPECT_TRUE(disk_.Begin(now_));
}

TEST_F(SlowDiskTest, QuickProbesInARowBringItBack) {
  LookUp(kLimit + kTick);
  Probe(kTick);
  Probe(kLimit / 2);
  Probe(kLimit / 2 + kTick);  // slow: from the start again
  Probe(kTick);
  Probe(kTick);
  EXPECT_TRUE(disk_.slow());
  Probe(kTick);
  EXPECT_FALSE(disk_.slow());
  EXPECT_TRUE(LookUp(kTick));
}

TEST_F(SlowDiskTest, NotWhileALookUpIsStillStuck) {
  const auto stuck = disk_.Begin(now_);
  ASSERT_TRUE(stuck);
  LookUp(kLimit + kTick);
  for (int i = 0; i < 2 * SlowDisk::kQuickProbes; ++i) {
    Probe(kTick);
  }
  EXPECT_TRUE(disk_.slow());
  disk_.End(*stuck, now_);
  for (int i = 0; i < SlowDisk::kQuickProbes; ++i) {
    EXPECT_TRUE(disk_.slow());
    Probe(kTick);
  }
  EXPECT_FALSE(disk_.slow());
}

TEST_F(SlowDiskTest, EachTimeItTakesAsManyProbes) {
  for (int round = 0; round < 3; ++round) {
    LookUp(kLimit + kTick);
    for (int i = 0; i < SlowDisk::kQuickProbes; ++i) {
      EXPECT_TRUE(disk_.slow());
      Probe(kTick);
    }
    EXPECT_FALSE(disk_.slow());
  }
}

}  // namespace
}  // namespace ocfsgw::cache
