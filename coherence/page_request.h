#pragma once

#include <algorithm>

#include "coherence/lease_table.h"

namespace ocfsgw::coherence {

/// A READ or WRITE of the kernel's that has pages of `range` locked until it is answered. While it lives and
/// no answer is being sent, invalidations leave the range out, so that none waits for this request. Not
/// thread-safe.
class PageRequest {
 public:
  PageRequest(LeaseTable& leases, InodePtr inode, ByteRange range)
      : leases_(leases), inode_(std::move(inode)), range_(range) {
    MutexLock lock(inode_->mutex);
    inode_->in_flight.push_back(range_);
  }
  ~PageRequest() {
    MutexLock lock(inode_->mutex);
    Forget(*inode_);
  }
  PageRequest(const PageRequest&) = delete;
  PageRequest& operator=(const PageRequest&) = delete;

  /// Sends the answer by `send` if the lease of `epoch` is still held; a recall waits until it has been sent.
  template <typename Send>
  bool AnswerUnder(uint32_t epoch, const Send& send) {
    {
      MutexLock lock(inode_->mutex);
      if (!inode_->state.BeginReply(epoch)) return false;
      Forget(*inode_);
    }
    send();
    leases_.Step(inode_, [](Inode& i) REQUIRES(i.mutex) { return i.state.EndReply(); });
    return true;
  }
  /// Sends the answer although no lease covers it; the pages are taken back at once.
  template <typename Send>
  void AnswerUncovered(const Send& send) {
    send();
    leases_.Step(inode_, [this](Inode& i) REQUIRES(i.mutex) {
      Forget(i);
      return i.state.OnUncoveredReply();
    });
  }

 private:
  void Forget(Inode& inode) REQUIRES(inode.mutex) {
    if (!registered_) return;
    registered_ = false;
    auto& ranges = inode.in_flight;
    ranges.erase(std::find(ranges.begin(), ranges.end(), range_));
  }

  LeaseTable& leases_;
  const InodePtr inode_;
  const ByteRange range_;
  bool registered_ = true;
};

}  // namespace ocfsgw::coherence
