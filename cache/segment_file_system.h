#pragma once

#include <rocksdb/file_system.h>
#include <rocksdb/flush_block_policy.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace ocfsgw::cache {

/// Values of this size and above have a data block of their own in tables written with ValuesAlone.
inline constexpr size_t kAloneBytesMin = 2048;

/// While one of these lives, the read of the data block that has the value of `key`, and only that, does not
/// reach RocksDB: the value goes from the table's file to the buffer given, and RocksDB's read of the block
/// fails. Whoever looks up `key` meanwhile has either done() and an error to be ignored, or the result as
/// ever: from memtables, from the block cache, from a block that has more than this value.
///
/// It saves RocksDB's buffers, its checksum of the block, and copies: more than half of a hit's time.
///
/// One thread's own, and one at a time in a thread. A value that is done() has passed no checksum.
class DirectRead {
 public:
  /// The value is expected to be as long as `head` and `rest` together, which are filled in this order.
  DirectRead(std::string_view key, std::span<char> head, std::span<char> rest);
  ~DirectRead();
  DirectRead(const DirectRead&) = delete;
  DirectRead& operator=(const DirectRead&) = delete;

  bool done() const { return done_; }

 private:
  friend class TableFile;

  const std::string_view key_;
  const std::span<char> head_;
  const std::span<char> rest_;
  bool done_ = false;
};

/// Puts values of kAloneBytesMin and more into blocks of their own, the others into blocks as RocksDB does.
class ValuesAlone final : public rocksdb::FlushBlockPolicyFactory {
 public:
  const char* Name() const override { return "ValuesAlone"; }
  rocksdb::FlushBlockPolicy* NewFlushBlockPolicy(const rocksdb::BlockBasedTableOptions& options,
                                                 const rocksdb::BlockBuilder& builder) const override;
};

/// What RocksDB reads and writes segments through: its files can be read by DirectRead, whoever has a duty
/// hands it over before he waits for the disk (base/blocking.h), and it does without OPTIONS files. RocksDB
/// writes, re-reads and compares an OPTIONS file of all column families whenever one is created or dropped,
/// most of the time that takes with 64 of them. It does without when the file cannot be made
/// (DBOptions::fail_if_options_file_error), and we never read one.
class SegmentFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "SegmentFileSystem"; }
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* debug) override;
};

}  // namespace ocfsgw::cache
