#include "ocfs2-backend/value_block.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <charconv>
#include <string>
#include <vector>

#include "ocfs2-backend/lock_name.h"

namespace ocfsgw::ocfs2 {
namespace {

std::vector<std::byte> FromHex(std::string hex) {
  std::erase(hex, ' ');
  std::vector<std::byte> bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    uint8_t value = 0;
    std::from_chars(hex.data() + i, hex.data() + i + 2, value, 16);
    bytes.push_back(std::byte{value});
  }
  return bytes;
}

// Read on a real cluster after an append on another node.
constexpr const char* kAppended =
    "05 00 0001 00000000 00000000 00000000 1ac0a3af4b4d969f 1ac0a3c281d3309f 1ac0a3c281d3309f"
    "0000000000000013 81a4 0001 00000000 538bbf35 00000000";
// A directory of inline entries, 8 blocks by stat.
constexpr const char* kInlineDirectory =
    "0500000100000000 0000000000000000 1ac0b1fbe297bbfb 1ac0b1fc8dbbacfb 1ac0b1fc8dbbacfb 0000000000000f38"
    "41ed000200000000 4277aebc00000000";
// mtime five seconds before 1970.
constexpr const char* kBeforeEpoch =
    "0500000000000000 0000000000000000 0000000000000000 1ac0b1fc9318fbfb 0000000000000000 0000000000000000"
    "81a4000100000000 4277aebe00000000";

TEST(ValueBlock, EveryFieldOfARealOne) {
  const auto attr = ParseValueBlock(FromHex(kAppended), 516, 4096);
  ASSERT_TRUE(attr);
  EXPECT_EQ(attr->id, (InodeId{516, 0x538bbf35}));
  EXPECT_EQ(attr->mode, 0100644U);
  EXPECT_EQ(attr->nlink, 1U);
  EXPECT_EQ(attr->uid, 0U);
  EXPECT_EQ(attr->gid, 0U);
  EXPECT_EQ(attr->size, 19U);
  EXPECT_EQ(attr->blocks, 1U);  // inline data
  EXPECT_EQ(attr->blksize, 4096U);
  EXPECT_EQ(attr->ctime, attr->mtime);
  EXPECT_EQ(attr->mtime.sec, 0x1ac0a3c281d3309f >> 30);
  EXPECT_EQ(attr->mtime.nsec, 0x1ac0a3c281d3309f & 0x3fffffff);
  EXPECT_EQ(attr->atime.sec, 0x1ac0a3af4b4d969f >> 30);
}

TEST(ValueBlock, OwnersAndClusters) {
  auto bytes = FromHex(kAppended);
  bytes[3] = std::byte{0};   // features
  bytes[7] = std::byte{3};   // clusters
  bytes[11] = std::byte{7};  // uid
  bytes[14] = std::byte{1};  // gid, second byte from the right
  const auto attr = ParseValueBlock(bytes, 516, 1 << 20);
  ASSERT_TRUE(attr);
  EXPECT_EQ(attr->blocks, 3U * 2048);
  EXPECT_EQ(attr->blksize, 1U << 20);
  EXPECT_EQ(attr->uid, 7U);
  EXPECT_EQ(attr->gid, 256U);
}

TEST(ValueBlock, InlineDirectoryCountsBlocksAsStatDoes) {
  const auto attr = ParseValueBlock(FromHex(kInlineDirectory), 1, 4096);
  ASSERT_TRUE(attr);
  EXPECT_EQ(attr->blocks, 8U);
}

TEST(ValueBlock, NothingWhereItDoesNotSay) {
  const auto good = FromHex(kAppended);
  const auto changed = [&](size_t at, uint8_t value) {
    auto bytes = good;
    bytes[at] = std::byte{value};
    return ParseValueBlock(bytes, 1, 4096).has_value();
  };
  EXPECT_TRUE(changed(0, 5));
  EXPECT_FALSE(changed(0, 4)) << "version";
  EXPECT_FALSE(changed(48, 0x21)) << "character device";
  EXPECT_FALSE(changed(48, 0x61)) << "block device";
  EXPECT_FALSE(ParseValueBlock(FromHex(kBeforeEpoch), 1, 4096));
  EXPECT_FALSE(ParseValueBlock(std::vector<std::byte>(64), 1, 4096));
  for (size_t size = 0; size < 64; ++size) {
    EXPECT_FALSE(ParseValueBlock(std::span(good).first(size), 1, 4096)) << size;
  }
}

TEST(LockName, AsTheKernelNamesThem) {
  EXPECT_EQ(LockName(LockKind::kMeta, 0x7e02, 0x4277aebb), "M0000000000000000007e0200000000");
  EXPECT_EQ(LockName(LockKind::kOpen, 0x7e02, 0x4277aebb), "O0000000000000000007e0200000000");
  EXPECT_EQ(LockName(LockKind::kWrite, 0x7e02, 0x4277aebb), "W0000000000000000007e024277aebb");
  EXPECT_EQ(LockName(LockKind::kMeta, 5, 0x4277aebb, true), "M00000000000000000000054277aebb")
      << "the volume's root";
  EXPECT_EQ(LockName(LockKind::kMeta, UINT64_MAX, 0), "M000000ffffffffffffffff00000000");
}

}  // namespace
}  // namespace ocfsgw::ocfs2
