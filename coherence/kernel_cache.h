#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/ids.h"

namespace ocfsgw::coherence {

/// Bytes [begin, end) of a file; end == kToEnd: everything from begin on.
struct ByteRange {
  static constexpr uint64_t kToEnd = UINT64_MAX;
  uint64_t begin = 0;
  uint64_t end = kToEnd;
  bool operator==(const ByteRange&) const = default;
};

/// The kernel's own caches above us, as far as we may take things out of them.
class KernelCache {
 public:
  virtual ~KernelCache() = default;

  /// Makes the kernel ask for the attributes of `inode` before it uses anything that it has of it. On the
  /// calling thread; waits for no request but those that the kernel has been answered already.
  virtual void ForgetAttributes(InodeId inode) = 0;

  /// Makes the kernel forget the attributes and the given pages of `inode` (nothing to do if it does not know
  /// it), then runs `done` on a thread that holds no lock of ours. Returns at once. The work itself may wait
  /// for as long as a READ or WRITE of these pages is unanswered, so nothing that answers one may wait for
  /// `done`.
  virtual void InvalidatePages(InodeId inode, std::vector<ByteRange> ranges, std::function<void()> done) = 0;
};

}  // namespace ocfsgw::coherence
