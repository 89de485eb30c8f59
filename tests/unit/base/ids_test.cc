#include "base/ids.h"

#include <gtest/gtest.h>

#include <type_traits>
#include <unordered_set>

namespace ocfsgw {
namespace {

static_assert(!std::is_convertible_v<uint64_t, BlockIndex>);
static_assert(!std::is_convertible_v<BlockIndex, uint64_t>);
static_assert(!std::is_constructible_v<BlockIndex, VolumeId>);
static_assert(sizeof(StampHash) == sizeof(uint64_t));

TEST(StrongIdTest, ComparesByValue) {
  EXPECT_EQ(BlockIndex(3), BlockIndex(3));
  EXPECT_LT(BlockIndex(3), BlockIndex(4));
  EXPECT_EQ(BlockIndex{}.value, 0U);
}

TEST(StrongIdTest, HashSpreadsNeighbours) {
  std::unordered_set<size_t> low_bits;
  for (uint64_t i = 0; i < 256; ++i) {
    low_bits.insert(std::hash<BlockIndex>{}(BlockIndex(i)) & 0xFFFF);
  }
  EXPECT_GT(low_bits.size(), 250U);
}

TEST(InodeIdTest, GenerationMakesAnotherInode) {
  const InodeId first{7, 1};
  const InodeId second{7, 2};
  EXPECT_NE(first, second);
  EXPECT_LT(first, second);
  EXPECT_NE(std::hash<InodeId>{}(first), std::hash<InodeId>{}(second));
  EXPECT_EQ(std::hash<InodeId>{}(first), std::hash<InodeId>{}(InodeId{7, 1}));
}

TEST(HashMixTest, OrderOfArgumentsCounts) { EXPECT_NE(HashMix(1, 2), HashMix(2, 1)); }

}  // namespace
}  // namespace ocfsgw
