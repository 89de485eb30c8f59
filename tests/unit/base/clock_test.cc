#include "base/clock.h"

#include <gtest/gtest.h>

namespace ocfsgw {
namespace {

using std::chrono::milliseconds;

TEST(SimClockTest, StandsStillUntilMoved) {
  SimClock clock;
  const TimePoint start = clock.Now();
  const int64_t wall = clock.WallNowNs();
  EXPECT_EQ(clock.Now(), start);
  clock.Advance(milliseconds(5));
  EXPECT_EQ(clock.Now() - start, milliseconds(5));
  EXPECT_EQ(clock.WallNowNs() - wall, 5'000'000);
}

TEST(SimClockTest, WallTimeMayJumpBackwards) {
  SimClock clock;
  const TimePoint start = clock.Now();
  clock.SetWallNs(42);
  EXPECT_EQ(clock.WallNowNs(), 42);
  EXPECT_EQ(clock.Now(), start);
  clock.Advance(std::chrono::nanoseconds(1));
  EXPECT_EQ(clock.WallNowNs(), 43);
}

TEST(SimClockTest, NowIsNeverTheDefaultTimePoint) {
  SimClock clock;
  EXPECT_GT(clock.Now(), TimePoint{});
}

TEST(RealClockTest, Moves) {
  RealClock clock;
  const TimePoint start = clock.Now();
  while (clock.Now() == start) {
  }
  EXPECT_GT(clock.Now(), start);
  EXPECT_GT(clock.WallNowNs(), 1'600'000'000'000'000'000);
}

}  // namespace
}  // namespace ocfsgw
