#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/ids.h"
#include "base/status.h"

namespace ocfsgw::ocfs2 {

/// A byte-range lock of fcntl(2), held or wanted.
struct RangeLock {
  InodeId inode;
  uint64_t instance = 0;  ///< The gateway, from one start to its end.
  uint64_t owner = 0;     ///< Process (POSIX) or open file (OFD), as the gateway's kernel tells them apart.
  uint64_t handle = 0;    ///< The gateway's open file through which it was set: ends with that.
  uint64_t first = 0;     ///< Bytes, both inclusive.
  uint64_t last = 0;
  uint32_t pid = 0;  ///< On the gateway's node.
  bool exclusive = false;

  bool SameOwner(const RangeLock& other) const {
    return inode == other.inode && instance == other.instance && owner == other.owner;
  }
  bool Overlaps(const RangeLock& other) const {
    return inode == other.inode && first <= other.last && other.first <= last;
  }
  bool operator==(const RangeLock&) const = default;
};

/// Locks of some inodes, of all gateways. Not thread-safe; no I/O.
///
/// Invariants: (1) locks of one owner do not overlap; (2) those of different owners overlap only if neither
/// is exclusive, as long as Set is called only where Conflict finds nothing; (3) no two of one owner and
/// open file that touch could be one.
class RangeTable {
 public:
  /// Of the locks of others that exclude `wanted` the one that begins first; null if there is none.
  const RangeLock* Conflict(const RangeLock& wanted) const;
  /// Whether the owner has all of this range in this way.
  bool Has(const RangeLock& wanted) const;
  /// Whether the owner has any of this range.
  bool HasAny(const RangeLock& range) const;
  /// Gives the range to its owner, in place of what the owner had of it: splits and merges.
  void Set(const RangeLock& lock);
  /// Takes the range from its owner.
  void Unset(const RangeLock& range);
  /// Removes those for which `which` is true; how many.
  size_t Remove(const std::function<bool(const RangeLock&)>& which);
  /// Adds what another table had: REQUIRES: the invariants hold afterwards.
  void Add(std::span<const RangeLock> locks) { locks_.insert(locks_.end(), locks.begin(), locks.end()); }

  const std::vector<RangeLock>& locks() const { return locks_; }

 private:
  std::vector<RangeLock> locks_;
};

// How a table is kept in a file: two places of kTablePlaceBytes, written in turn, so that a write that is cut
// short leaves the one before it. Little-endian: magic, format, number of locks, sequence, XXH3 of all that
// follows and of these; then the locks. A place of zeros is the empty table of sequence 0; that of an odd
// sequence is the second.
inline constexpr size_t kTableHeaderBytes = 32;
inline constexpr size_t kTableLockBytes = 64;
inline constexpr size_t kTableLocksMax = 4095;
inline constexpr size_t kTablePlaceBytes = 256 << 10;
static_assert(kTableHeaderBytes + kTableLocksMax * kTableLockBytes <= kTablePlaceBytes);

struct StoredTable {
  uint64_t sequence = 0;
  std::vector<RangeLock> locks;
};

/// REQUIRES: at most kTableLocksMax locks.
std::vector<std::byte> EncodeTable(std::span<const RangeLock> locks, uint64_t sequence);
/// Bytes that a table takes, by its first kTableHeaderBytes: what DecodeTable is to be given; 0 for none.
size_t EncodedTableBytes(std::span<const std::byte> header);
/// kCorrupt for what EncodeTable has not made; kUnsupported for a later format.
Result<StoredTable> DecodeTable(std::span<const std::byte> bytes);
/// The newer of what is in the two places. kCorrupt if neither is a table, kUnsupported if one is of a later
/// format.
Result<StoredTable> NewestTable(std::span<const std::byte> even, std::span<const std::byte> odd);

}  // namespace ocfsgw::ocfs2
