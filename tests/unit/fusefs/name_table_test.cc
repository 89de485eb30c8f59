#include "fusefs/name_table.h"

#include <gtest/gtest.h>

namespace ocfsgw::fusefs {
namespace {

constexpr NodeId kDir = 1, kOther = 2, kA = 10, kB = 11, kSub = 12;

class NameTableTest : public testing::Test {
 protected:
  NameTableTest() { table.SetCanExpire(true); }
  bool Offer(const std::string& name, NodeId child) { return table.Offer(kDir, name, {.ino = child}); }
  void TakeBackAll(bool gone) {
    for (const auto& name : table.TrustedIn(kDir)) table.TakenBack(kDir, name, gone);
  }
  NameTable table{TrustNames::kSafe};
};

TEST_F(NameTableTest, WhatTheKernelDoesNotHaveMayBeTrusted) {
  EXPECT_TRUE(Offer("a", kA));
  EXPECT_TRUE(Offer("none", NameTable::kMissing));
  EXPECT_EQ(table.TrustedIn(kDir).size(), 2u);
  EXPECT_TRUE(table.TrustedIn(kOther).empty());
}

TEST_F(NameTableTest, ARevalidationIsNot) {
  table.Tell(kDir, "a", kA);
  EXPECT_FALSE(Offer("a", kA));
  EXPECT_TRUE(Offer("b", kB));
  TakeBackAll(false);
  EXPECT_FALSE(Offer("b", kB)) << "aged, the kernel has it still";
  EXPECT_TRUE(table.TrustedIn(kDir).empty());
}

TEST_F(NameTableTest, AListingIs) {
  table.Tell(kDir, "a", kA);
  EXPECT_TRUE(table.Offer(kDir, "a", {.ino = kA, .listed = true}));
}

TEST_F(NameTableTest, WhatWasDroppedOrForgottenIsNew) {
  EXPECT_TRUE(Offer("a", kA));
  TakeBackAll(true);
  EXPECT_TRUE(Offer("a", kA));
  TakeBackAll(false);
  table.Forget(kA);
  EXPECT_TRUE(table.TrustedIn(kDir).empty());
  EXPECT_TRUE(Offer("a", kB)) << "a node id is never used twice";
}

TEST_F(NameTableTest, ToldAgainWhileBeingTakenBackItStaysOnRecord) {
  EXPECT_TRUE(Offer("none", NameTable::kMissing));
  const auto names = table.TrustedIn(kDir);
  EXPECT_TRUE(Offer("none", NameTable::kMissing));
  table.TakenBack(kDir, names.at(0), true);
  EXPECT_EQ(table.TrustedIn(kDir).size(), 1u);
  const auto again = table.TrustedIn(kDir);
  table.Tell(kDir, "none", kA);  // dropped, and made meanwhile
  table.TakenBack(kDir, again.at(0), true);
  EXPECT_FALSE(Offer("none", kA)) << "the kernel has it";
}

TEST_F(NameTableTest, WhatIsTrustedWithAnotherMeaningIsFirstTakenBack) {
  EXPECT_TRUE(Offer("a", kA));
  EXPECT_FALSE(Offer("a", kB));
  EXPECT_EQ(table.TrustedIn(kDir).at(0).child, kA);
  TakeBackAll(true);
  EXPECT_TRUE(Offer("a", kB));
}

TEST_F(NameTableTest, AChangeThroughTheMountSupersedes) {
  EXPECT_TRUE(Offer("new", NameTable::kMissing));
  table.Change(kDir, "new", kA);
  EXPECT_TRUE(table.TrustedIn(kDir).at(0).superseded);
  TakeBackAll(false);
  EXPECT_FALSE(Offer("new", kA)) << "created here: the kernel has it";
  EXPECT_TRUE(Offer("b", kB));
  table.Tell(kDir, "b", kB);
  EXPECT_FALSE(table.TrustedIn(kDir).at(0).superseded) << "an answer to LOOKUP may not be worked in yet";
  table.Change(kDir, "b", NameTable::kMissing);
  EXPECT_TRUE(table.TrustedIn(kDir).at(0).superseded);
}

TEST_F(NameTableTest, ARenameTakesTheTrustAlong) {
  EXPECT_TRUE(Offer("a", kA));
  EXPECT_TRUE(Offer("b", kB));
  EXPECT_TRUE(table.Trusted(kDir, "a"));
  table.Move(kDir, "a", kOther, "moved", false);
  EXPECT_FALSE(table.Trusted(kDir, "a"));
  EXPECT_TRUE(table.Trusted(kOther, "moved"));
  table.Move(kOther, "moved", kDir, "b", true);
  EXPECT_EQ(table.TrustedIn(kDir).at(0).child, kA);
  EXPECT_EQ(table.TrustedIn(kOther).at(0).child, kB);
  table.Forget(kA);
  EXPECT_TRUE(table.TrustedIn(kDir).empty());
}

TEST_F(NameTableTest, BeforeNamesCanBeAgedOnlyMissingOnesAreSafe) {
  table.SetCanExpire(false);
  EXPECT_FALSE(Offer("a", kA));
  EXPECT_TRUE(Offer("none", NameTable::kMissing));
  NameTable all(TrustNames::kAll);
  EXPECT_TRUE(all.Offer(kDir, "a", {.ino = kA}));
  EXPECT_FALSE(all.Offer(kDir, "sub", {.ino = kSub, .directory = true}));
  NameTable none(TrustNames::kNone);
  none.SetCanExpire(true);
  EXPECT_FALSE(none.Offer(kDir, "none", {}));
}

TEST_F(NameTableTest, TrustIsBoundedForEachDirectory) {
  for (size_t i = 0; i < NameTable::kTrustedMax; ++i) {
    ASSERT_TRUE(Offer("none" + std::to_string(i), NameTable::kMissing));
  }
  EXPECT_FALSE(Offer("one more", NameTable::kMissing));
  EXPECT_FALSE(Offer("a", kA));
  EXPECT_TRUE(table.Offer(kOther, "a", {.ino = kB}));
  TakeBackAll(true);
  EXPECT_TRUE(Offer("one more", NameTable::kMissing));
  table.Forget(kDir);
  EXPECT_EQ(table.size(), 1u);
}

}  // namespace
}  // namespace ocfsgw::fusefs
