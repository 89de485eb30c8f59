#include "cache/segment_file_system.h"

#include <fcntl.h>
#include <sys/uio.h>

#include <array>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/blocking.h"
#include "base/unique_fd.h"

namespace ocfsgw::cache {

// A data block with one entry, as RocksDB lays it out (table/block_based/block_builder.cc, format.h):
//
// | bytes of the key shared: varint 0 | others: varint | bytes of the value: varint |
// | key | sequence and type: 8 | value | restart points: 4 for the one, 4 for their number | trailer: 5 |
namespace {

constexpr size_t kKeyBytesMax = 64;
constexpr size_t kKeySuffixBytes = 8;
constexpr size_t kBlockTailBytes = 4 + 4 + 5;
constexpr size_t kVarintBytesMax = 10;

thread_local DirectRead* current = nullptr;

/// What comes before the value, but for the sequence and type.
class BlockHead {
 public:
  BlockHead(std::string_view key, size_t value_bytes) {
    AddVarint(0);
    AddVarint(key.size() + kKeySuffixBytes);
    AddVarint(value_bytes);
    std::memcpy(bytes_.data() + size_, key.data(), key.size());
    size_ += key.size();
  }
  std::string_view bytes() const { return {bytes_.data(), size_}; }

 private:
  void AddVarint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) {
      bytes_[size_++] = static_cast<char>(value | 0x80);
    }
    bytes_[size_++] = static_cast<char>(value);
  }

  std::array<char, 3 * kVarintBytesMax + kKeyBytesMax> bytes_;
  size_t size_ = 0;
};

class ValuesAlonePolicy final : public rocksdb::FlushBlockPolicy {
 public:
  explicit ValuesAlonePolicy(std::unique_ptr<rocksdb::FlushBlockPolicy> by_size)
      : by_size_(std::move(by_size)) {}
  bool Update(const rocksdb::Slice& key, const rocksdb::Slice& value) override {
    const bool alone = value.size() >= kAloneBytesMin;
    const bool block_ends = alone || last_alone_;
    last_alone_ = alone;
    const bool first = std::exchange(first_, false);  // there is no block to end
    return by_size_->Update(key, value) || (block_ends && !first);
  }

 private:
  const std::unique_ptr<rocksdb::FlushBlockPolicy> by_size_;
  bool first_ = true;
  bool last_alone_ = false;
};

}  // namespace

DirectRead::DirectRead(std::string_view key, std::span<char> head, std::span<char> rest)
    : key_(key), head_(head), rest_(rest) {
  assert(current == nullptr && key.size() <= kKeyBytesMax);
  current = this;
}

DirectRead::~DirectRead() { current = nullptr; }

/// A file that is read from where DirectRead says, and by a thread with a duty at first from the kernel's
/// memory.
class TableFile final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  /// `same`: the same file again, or none.
  TableFile(std::unique_ptr<rocksdb::FSRandomAccessFile> file, UniqueFd same)
      : FSRandomAccessFileOwnerWrapper(std::move(file)), same_(std::move(same)) {}
  rocksdb::IOStatus Read(uint64_t offset, size_t bytes, const rocksdb::IOOptions& options,
                         rocksdb::Slice* result, char* scratch,
                         rocksdb::IODebugContext* debug) const override {
    if (current != nullptr && !current->done_ && ReadValue(current, offset, bytes, options, debug)) {
      current->done_ = true;
      return rocksdb::IOStatus::Aborted("read by DirectRead");
    }
    return ReadBelow(offset, bytes, options, result, scratch, debug);
  }

 private:
  rocksdb::IOStatus ReadBelow(uint64_t offset, size_t bytes, const rocksdb::IOOptions& options,
                              rocksdb::Slice* result, char* scratch, rocksdb::IODebugContext* debug) const {
    if (thread_duty != nullptr && ReadWithoutWaiting(offset, {scratch, bytes})) {
      *result = {scratch, bytes};
      return rocksdb::IOStatus::OK();
    }
    AboutToBlock();
    return target()->Read(offset, bytes, options, result, scratch, debug);
  }
  /// False: not all of it is in the kernel's memory, or the kernel cannot tell.
  bool ReadWithoutWaiting(uint64_t offset, std::span<char> into) const {
    const iovec part{into.data(), into.size()};
    return same_ && ::preadv2(same_.get(), &part, 1, static_cast<off_t>(offset), RWF_NOWAIT) ==
                        static_cast<ssize_t>(into.size());
  }

  /// False: the block at `offset` has something else, or cannot be read; RocksDB may find out.
  bool ReadValue(DirectRead* read, uint64_t offset, size_t block_bytes, const rocksdb::IOOptions& options,
                 rocksdb::IODebugContext* debug) const {
    const BlockHead expected(read->key_, read->head_.size() + read->rest_.size());
    const size_t head_bytes = expected.bytes().size() + kKeySuffixBytes + read->head_.size();
    std::array<char, 256> head;
    if (block_bytes != head_bytes + read->rest_.size() + kBlockTailBytes || head_bytes > head.size()) {
      return false;
    }
    const auto read_all = [&](uint64_t from, std::span<char> into) {
      rocksdb::Slice got;
      if (!ReadBelow(from, into.size(), options, &got, into.data(), debug).ok() ||
          got.size() != into.size()) {
        return false;
      }
      if (got.data() != into.data()) {
        std::memcpy(into.data(), got.data(), got.size());
      }
      return true;
    };
    // The large part first: what is on the disk comes with one access.
    if (!read_all(offset + head_bytes, read->rest_) || !read_all(offset, std::span(head).first(head_bytes)) ||
        !std::string_view(head.data(), head.size()).starts_with(expected.bytes())) {
      return false;
    }
    std::memcpy(read->head_.data(), head.data() + head_bytes - read->head_.size(), read->head_.size());
    return true;
  }

  const UniqueFd same_;
};

rocksdb::FlushBlockPolicy* ValuesAlone::NewFlushBlockPolicy(const rocksdb::BlockBasedTableOptions& options,
                                                            const rocksdb::BlockBuilder& builder) const {
  std::unique_ptr<rocksdb::FlushBlockPolicy> by_size(
      rocksdb::FlushBlockBySizePolicyFactory().NewFlushBlockPolicy(options, builder));
  return new ValuesAlonePolicy(std::move(by_size));  // owned by RocksDB
}

rocksdb::IOStatus SegmentFileSystem::NewWritableFile(const std::string& path,
                                                     const rocksdb::FileOptions& options,
                                                     std::unique_ptr<rocksdb::FSWritableFile>* file,
                                                     rocksdb::IODebugContext* debug) {
  if (std::string_view(path).substr(path.rfind('/') + 1).starts_with("OPTIONS-")) {
    return rocksdb::IOStatus::NotSupported("no OPTIONS files");
  }
  return FileSystemWrapper::NewWritableFile(path, options, file, debug);
}

rocksdb::IOStatus SegmentFileSystem::NewRandomAccessFile(const std::string& path,
                                                         const rocksdb::FileOptions& options,
                                                         std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                                         rocksdb::IODebugContext* debug) {
  AboutToBlock();
  rocksdb::IOStatus status = FileSystemWrapper::NewRandomAccessFile(path, options, file, debug);
  if (status.ok()) {
    // What is no file of the kernel's, as in tests of faults, is read as it says.
    const bool is_file = target() == rocksdb::FileSystem::Default().get();
    *file = std::make_unique<TableFile>(std::move(*file),
                                        UniqueFd(is_file ? ::open(path.c_str(), O_RDONLY | O_CLOEXEC) : -1));
  }
  return status;
}

}  // namespace ocfsgw::cache
