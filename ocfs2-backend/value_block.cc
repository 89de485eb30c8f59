#include "ocfs2-backend/value_block.h"

#include <sys/stat.h>

namespace ocfsgw::ocfs2 {
namespace {

using coherence::FileAttr;
using coherence::FileTime;

constexpr uint8_t kVersion = 5;             // OCFS2_LVB_VERSION
constexpr uint16_t kInlineDataFeature = 1;  // OCFS2_INLINE_DATA_FL
constexpr uint32_t kImmutableFlag = 0x10;   // OCFS2_IMMUTABLE_FL
constexpr int kNanosecondBits = 30;         // OCFS2_SEC_SHIFT is 64 - 34
constexpr uint64_t kSectorBytes = 512;      // unit of st_blocks

// Offsets of struct ocfs2_meta_lvb.
enum Field : size_t {
  kVersionAt = 0,
  kFeaturesAt = 2,
  kClustersAt = 4,
  kUidAt = 8,
  kGidAt = 12,
  kAtimeAt = 16,
  kCtimeAt = 24,
  kMtimeAt = 32,
  kSizeAt = 40,
  kModeAt = 48,
  kNlinkAt = 50,
  kFlagsAt = 52,
  kGenerationAt = 56,
};

template <typename T>
T Get(std::span<const std::byte> bytes, Field at) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>(static_cast<uint64_t>(value) << 8 | std::to_integer<uint8_t>(bytes[at + i]));
  }
  return value;
}

// Seconds are the upper 34 bits, unsigned. The kernel clamps to them what does not fit (a time before 1970
// reads as 0: measured), so the two ends of the range may stand for something else.
std::optional<FileTime> UnpackTime(uint64_t packed) {
  constexpr uint64_t kSecondsMax = (uint64_t{1} << 34) - 1;
  const uint64_t sec = packed >> kNanosecondBits;
  const auto nsec = static_cast<uint32_t>(packed & ((1U << kNanosecondBits) - 1));
  if (sec == 0 || sec == kSecondsMax || nsec > 999'999'999) return std::nullopt;
  return FileTime{static_cast<int64_t>(sec), nsec};
}

}  // namespace

std::optional<FileAttr> ParseValueBlock(std::span<const std::byte> bytes, uint64_t blkno,
                                        uint32_t cluster_size) {
  if (bytes.size() != kValueBlockBytes || Get<uint8_t>(bytes, kVersionAt) != kVersion) return std::nullopt;

  FileAttr attr;
  attr.mode = Get<uint16_t>(bytes, kModeAt);
  const auto atime = UnpackTime(Get<uint64_t>(bytes, kAtimeAt));
  const auto ctime = UnpackTime(Get<uint64_t>(bytes, kCtimeAt));
  const auto mtime = UnpackTime(Get<uint64_t>(bytes, kMtimeAt));
  if (S_ISCHR(attr.mode) || S_ISBLK(attr.mode) || !atime || !ctime || !mtime) return std::nullopt;

  attr.id = {blkno, Get<uint32_t>(bytes, kGenerationAt)};
  attr.nlink = Get<uint16_t>(bytes, kNlinkAt);
  attr.uid = Get<uint32_t>(bytes, kUidAt);
  attr.gid = Get<uint32_t>(bytes, kGidAt);
  attr.size = Get<uint64_t>(bytes, kSizeAt);
  attr.blksize = cluster_size;
  attr.blocks = Get<uint32_t>(bytes, kClustersAt) * (cluster_size / kSectorBytes);
  // ocfs2_getattr: inline data counts as sectors, so that archivers do not take a file for a hole;
  // directories too.
  const bool is_inline = (Get<uint16_t>(bytes, kFeaturesAt) & kInlineDataFeature) != 0;
  if (is_inline) attr.blocks += (attr.size + kSectorBytes - 1) / kSectorBytes;
  attr.atime = *atime;
  attr.mtime = *mtime;
  attr.ctime = *ctime;
  attr.immutable = (Get<uint32_t>(bytes, kFlagsAt) & kImmutableFlag) != 0;
  return attr;
}

}  // namespace ocfsgw::ocfs2
