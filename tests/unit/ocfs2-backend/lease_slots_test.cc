#include "ocfs2-backend/lease_slots.h"

#include <gtest/gtest.h>

namespace ocfsgw::ocfs2 {
namespace {

constexpr InodeId kInode{7, 1};

class CountedHold final : public LeaseHold {
 public:
  explicit CountedHold(int& alive) : alive_(alive) { ++alive_; }
  ~CountedHold() override { --alive_; }

 private:
  int& alive_;
};

struct LeaseSlotsTest : testing::Test {
  int alive = 0;
  LeaseSlots slots;

  coherence::LeaseKey Held() {
    const auto key = slots.Begin(kInode);
    EXPECT_TRUE(slots.SetHold(key, std::make_shared<CountedHold>(alive)));
    EXPECT_TRUE(slots.Finish(key));
    return key;
  }
};

TEST_F(LeaseSlotsTest, RecallIsToldOnceAndReleaseIsIdempotent) {
  const auto key = Held();
  EXPECT_EQ(slots.Recall(key), kInode);
  EXPECT_EQ(slots.Recall(key), std::nullopt);
  EXPECT_EQ(alive, 1);
  slots.Release(key);
  slots.Release(key);
  EXPECT_EQ(alive, 0);
  EXPECT_EQ(slots.used(), 0U);
}

TEST_F(LeaseSlotsTest, KeysAreNotUsedAgain) {
  const auto first = Held();
  slots.Release(first);
  const auto second = Held();
  EXPECT_EQ(first.slot, second.slot);
  EXPECT_NE(first, second);
  EXPECT_EQ(slots.Recall(first), std::nullopt);
  slots.Release(first);
  EXPECT_EQ(alive, 1);
  EXPECT_EQ(slots.Recall({99, 1}), std::nullopt);
  EXPECT_EQ(slots.Recall({}), std::nullopt);
}

TEST_F(LeaseSlotsTest, RecallWhileAcquiringGivesBackAtOnceAndIsNotTold) {
  const auto key = slots.Begin(kInode);
  ASSERT_TRUE(slots.SetHold(key, std::make_shared<CountedHold>(alive)));
  EXPECT_NE(slots.GetHold(key), nullptr);
  EXPECT_EQ(slots.Recall(key), std::nullopt);
  EXPECT_EQ(alive, 0);
  EXPECT_EQ(slots.GetHold(key), nullptr);
  EXPECT_FALSE(slots.Finish(key));
  slots.Release(key);
  EXPECT_EQ(slots.used(), 0U);
}

TEST_F(LeaseSlotsTest, AFollowerSharesTheHoldAndOutlivesItsLeader) {
  constexpr InodeId kOther{8, 1};
  const auto leader = Held();
  const auto follower = slots.Begin(kOther);
  ASSERT_TRUE(slots.Follow(follower, leader));
  EXPECT_EQ(alive, 1);
  slots.Release(leader);
  EXPECT_EQ(alive, 1) << "the follower needs it";
  EXPECT_FALSE(slots.HasLeavingFollowers(kInode));
  EXPECT_EQ(slots.Recall(leader), std::nullopt) << "released";
  EXPECT_TRUE(slots.HasLeavingFollowers(kInode));
  EXPECT_FALSE(slots.HasLeavingFollowers(kOther));
  ASSERT_EQ(slots.Followers(leader), std::vector{follower});
  EXPECT_EQ(slots.Recall(follower), kOther);
  slots.Release(follower);
  EXPECT_EQ(alive, 0);
  EXPECT_TRUE(slots.Followers(leader).empty());
  EXPECT_FALSE(slots.HasLeavingFollowers(kInode));
}

TEST_F(LeaseSlotsTest, NobodyFollowsARecalledLeaseOrNone) {
  const auto leader = Held();
  const auto follower = slots.Begin(kInode);
  EXPECT_FALSE(slots.Follow(follower, {99, 1}));
  slots.Recall(leader);
  EXPECT_FALSE(slots.Follow(follower, leader));
  slots.Release(leader);
  EXPECT_FALSE(slots.Follow(follower, leader));
  EXPECT_EQ(alive, 0);
}

TEST_F(LeaseSlotsTest, RecallAllVoidsEverything) {
  const auto held = Held();
  const auto acquiring = slots.Begin(kInode);
  ASSERT_TRUE(slots.SetHold(acquiring, std::make_shared<CountedHold>(alive)));
  slots.RecallAll();
  EXPECT_EQ(alive, 1) << "held ones stay until the listener has released them";
  EXPECT_EQ(slots.Recall(held), std::nullopt);
  EXPECT_FALSE(slots.Finish(acquiring));
  Held();  // later ones are not concerned
}

TEST_F(LeaseSlotsTest, CloseGivesEverythingBack) {
  const auto key = Held();
  slots.Close();
  EXPECT_EQ(alive, 0);
  EXPECT_EQ(slots.Begin(kInode).generation, 0U);
  slots.Release(key);
}

}  // namespace
}  // namespace ocfsgw::ocfs2
