#pragma once

#include <memory>
#include <string>

#include "coherence/lease_table.h"

namespace ocfsgw::coherence {

/// One READ's turn at a block that is not in the page store: of all that want it under the same lease, one
/// reads it from the backend, and the others take what it has read.
///
/// 1. What is taken was read entirely under the lease that the taker has a view of, and that lease was still
///    held when it was taken.
/// 2. Nobody waits here when the lease has gone, nor longer than the recall deadline: whoever waits in vain
///    reads the backend itself, as if it were alone.
/// 3. Who reads for others waits for none of them, and for no other block.
///
/// Not thread-safe; each READ has its own.
class SharedRead {
 public:
  SharedRead(const LeaseTable& leases, InodePtr inode, uint32_t epoch, uint64_t index)
      : leases_(leases), inode_(std::move(inode)), epoch_(epoch), index_(index) {}
  /// Whoever waits for this one has to read itself.
  ~SharedRead() { End(nullptr); }
  SharedRead(const SharedRead&) = delete;
  SharedRead& operator=(const SharedRead&) = delete;

  /// The block, read by another; or null: read it, then End(). May wait for that other.
  std::shared_ptr<const std::string> Await();
  /// Instead of Await, for who need not have the block: whether to read it, then End(). Not if another reads
  /// it or the lease is gone; never waits.
  bool TryBegin();
  /// The block, or null if it was not read entirely under the lease. Put it into the store before: who comes
  /// from now on looks there.
  void End(std::shared_ptr<const std::string> block);

 private:
  bool StillHeld() const REQUIRES(inode_->mutex);
  /// The read of another; null: there is none, and this one's is `mine_` now.
  std::shared_ptr<BlockRead> Join() REQUIRES(inode_->mutex);

  const LeaseTable& leases_;
  const InodePtr inode_;
  const uint32_t epoch_;
  const uint64_t index_;
  std::shared_ptr<BlockRead> mine_;  // what this one reads for others, too
};

}  // namespace ocfsgw::coherence
