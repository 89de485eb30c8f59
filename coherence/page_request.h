#pragma once

#include <algorithm>

#include "coherence/lease_table.h"

namespace ocfsgw::coherence {

/// A READ of the kernel's that has pages of `range` locked until it is answered. While it lives and no answer
/// is being sent, invalidations leave the range out, so that none waits for this request. Not thread-safe.
class PageRequest {
 public:
  PageRequest(LeaseTable& leases, InodePtr inode, ByteRange range)
      : leases_(leases), inode_(std::move(inode)), range_(range) {
    MutexLock lock(inode_->mutex);
    inode_->in_flight.push_back(range_);
  }
  /// Without an answer sent by this class: the caller answers with an error.
  ~PageRequest() {
    leases_.Step(inode_, [this](Inode& i) REQUIRES(i.mutex) {
      Forget(i);
      return ticket_ != 0 ? i.state.EndUncovered(ticket_) : LeaseActions{};
    });
  }
  PageRequest(const PageRequest&) = delete;
  PageRequest& operator=(const PageRequest&) = delete;

  /// Sends the answer by `send` if the lease of `epoch` is still held; a recall waits until it has been sent.
  template <typename Send>
  bool AnswerUnder(uint32_t epoch, const Send& send) {
    {
      MutexLock lock(inode_->mutex);
      if (leases_.Void(*inode_) || !inode_->state.BeginReply(epoch)) return false;
      Forget(*inode_);
    }
    send();
    leases_.Step(inode_, [](Inode& i) REQUIRES(i.mutex) { return i.state.EndReply(); });
    return true;
  }
  /// The answer will come from the backend without a lease: its pages are suspect from now until they have
  /// been taken back, which begins when this object is destroyed. Call before the backend is read, destroy
  /// after the answer.
  void BeginUncovered() {
    leases_.Step(inode_, [this](Inode& i) REQUIRES(i.mutex) {
      LeaseActions actions;
      ticket_ = i.state.BeginUncovered(actions);
      return actions;
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
  uint64_t ticket_ = 0;
};

}  // namespace ocfsgw::coherence
