#include "coherence/metadata_records.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <type_traits>

#include "base/checksum.h"

namespace ocfsgw::coherence {
namespace {

using cache::RecordKey;
using cache::RecordKind;

/// A listing is stored as a stream cut into records of at most kBlockBytes; record 0 begins with the stream's
/// length.
constexpr size_t kLengthBytes = sizeof(uint64_t);
/// Longer streams are taken for damage.
constexpr uint64_t kStreamMax = 1ULL << 30;
/// Node tokens are hints and carry no version.
constexpr StampHash kNodeStamp{0};

RecordKey ListingKey(InodeId id, uint64_t index) { return {id, RecordKind::kListing, BlockIndex(index)}; }

/// Two names with one hash take turns in the store: the name is in the record, too.
RecordKey XattrKey(InodeId id, const std::string& name) {
  return {id, RecordKind::kXattr, BlockIndex(Xxh3(std::as_bytes(std::span(name))))};
}
RecordKey AttrKey(InodeId id) { return {id, RecordKind::kAttr, {}}; }

/// FileAttr without what RecordKey has. Only this machine reads it: its own byte order. A change of it needs
/// another kAttrVersion.
struct AttrRecord {
  uint64_t version = 0;
  uint64_t rdev = 0, size = 0, blocks = 0;
  int64_t atime_sec = 0, mtime_sec = 0, ctime_sec = 0;
  uint32_t atime_nsec = 0, mtime_nsec = 0, ctime_nsec = 0;
  uint32_t mode = 0, nlink = 0, uid = 0, gid = 0, blksize = 0;
};
constexpr uint64_t kAttrVersion = 1;
static_assert(std::has_unique_object_representations_v<AttrRecord>);

enum class XattrRecord : char { kMissing = 0, kValue = 1 };

}  // namespace

std::shared_ptr<const Listing> MetadataRecords::GetListing(InodeId directory, StampHash stamp) {
  auto first = store_.GetWhole(ListingKey(directory, 0), stamp);
  if (!first.ok() || first->size() < kLengthBytes) return nullptr;
  uint64_t length = 0;
  std::memcpy(&length, first->data(), kLengthBytes);
  if (length > kStreamMax) return nullptr;
  std::string stream = std::move(*first);
  for (uint64_t index = 1; stream.size() < kLengthBytes + length; ++index) {
    const auto more = store_.GetWhole(ListingKey(directory, index), stamp);
    if (!more.ok() || more->empty()) return nullptr;
    stream += *more;
  }
  auto listing = Listing::Parse(std::string_view(stream).substr(kLengthBytes));
  return listing.ok() ? *listing : nullptr;
}

void MetadataRecords::PutListing(InodeId directory, StampHash stamp, const Listing& listing) {
  const std::string body = listing.Serialize();
  const uint64_t length = body.size();
  std::string stream(reinterpret_cast<const char*>(&length), kLengthBytes);
  stream += body;
  for (uint64_t index = 0; index * cache::kBlockBytes < stream.size(); ++index) {
    store_.Put(
        ListingKey(directory, index), stamp,
        std::make_shared<const std::string>(stream.substr(index * cache::kBlockBytes, cache::kBlockBytes)));
  }
}

std::optional<std::string> MetadataRecords::GetSymlink(InodeId inode, StampHash stamp) {
  auto target = store_.GetWhole({inode, RecordKind::kSymlink, {}}, stamp);
  if (!target.ok()) return std::nullopt;
  return std::move(*target);
}

void MetadataRecords::PutSymlink(InodeId inode, StampHash stamp, const std::string& target) {
  store_.Put({inode, RecordKind::kSymlink, {}}, stamp, std::make_shared<const std::string>(target));
}

// | exists:1 | name, NUL | value |
std::optional<Result<std::string>> MetadataRecords::GetXattr(InodeId inode, StampHash stamp,
                                                             const std::string& name) {
  const auto record = store_.GetWhole(XattrKey(inode, name), stamp);
  if (!record.ok() || record->size() < name.size() + 2 || record->compare(1, name.size(), name) != 0 ||
      (*record)[1 + name.size()] != '\0') {
    return std::nullopt;
  }
  if (static_cast<XattrRecord>((*record)[0]) == XattrRecord::kMissing)
    return Status::FromErrno(ENODATA, name);
  return record->substr(name.size() + 2);
}

void MetadataRecords::PutXattr(InodeId inode, StampHash stamp, const std::string& name,
                               const Result<std::string>& answer) {
  std::string record(1, static_cast<char>(answer.ok() ? XattrRecord::kValue : XattrRecord::kMissing));
  record.append(name).push_back('\0');
  if (answer.ok()) record += *answer;
  store_.Put(XattrKey(inode, name), stamp, std::make_shared<const std::string>(std::move(record)));
}

std::optional<FileAttr> MetadataRecords::GetAttr(InodeId inode, StampHash seal) {
  const auto bytes = store_.GetWhole(AttrKey(inode), seal);
  AttrRecord record;
  if (!bytes.ok() || bytes->size() != sizeof record) return std::nullopt;
  std::memcpy(&record, bytes->data(), sizeof record);
  if (record.version != kAttrVersion) return std::nullopt;
  FileAttr attr;
  attr.id = inode;
  attr.mode = record.mode;
  attr.nlink = record.nlink;
  attr.uid = record.uid;
  attr.gid = record.gid;
  attr.rdev = record.rdev;
  attr.size = record.size;
  attr.blocks = record.blocks;
  attr.blksize = record.blksize;
  attr.atime = {record.atime_sec, record.atime_nsec};
  attr.mtime = {record.mtime_sec, record.mtime_nsec};
  attr.ctime = {record.ctime_sec, record.ctime_nsec};
  return attr;
}

void MetadataRecords::PutAttr(StampHash seal, const FileAttr& attr) {
  const AttrRecord record{.version = kAttrVersion,
                          .rdev = attr.rdev,
                          .size = attr.size,
                          .blocks = attr.blocks,
                          .atime_sec = attr.atime.sec,
                          .mtime_sec = attr.mtime.sec,
                          .ctime_sec = attr.ctime.sec,
                          .atime_nsec = attr.atime.nsec,
                          .mtime_nsec = attr.mtime.nsec,
                          .ctime_nsec = attr.ctime.nsec,
                          .mode = attr.mode,
                          .nlink = attr.nlink,
                          .uid = attr.uid,
                          .gid = attr.gid,
                          .blksize = attr.blksize};
  store_.Put(AttrKey(attr.id), seal,
             std::make_shared<const std::string>(reinterpret_cast<const char*>(&record), sizeof record));
}

NodeRef MetadataRecords::GetNode(uint64_t ino, Backend& backend) {
  const auto record = store_.GetWhole({InodeId{ino, 0}, RecordKind::kNode, {}}, kNodeStamp);
  uint32_t generation = 0;
  if (!record.ok() || record->size() <= sizeof generation) return nullptr;
  std::memcpy(&generation, record->data(), sizeof generation);
  auto node = backend.Resolve(InodeId{ino, generation}, record->substr(sizeof generation));
  return node.ok() ? *node : nullptr;
}

void MetadataRecords::PutNode(const NodeRef& node) {
  const std::string token = node->Token();
  if (token.empty()) return;
  const uint32_t generation = node->id().generation;
  std::string record(reinterpret_cast<const char*>(&generation), sizeof generation);
  record += token;
  store_.Put({InodeId{node->id().ino, 0}, RecordKind::kNode, {}}, kNodeStamp,
             std::make_shared<const std::string>(std::move(record)));
}

}  // namespace ocfsgw::coherence
