#pragma once

#include <algorithm>
#include <optional>
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
    for (const Part& part : parts_) {
      leases_.Step(part.inode, [&](Inode& i) REQUIRES(i.mutex) {
        if (part.pages) i.in_flight.erase(std::find(i.in_flight.begin(), i.in_flight.end(), *part.pages));
        i.state.OnMutationEnd(leases_.HoldOffEnd(i));
        return part.pages ? i.state.EndUncovered(part.ticket) : LeaseActions{};
      });
    }
  }
  Mutation(const Mutation&) = delete;
  Mutation& operator=(const Mutation&) = delete;

  void Add(const InodePtr& inode) { AddPart({inode, std::nullopt, 0}); }
  /// A WRITE through the page cache: the kernel holds the pages of `range`, and keeps what is written in
  /// them. They are suspect from now on; invalidations leave them out until the request is answered.
  void AddPages(const InodePtr& inode, ByteRange range) { AddPart({inode, range, 0}); }

 private:
  struct Part {
    InodePtr inode;
    std::optional<ByteRange> pages;
    uint64_t ticket;
  };

  void AddPart(Part part) {
    for (const Part& known : parts_) {
      if (known.inode == part.inode) return;
    }
    leases_.Step(part.inode, [&](Inode& i) REQUIRES(i.mutex) {
      LeaseActions pages;
      if (part.pages) {
        i.in_flight.push_back(*part.pages);
        part.ticket =
            i.state.BeginUncovered(pages);  // before the lease goes, whose pages are then taken back
      }
      leases_.NoteTaken(i);
      LeaseActions actions = i.state.OnMutationBegin();
      actions.distrust |= pages.distrust;
      return actions;
    });
    parts_.push_back(std::move(part));
  }

  LeaseTable& leases_;
  std::vector<Part> parts_;
};

}  // namespace ocfsgw::coherence
