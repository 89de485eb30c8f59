#include "coherence/seal.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "cache/memory_page_store.h"
#include "coherence/metadata_records.h"

namespace ocfsgw::coherence {
namespace {

const Seal kSealed{Seal::State::kSealed, 0xFEDCBA9876543210, {1'700'000'000, 42}, 10'002};

FileAttr Root() {
  FileAttr attr;
  attr.mode = S_IFDIR | 0755;
  attr.mtime = kSealed.root_mtime;
  attr.immutable = true;
  return attr;
}

TEST(Seal, SaysInOneLineWhatItIs) {
  EXPECT_EQ(kSealed.Format(), "v1 sealed id=fedcba9876543210 mtime=1700000000.000000042 inodes=10002");
  for (const auto state : {Seal::State::kSealing, Seal::State::kSealed, Seal::State::kUnsealing}) {
    const Seal seal{state, 7, {-5, 999'999'999}, 0};
    const auto parsed = Seal::Parse(seal.Format());
    ASSERT_TRUE(parsed.ok()) << parsed.status().ToString();
    EXPECT_EQ(parsed->Format(), seal.Format());
    EXPECT_EQ(parsed->state, state);
  }
}

TEST(Seal, RefusesWhatItDidNotWrite) {
  const std::string good = kSealed.Format();
  for (const std::string& bad :
       {std::string(), good + " ", good + "1x", "v2" + good.substr(2), good.substr(0, good.size() - 6),
        "v1 torn id=1 mtime=1.1 inodes=1" + std::string(), std::string(4096, 's')}) {
    EXPECT_TRUE(Seal::Parse(bad).status().Is(StatusCode::kCorrupt)) << bad;
  }
}

TEST(Seal, CoversATreeOnlyIfNothingWasMadeInItsRootAtTheEnd) {
  EXPECT_TRUE(kSealed.Covers(Root()));
  FileAttr root = Root();
  root.immutable = false;
  EXPECT_FALSE(kSealed.Covers(root)) << "being unsealed, or died before the last step";
  root.immutable.reset();
  EXPECT_FALSE(kSealed.Covers(root));
  root = Root();
  root.mtime.nsec++;
  EXPECT_FALSE(kSealed.Covers(root)) << "a name came in between";
  Seal half = kSealed;
  half.state = Seal::State::kSealing;
  EXPECT_FALSE(half.Covers(Root()));
  half.state = Seal::State::kUnsealing;
  EXPECT_FALSE(half.Covers(Root()));
}

TEST(Seal, AttributesAreStoredUnderTheSealTheyWereReadUnder) {
  cache::MemoryPageStore store(1 << 20);
  MetadataRecords records(store);
  FileAttr attr = Root();
  attr.id = {12, 3};
  attr.nlink = 5;
  attr.uid = 1;
  attr.gid = 2;
  attr.size = 1ULL << 40;
  attr.blocks = 8;
  attr.ctime = {-1, 5};
  records.PutAttr(kSealed.Records(), attr);
  Seal next = kSealed;
  next.id++;
  EXPECT_FALSE(records.GetAttr(attr.id, next.Records()));
  EXPECT_FALSE(records.GetAttr({12, 4}, kSealed.Records())) << "another inode of that number";
  const auto got = records.GetAttr(attr.id, kSealed.Records());
  ASSERT_TRUE(got);
  EXPECT_EQ(got->id, attr.id);
  EXPECT_EQ(got->mode, attr.mode);
  EXPECT_EQ(got->nlink, attr.nlink);
  EXPECT_EQ(got->uid, attr.uid);
  EXPECT_EQ(got->gid, attr.gid);
  EXPECT_EQ(got->size, attr.size);
  EXPECT_EQ(got->blocks, attr.blocks);
  EXPECT_EQ(got->mtime, attr.mtime);
  EXPECT_EQ(got->ctime, attr.ctime);
}

}  // namespace
}  // namespace ocfsgw::coherence
