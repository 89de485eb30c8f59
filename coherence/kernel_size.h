#pragma once

#include <algorithm>
#include <cstdint>

namespace ocfsgw::coherence {

/// How long the kernel believes a file to be, at least. It drops attributes that it asked for before an
/// invalidation (fuse_change_attributes() of Linux), the size with them, and goes on with the size it had: a
/// read at the old end then finds nothing, however often it asks. So where that may have happened, the kernel
/// has to be told by other means. A file that became shorter is no such matter: the READ says so.
/// Not thread-safe.
class KernelSize {
 public:
  /// Something of the inode is being taken back.
  void OnInvalidation() { invalidated_ = true; }
  /// It has been told `size` in an answer that it may drop.
  void OnTold(uint64_t size) { known_ = invalidated_ ? std::min(known_, size) : size; }
  /// It cannot be without that.
  void OnReached(uint64_t size) { known_ = std::max(known_, size); }
  void OnTruncated(uint64_t size) { known_ = size; }
  /// Whether an answer that says `size` may be dropped to harm.
  bool MayMiss(uint64_t size) const { return invalidated_ && size > known_; }

 private:
  uint64_t known_ = 0;
  bool invalidated_ = false;  ///< Ever.
};

}  // namespace ocfsgw::coherence
