#pragma once

#include <vector>

#include "coherence/lease_table.h"

namespace ocfsgw::coherence {

/// A change this gateway makes to some inodes. Make one per request, answer the request, then destroy it:
/// Add() gives the inode's lease back before the backend is called (the change needs the lock exclusively),
/// no lease is taken while the Mutation lives, and the destructor takes back what the kernel may still hold.
/// Not thread-safe.
class Mutation {
 public:
  explicit Mutation(LeaseTable& leases) : leases_(leases) {}
  ~Mutation() {
    for (const InodePtr& inode : inodes_) {
      leases_.Step(inode, [this](Inode& i) REQUIRES(i.mutex) {
        return i.state.OnMutationEnd(wrote_pages_, leases_.HoldOffEnd());
      });
    }
  }
  Mutation(const Mutation&) = delete;
  Mutation& operator=(const Mutation&) = delete;

  void Add(const InodePtr& inode) {
    for (const InodePtr& known : inodes_) {
      if (known == inode) return;
    }
    inodes_.push_back(inode);
    leases_.Step(inode, [](Inode& i) REQUIRES(i.mutex) { return i.state.OnMutationBegin(); });
  }
  /// The kernel keeps what is being written in its pages (a WRITE that was not direct).
  void WrotePages() { wrote_pages_ = true; }

 private:
  LeaseTable& leases_;
  std::vector<InodePtr> inodes_;
  bool wrote_pages_ = false;
};

}  // namespace ocfsgw::coherence
