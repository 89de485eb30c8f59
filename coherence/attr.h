#pragma once

#include <compare>
#include <cstdint>
#include <optional>

#include "base/ids.h"

namespace ocfsgw::coherence {

/// A file time stamp: seconds since the epoch (may be negative) and nanoseconds, 0 to 999 999 999.
struct FileTime {
  int64_t sec = 0;
  uint32_t nsec = 0;
  constexpr auto operator<=>(const FileTime&) const = default;
};

/// An inode's attributes, as stat(2) gives them.
struct FileAttr {
  InodeId id;
  uint32_t mode = 0;  ///< Type and permission bits.
  uint32_t nlink = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint64_t rdev = 0;
  uint64_t size = 0;
  uint64_t blocks = 0;  ///< In units of 512 bytes.
  uint32_t blksize = 4096;
  FileTime atime;
  FileTime mtime;
  FileTime ctime;
  std::optional<bool> immutable;  ///< FS_IMMUTABLE_FL of chattr(1); not set: nobody has asked.
};

/// What SETATTR may change; only what is set is changed.
struct AttrChange {
  std::optional<uint32_t> mode;
  std::optional<uint32_t> uid;
  std::optional<uint32_t> gid;
  std::optional<uint64_t> size;
  std::optional<FileTime> atime;
  std::optional<FileTime> mtime;
  bool atime_now = false;
  bool mtime_now = false;
  bool operator==(const AttrChange&) const = default;
};

}  // namespace ocfsgw::coherence
