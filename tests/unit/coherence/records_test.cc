// Stamps, listings and metadata records.

#include <dirent.h>
#include <gtest/gtest.h>

#include "cache/memory_page_store.h"
#include "coherence/directory.h"
#include "coherence/lease_table.h"
#include "coherence/metadata_records.h"
#include "coherence/stamp.h"
#include "tests/sim/sim_volume.h"

namespace ocfsgw::coherence {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

Stamp StampAt(int64_t sec, uint32_t nsec = 0) { return {{7, 1}, 10, {sec, nsec}, {sec, nsec}}; }

TEST(Stamp, EveryPartCounts) {
  const Stamp base = StampAt(1000);
  Stamp other = base;
  EXPECT_EQ(base.Hash(), other.Hash());
  other.id.generation = 2;
  EXPECT_NE(base.Hash(), other.Hash()) << "a re-used inode number";
  other = base;
  other.size = 11;
  EXPECT_NE(base.Hash(), other.Hash());
  other = base;
  other.mtime.nsec = 1;
  EXPECT_NE(base.Hash(), other.Hash());
  other = base;
  other.ctime.nsec = 1;
  EXPECT_NE(base.Hash(), other.Hash()) << "mtime set back by utimes leaves the ctime";
  EXPECT_NE(base.Hash(), base.Hash(1)) << "salt";
}

TEST(Stamp, IsRacyWithinTheGuardOnly) {
  const Stamp stamp = StampAt(1000, 500);
  EXPECT_TRUE(stamp.RacyAt(1000 * kSecond + 500, 2 * kSecond));
  EXPECT_TRUE(stamp.RacyAt(1002 * kSecond + 500, 2 * kSecond));
  EXPECT_FALSE(stamp.RacyAt(1002 * kSecond + 501, 2 * kSecond));
  EXPECT_TRUE(stamp.RacyAt(990 * kSecond, 2 * kSecond)) << "a writer's clock ahead of ours";
  EXPECT_FALSE(StampAt(INT64_MIN / 2).RacyAt(1000 * kSecond, 2 * kSecond)) << "no overflow";
  EXPECT_TRUE(StampAt(INT64_MAX / 2).RacyAt(1000 * kSecond, 2 * kSecond));
}

std::vector<DirectoryEntry> Entries(size_t count) {
  std::vector<DirectoryEntry> entries;
  for (size_t i = 0; i < count; ++i) {
    entries.push_back({"name" + std::to_string(i) + std::string(i % 250, 'x'), 1000 + i, DT_REG});
  }
  return entries;
}

TEST(Listing, SurvivesSerialization) {
  const Listing listing(Entries(300));
  const auto parsed = Listing::Parse(listing.Serialize());
  ASSERT_TRUE(parsed.ok());
  ASSERT_EQ((*parsed)->entries().size(), 300u);
  ASSERT_NE((*parsed)->Find(listing.entries()[299].name), nullptr);
  EXPECT_EQ((*parsed)->Find(listing.entries()[299].name)->ino, 1299u);
  EXPECT_EQ((*parsed)->Find("not there"), nullptr);
}

TEST(Listing, DamageIsNoticedWhereverItIsCut) {
  const std::string bytes = Listing(Entries(3)).Serialize();
  for (size_t cut = 0; cut < bytes.size(); ++cut) {
    EXPECT_FALSE(Listing::Parse(std::string_view(bytes).substr(0, cut)).ok()) << cut;
  }
  EXPECT_FALSE(Listing::Parse(bytes + "x").ok());
}

TEST(MetadataRecords, AListingOfManyBlocksComesBackWholeOrNotAtAll) {
  cache::MemoryPageStore store(64 << 20);
  MetadataRecords records(store);
  const InodeId directory{5, 1};
  const Listing listing(Entries(20'000));
  records.PutListing(directory, StampHash(1), listing);
  const auto got = records.GetListing(directory, StampHash(1));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->entries().size(), 20'000u);
  EXPECT_FALSE(records.GetListing(directory, StampHash(2))) << "another version";
  store.Put({directory, cache::RecordKind::kListing, BlockIndex(1)}, StampHash(9),
            std::make_shared<std::string>("x"));
  EXPECT_FALSE(records.GetListing(directory, StampHash(1))) << "a block is missing";
}

TEST(MetadataRecords, NodesAreFoundAgainByInodeNumber) {
  cache::MemoryPageStore store(1 << 20);
  MetadataRecords records(store);
  sim::SimVolume volume;
  sim::SimBackend backend(volume);
  EXPECT_FALSE(records.GetNode(sim::SimVolume::kRootIno, backend));
  records.PutNode(backend.Root());
  const NodeRef node = records.GetNode(sim::SimVolume::kRootIno, backend);
  ASSERT_TRUE(node);
  EXPECT_EQ(node->id(), backend.Root()->id());
}

TEST(Directory, KnowsSingleNamesUntilTheListingIsThere) {
  Directory directory;
  EXPECT_FALSE(directory.Find("a").known);
  directory.AddName("a", 12);
  directory.AddName("b", 0);
  EXPECT_EQ(directory.Find("a").ino, 12u);
  EXPECT_TRUE(directory.Find("b").known);
  EXPECT_FALSE(directory.Find("b").exists);
  directory.SetListing(std::make_shared<const Listing>(Entries(1)));
  EXPECT_TRUE(directory.Find("a").known);
  EXPECT_FALSE(directory.Find("a").exists) << "the listing knows all names";
  EXPECT_TRUE(directory.Find("name0").exists);
}

TEST(Directory, SingleNamesAreBounded) {
  Directory directory;
  for (size_t i = 0; i <= Directory::kSingleNamesMax; ++i) directory.AddName(std::to_string(i), 1);
  EXPECT_FALSE(directory.Find("0").known);
  EXPECT_TRUE(directory.Find(std::to_string(Directory::kSingleNamesMax)).known);
}

TEST(Complement, LeavesOutWholePagesOfRequestsInFlight) {
  EXPECT_EQ(Complement({}), (std::vector<ByteRange>{{0, ByteRange::kToEnd}}));
  EXPECT_EQ(Complement({{100, 200}}), (std::vector<ByteRange>{{4096, ByteRange::kToEnd}}));
  EXPECT_EQ(Complement({{8192, 12288}, {5000, 9000}}),
            (std::vector<ByteRange>{{0, 4096}, {12288, ByteRange::kToEnd}}));
  EXPECT_EQ(Complement({{0, ByteRange::kToEnd}}), (std::vector<ByteRange>{}));
}

}  // namespace
}  // namespace ocfsgw::coherence
