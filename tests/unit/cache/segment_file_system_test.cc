#include "cache/segment_file_system.h"

#include "cache/segment_db.h"
#include "tests/unit/cache/store_test_util.h"

namespace ocfsgw::cache {
namespace {

constexpr VolumeId kVolume(7);

/// A segment with records of one inode, flushed.
class SegmentWithRecords {
 public:
  explicit SegmentWithRecords(const std::vector<size_t>& lengths) {
    const SegmentDbOptions options{directory_.path() + "/db", 64 * kMiB,
                                   std::make_shared<StoreMemory>(kMiB, kMiB), nullptr};
    std::shared_ptr<SegmentDb> db;
    EXPECT_TRUE(SegmentDb::Create(options, &db).ok());
    EXPECT_TRUE(db->CreateSegment(1, &segment_).ok());
    rocksdb::WriteBatch batch;
    for (uint64_t index = 0; index < lengths.size(); ++index) {
      const RecordKey key = Block(1, index);
      const std::string payload = Content(key, kStamp, lengths[index]);
      const HeaderBytes header = EncodeHeader(kVolume, key, kStamp, payload);
      const RecordKeyBytes data_key = EncodeKey(kDataPrefix, key);
      EXPECT_TRUE(batch
                      .Put(segment_->handle(), {data_key.data(), data_key.size()},
                           std::string(header.data(), header.size()) + payload)
                      .ok());
    }
    EXPECT_TRUE(db->Write(&batch, /*logged=*/false).ok());
    EXPECT_TRUE(db->Flush(*segment_).ok());
  }

  /// Whether the record came past RocksDB; fails the test if it is not what was written.
  bool IsDirect(uint64_t index, size_t length) {
    const RecordKey key = Block(1, index);
    HeaderBytes header;
    std::string payload(length, '\0');
    rocksdb::PinnableSlice record;
    EXPECT_TRUE(segment_->ReadInto(key, &header, payload, &record).ok());
    if (!record.empty()) {
      EXPECT_TRUE(VerifiedPayload(kVolume, key, kStamp, length, record.ToStringView()));
      return false;
    }
    EXPECT_TRUE(Verified(kVolume, key, kStamp, header, payload));
    EXPECT_TRUE(payload == Content(key, kStamp, length));
    return true;
  }

 private:
  ScratchDirectory directory_;
  std::shared_ptr<Segment> segment_;
};

TEST(DirectRead, TakesLargeRecordsAmongSmallOnes) {
  const std::vector<size_t> lengths = {100,    131'072, 131'072, 100, 0,        4096,
                                       50'000, 2048,    100,     100, 1'000'000};
  SegmentWithRecords segment(lengths);
  for (uint64_t index = 0; index < lengths.size(); ++index) {
    const bool direct = segment.IsDirect(index, lengths[index]);
    EXPECT_TRUE(direct || lengths[index] < kAloneBytesMin) << index;
  }
}

/// A file with the block of "key" and a value of 5000 times 'v', as RocksDB writes it, and its reader.
class TableFileTest : public testing::Test {
 protected:
  TableFileTest() {
    const std::string value(kValueBytes, 'v');
    block_ = std::string("\0\x0b\x88\x27key", 7) + "sequence" + value + std::string(13, 't');
    std::ofstream(Path(), std::ios::binary) << "before" << block_ << "after";
  }
  std::string Path() const { return directory_.path() + "/table"; }

  /// Reads `bytes` bytes of the block, while `key` is looked up; what the reader gets.
  rocksdb::IOStatus Read(std::string_view key, size_t bytes) {
    SegmentFileSystem files(rocksdb::FileSystem::Default());
    std::unique_ptr<rocksdb::FSRandomAccessFile> file;
    EXPECT_TRUE(files.NewRandomAccessFile(Path(), {}, &file, nullptr).ok());
    scratch_.assign(bytes, '\0');
    DirectRead direct(key, head_, rest_);
    rocksdb::Slice result;
    rocksdb::IOStatus status = file->Read(6, bytes, {}, &result, scratch_.data(), nullptr);
    done_ = direct.done();
    result_ = status.ok() ? result.ToString() : "";
    return status;
  }

  static constexpr size_t kValueBytes = 5000;
  ScratchDirectory directory_;
  std::string block_;
  std::string scratch_;
  std::string head_ = std::string(10, '\0');
  std::string rest_ = std::string(kValueBytes - 10, '\0');
  std::string result_;
  bool done_ = false;
};

TEST_F(TableFileTest, TheValueGoesToItsBuffers) {
  EXPECT_TRUE(Read("key", block_.size()).IsAborted());
  EXPECT_TRUE(done_);
  EXPECT_EQ(head_ + rest_, std::string(kValueBytes, 'v'));
}

TEST_F(TableFileTest, AnotherKeyOrLengthIsReadAsEver) {
  EXPECT_TRUE(Read("kez", block_.size()).ok());
  EXPECT_FALSE(done_);
  EXPECT_EQ(result_, block_);
  EXPECT_TRUE(Read("key", block_.size() - 1).ok());
  EXPECT_FALSE(done_);
  EXPECT_EQ(result_, block_.substr(0, block_.size() - 1));
  rest_.pop_back();
  EXPECT_TRUE(Read("key", block_.size()).ok());
  EXPECT_FALSE(done_);
  EXPECT_EQ(result_, block_);
}

TEST_F(TableFileTest, AFileThatIsTooShortIsReadAsEver) {
  std::filesystem::resize_file(Path(), 3000);
  EXPECT_TRUE(Read("key", block_.size()).ok());
  EXPECT_FALSE(done_);
  EXPECT_EQ(result_, block_.substr(0, 3000 - 6));
}

}  // namespace
}  // namespace ocfsgw::cache
