#include "fusefs/inode_table.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace ocfsgw::fusefs {
namespace {

class Node final : public coherence::BackendNode {
 public:
  explicit Node(uint64_t ino) : BackendNode({ino, 1}) {}
  std::string Token() const override { return {}; }
};

coherence::Entry EntryOf(uint64_t ino) {
  return {std::make_shared<coherence::Inode>(std::make_shared<Node>(ino)), {}, std::nullopt};
}

class InodeTableTest : public testing::Test {
 protected:
  /// The node ids that the guardian would find.
  std::multiset<uint64_t> Found() const {
    std::multiset<uint64_t> found;
    for (uint32_t slot = 0; slot < slots_->used; ++slot) {
      if (slots_->slots[slot] != 0) found.insert(slots_->slots[slot]);
    }
    return found;
  }
  const std::unique_ptr<GrantSlots> slots_ = std::make_unique<GrantSlots>();
};

TEST_F(InodeTableTest, WhatTheKernelKnowsIsInTheGuardiansTable) {
  GrantTable grants(*slots_);
  InodeTable table(EntryOf(1).inode, &grants);
  EXPECT_EQ(Found(), (std::multiset<uint64_t>{FUSE_ROOT_ID}));
  const auto a = EntryOf(10);
  const fuse_ino_t ino = table.Remember(a).ino;
  EXPECT_EQ(table.Remember(a).ino, ino);
  const fuse_ino_t other = table.Remember(EntryOf(11)).ino;
  EXPECT_EQ(Found(), (std::multiset<uint64_t>{FUSE_ROOT_ID, ino, other}));
  EXPECT_TRUE(table.Guarded(FUSE_ROOT_ID) && table.Guarded(ino) && table.Guarded(other));
  table.Forget(ino, 1);
  EXPECT_TRUE(table.Guarded(ino)) << "one lookup is left";
  table.Forget(ino, 1);
  table.Forget(FUSE_ROOT_ID, 1);
  EXPECT_FALSE(table.Guarded(ino));
  EXPECT_EQ(Found(), (std::multiset<uint64_t>{FUSE_ROOT_ID, other}));
}

TEST_F(InodeTableTest, ConnectionsShareTheGuardiansTable) {
  GrantTable grants(*slots_, 3);
  InodeTable mount(EntryOf(1).inode, &grants);
  InodeTable tree(EntryOf(2).inode, &grants, 7);
  const fuse_ino_t ino = tree.Remember(EntryOf(10)).ino;
  EXPECT_EQ(Found(), (std::multiset<uint64_t>{Grant{0, FUSE_ROOT_ID}.Packed(),
                                              Grant{7, FUSE_ROOT_ID}.Packed(), Grant{7, ino}.Packed()}));
  const Grant grant = Grant::Unpacked(Grant{7, ino}.Packed());
  EXPECT_EQ(grant.connection, 7U);
  EXPECT_EQ(grant.ino, ino);
  EXPECT_FALSE(mount.Guarded(mount.Remember(EntryOf(10)).ino)) << "the table is full for all of them";
}

TEST_F(InodeTableTest, WhatFindsNoSlotIsNotGuarded) {
  GrantTable grants(*slots_, 3);
  InodeTable table(EntryOf(1).inode, &grants);
  const fuse_ino_t a = table.Remember(EntryOf(10)).ino;
  table.Remember(EntryOf(11));
  const auto entry = EntryOf(12);
  const fuse_ino_t late = table.Remember(entry).ino;
  EXPECT_FALSE(table.Guarded(late));
  table.Forget(a, 1);
  EXPECT_FALSE(table.Guarded(late)) << "it has no slot yet";
  table.Forget(late, 1);
  const fuse_ino_t again = table.Remember(entry).ino;
  EXPECT_TRUE(table.Guarded(again)) << "the slot that became free is used";
  EXPECT_EQ(Found().size(), 3U);
  EXPECT_EQ(Found().count(again), 1U);
}

class Hold final : public coherence::NodeHold {
 public:
  bool Needed() override { return true; }
};

TEST(InodeTable, HoldsEndWhenTheKernelForgets) {
  InodeTable table(EntryOf(1).inode);
  const auto entry = EntryOf(10);
  std::weak_ptr<Hold> held;
  const auto keep = [&] {
    const auto hold = std::make_shared<Hold>();
    held = hold;
    return table.Keep({10, 1}, hold);
  };
  EXPECT_FALSE(keep()) << "the kernel does not know it";
  const fuse_ino_t ino = table.Remember(entry).ino;
  table.Remember(entry);
  EXPECT_TRUE(keep());
  EXPECT_FALSE(table.Forget(ino, 1)) << "one lookup is left";
  EXPECT_FALSE(held.expired());
  auto forgotten = table.Forget(ino, 1);
  ASSERT_TRUE(forgotten);
  EXPECT_EQ(forgotten->hold, held.lock());
  forgotten.reset();
  EXPECT_TRUE(held.expired());
  EXPECT_FALSE(keep());
}

TEST(InodeTable, HoldsAreBounded) {
  InodeTable table(EntryOf(1).inode);
  std::vector<fuse_ino_t> inos;
  for (uint64_t i = 0; i <= InodeTable::kHoldsMax; ++i) inos.push_back(table.Remember(EntryOf(10 + i)).ino);
  for (uint64_t i = 0; i < InodeTable::kHoldsMax; ++i) {
    ASSERT_TRUE(table.Keep({10 + i, 1}, std::make_shared<Hold>()));
  }
  const InodeId one_more{10 + InodeTable::kHoldsMax, 1};
  EXPECT_FALSE(table.Keep(one_more, std::make_shared<Hold>()));
  EXPECT_TRUE(table.Forget(inos.front(), 1));
  EXPECT_TRUE(table.Keep(one_more, std::make_shared<Hold>()));
}

TEST(InodeTable, WithoutAGuardianNothingIsGuarded) {
  InodeTable table(EntryOf(1).inode);
  EXPECT_FALSE(table.Guarded(FUSE_ROOT_ID));
  const fuse_ino_t ino = table.Remember(EntryOf(10)).ino;
  EXPECT_FALSE(table.Guarded(ino));
  table.Forget(ino, 1);
  EXPECT_EQ(table.size(), 1U);
}

}  // namespace
}  // namespace ocfsgw::fusefs
