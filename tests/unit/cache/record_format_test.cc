#include "cache/record_format.h"

#include "tests/unit/cache/store_test_util.h"

namespace ocfsgw::cache {
namespace {

constexpr VolumeId kVolume(7);
constexpr StampHash kStamp(9);

std::string Record(const RecordKey& key, const std::string& payload) {
  const HeaderBytes header = EncodeHeader(kVolume, key, kStamp, payload);
  return std::string(header.data(), header.size()) + payload;
}

template <size_t size>
std::string_view View(const std::array<char, size>& bytes) {
  return {bytes.data(), bytes.size()};
}

TEST(RecordFormat, KeysAndValuesSurviveTheRoundTrip) {
  const RecordKey key{InodeId{0x0123456789ABCDEF, 0xFEDCBA98}, RecordKind::kNode,
                      BlockIndex(0x1122334455667788)};
  EXPECT_EQ(DecodeIndexKey(View(EncodeKey(kIndexPrefix, key))), key);
  EXPECT_EQ(DecodeTombstoneKey(View(EncodeTombstoneKey(key.inode))), key.inode);
  EXPECT_EQ(DecodeSequence(View(EncodeSequence(1ULL << 63))), 1ULL << 63);
  const auto value = DecodeIndexValue(View(EncodeIndexValue({kStamp, 5, 6})));
  ASSERT_TRUE(value);
  EXPECT_EQ(value->stamp, kStamp);
  EXPECT_EQ(value->sequence, 5U);
  EXPECT_EQ(value->length, 6U);
}

TEST(RecordFormat, KeysOfAFileAreInOrderOfIndex) {
  EXPECT_LT(View(EncodeKey(kDataPrefix, Block(1, 255))), View(EncodeKey(kDataPrefix, Block(1, 256))));
}

TEST(RecordFormat, RefusesWhatItDidNotMake) {
  EXPECT_FALSE(DecodeIndexKey(View(EncodeKey(kDataPrefix, Block(1, 1)))));
  EXPECT_FALSE(DecodeIndexKey(""));
  EXPECT_FALSE(DecodeTombstoneKey("x"));
  EXPECT_FALSE(DecodeIndexValue("short"));
  EXPECT_FALSE(DecodeSequence(""));
  EXPECT_FALSE(VerifiedPayload(kVolume, Block(1, 1), kStamp, 0, ""));
}

TEST(RecordFormat, ARecordIsOnlyWhatItWasPutAs) {
  const std::string record = Record(Block(1, 1), "payload");
  EXPECT_EQ(VerifiedPayload(kVolume, Block(1, 1), kStamp, 7, record), "payload");
  EXPECT_FALSE(VerifiedPayload(VolumeId(8), Block(1, 1), kStamp, 7, record));
  EXPECT_FALSE(VerifiedPayload(kVolume, Block(1, 2), kStamp, 7, record));
  EXPECT_FALSE(VerifiedPayload(kVolume, Block(1, 1), StampHash(8), 7, record));
  EXPECT_FALSE(VerifiedPayload(kVolume, Block(1, 1), kStamp, 6, record));
}

TEST(RecordFormat, EveryFlippedBitIsSeen) {
  const std::string record = Record(Block(1, 1), "payload");
  for (size_t bit = 0; bit < 8 * record.size(); ++bit) {
    std::string damaged = record;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(VerifiedPayload(kVolume, Block(1, 1), kStamp, 7, damaged)) << bit;
  }
}

}  // namespace
}  // namespace ocfsgw::cache
