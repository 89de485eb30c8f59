#pragma once

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <vector>

#include "coherence/lease_table.h"

namespace ocfsgw::coherence {

/// A change this gateway makes to some inodes. Make one per request, answer the request, then destroy it:
/// Add() gives the inode's lease back before the backend is called (the change needs the lock exclusively),
/// no lease is taken while the Mutation lives, and the destructor takes back what the kernel may still hold.
/// EPERM, and nothing happens, if the inode belongs to a sealed tree: the backend would refuse the change.
/// Not thread-safe.
class Mutation {
 public:
  explicit Mutation(LeaseTable& leases) : leases_(leases) {}
  ~Mutation() {
    for (const Part& part : parts_) {
      leases_.Step(part.inode, [&](Inode& i) REQUIRES(i.mutex) {
        if (part.pages) i.in_flight.erase(std::find(i.in_flight.begin(), i.in_flight.end(), *part.pages));
        i.state.OnMutationEnd(leases_.HoldOffEnd(i));
        return part.uncovered ? i.state.EndUncovered(part.ticket) : LeaseActions{};
      });
    }
  }
  Mutation(const Mutation&) = delete;
  Mutation& operator=(const Mutation&) = delete;

  Status Add(const InodePtr& inode) { return AddPart({inode, std::nullopt, false, 0}); }
  /// What lost its last name by this change.
  struct Removed {
    InodePtr inode;
    std::shared_ptr<NodeHold> hold;
  };
  const std::optional<Removed>& removed() const { return removed_; }
  void SetRemoved(Removed removed) { removed_ = std::move(removed); }
  /// A WRITE through the page cache: the kernel holds the pages of `range`, and keeps what is written in
  /// them. They are suspect from now on; invalidations leave them out until the request is answered.
  Status AddPages(const InodePtr& inode, ByteRange range) { return AddPart({inode, range, true, 0}); }
  /// The kernel will have names in this directory that it trusts and no lease covers: they are taken back
  /// after the answer. Call before Add for the same inode.
  void AddNames(const InodePtr& directory) {
    {
      MutexLock lock(directory->mutex);
      if (directory->attr.mode == 0) directory->attr.mode = S_IFDIR;  // never leased, so nobody has told us
    }
    static_cast<void>(AddPart({directory, std::nullopt, true, 0}));  // Add says it again
  }

 private:
  struct Part {
    InodePtr inode;
    std::optional<ByteRange> pages;
    bool uncovered;  ///< The answer puts something into the kernel.
    uint64_t ticket;
  };

  Status AddPart(Part part) {
    for (const Part& known : parts_) {
      if (known.inode == part.inode) return Status::Ok();
    }
    bool sealed = false;
    leases_.Step(part.inode, [&](Inode& i) REQUIRES(i.mutex) {
      LeaseActions first;
      sealed = leases_.Sealed(i);
      if (sealed) return first;
      if (part.pages) i.in_flight.push_back(*part.pages);
      // Before the lease goes, whose pages are then taken back.
      // A directory is locked until this is answered: its names cannot be taken back before.
      part.uncovered |= S_ISDIR(i.attr.mode) && i.state.covered();
      if (part.uncovered) part.ticket = i.state.BeginUncovered(first);
      leases_.NoteTaken(i);
      LeaseActions actions = i.state.OnMutationBegin();
      actions.distrust |= first.distrust;
      return actions;
    });
    if (sealed) return Status::FromErrno(EPERM, "sealed");
    parts_.push_back(std::move(part));
    return Status::Ok();
  }

  LeaseTable& leases_;
  std::vector<Part> parts_;
  std::optional<Removed> removed_;
};

}  // namespace ocfsgw::coherence
