#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
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

/// A name that the kernel uses without asking, until it is taken back.
struct TrustedName {
  std::string name;
  std::optional<InodeId> child;  ///< None: the name does not exist.
};

/// The kernel's own caches above us, as far as we may take things out of them.
class KernelCache {
 public:
  virtual ~KernelCache() = default;

  /// Makes the kernel ask for the attributes of `inode` before it uses anything that it has of it. On the
  /// calling thread; waits for no request but those that the kernel has been answered already, and for those
  /// only if it `may_wait`. False: one of those is there, nothing has been done.
  virtual bool ForgetAttributes(InodeId inode, bool may_wait) = 0;
  /// Goes on trying that without anybody waiting for it.
  virtual void KeepForgettingAttributes(InodeId inode) = 0;

  /// Makes the kernel forget the attributes, the given pages and, of a directory, its listing and the names
  /// that it was told to trust (nothing to do if it does not know the inode), then runs `done` on a thread
  /// that holds no lock of ours. Returns at once. The work itself may wait for as long as a READ or WRITE of
  /// these pages, or a request that holds the directory locked, is unanswered, so nothing that answers one
  /// may wait for `done`.
  virtual void Invalidate(InodeId inode, std::vector<ByteRange> ranges, std::function<void()> done) = 0;

  /// The names in `directory` that the kernel trusts now, at least.
  virtual std::vector<TrustedName> TrustedNames(InodeId directory) = 0;
  /// Makes the kernel forget the listing that it keeps of `directory`. Waits for whoever copies from it.
  virtual void ForgetListing(InodeId directory) = 0;
  /// Takes these back beside an Invalidate that may be waiting for others. Returns at once.
  virtual void ForgetNames(InodeId directory, const std::vector<TrustedName>& names) = 0;
};

}  // namespace ocfsgw::coherence
