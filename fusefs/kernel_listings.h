#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "base/mutex.h"
#include "coherence/directory.h"
#include "fusefs/name_table.h"

namespace ocfsgw::fusefs {

/// Listings that the kernel keeps of the directories of one connection (FOPEN_CACHE_DIR), by node ids.
///
/// The kernel puts what a *keeping* handle reads behind what it has, at whatever time it works the answer in,
/// and takes the whole for the listing as soon as a keeping handle that has come to the end of it is answered
/// that there is nothing more: that answer *completes* it. From then on every keeping handle reads the
/// kernel's pages, and asks no more than the directory's attributes, when it begins. So:
/// 1. Keeping handles of a directory that are open at once were opened under the same lease, and only under
///    it is a listing completed. After it, what the kernel has is taken back as pages are.
/// 2. A listing is completed by a handle that was the only keeping one from its beginning until the kernel
/// has
///    worked that answer in: no answer to another can come late, into what has been taken back.
/// 3. A handle may keep the pages that are there if all of them were read under the present lease.
///
/// Node ids are never used twice. Thread-safe; the mutex is a leaf.
class KernelListings {
 public:
  /// A handle, as long as it is open. Not thread-safe: the kernel sends one READDIR of it at a time.
  struct Handle {
    bool keeping = false;
    bool keeps_pages = true;  ///< The kernel leaves what it has of the directory when it opens this one.
    bool has_read = false;
    uint32_t lease = 0;  ///< Of a keeping one: under which it was opened.
    /// What the kernel may be reading by it, for when it loses that in the middle; null: nothing.
    std::shared_ptr<const coherence::Listing> listing{};
  };

  /// OPENDIR under the lease of epoch `lease` on the directory.
  Handle Open(NodeId directory, uint32_t lease);
  /// READDIR has come: the kernel has worked in all answers to former ones.
  void OnRead(NodeId directory, Handle& handle, bool from_the_beginning);
  /// There is nothing more: whether that may be said so that it completes the listing, if the lease is still
  /// held when it is; else NotCompleted().
  bool MayComplete(NodeId directory, const Handle& handle,
                   const std::shared_ptr<const coherence::Listing>& listing);
  void NotCompleted(NodeId directory, const Handle& handle);
  /// RELEASEDIR, or the answer to OPENDIR did not arrive.
  void Close(NodeId directory, const Handle& handle);

  /// Who opens the directory next asks for the listing again: it may tell the kernel names to trust.
  void ListAgain(NodeId directory);

  /// Whether the kernel may have a complete listing.
  bool Has(NodeId directory) const;
  /// What it had has been taken back; who has it open may still have to go on.
  void TakenBack(NodeId directory);
  /// The kernel has forgotten the node.
  void Forget(NodeId directory);

 private:
  enum class Step : uint8_t {
    kNone,
    kReading,     ///< The only keeping handle has begun at the beginning.
    kCompleting,  ///< It has been answered that there is nothing more.
  };
  struct Directory {
    uint32_t lease = 0;
    uint32_t open = 0;   ///< Keeping handles.
    bool clean = false;  ///< All pages that the kernel has were read under `lease`.
    bool has = false;    ///< It was completed, or is being.
    bool read = false;   ///< It was, and the kernel has worked that in.
    Step step = Step::kNone;
    std::shared_ptr<const coherence::Listing> listing{};
  };
  Directory* Find(NodeId directory, const Handle& handle) REQUIRES(mutex_);
  static void WorkedIn(Directory& directory);

  mutable Mutex mutex_;
  std::unordered_map<NodeId, Directory> directories_ GUARDED_BY(mutex_);
};

}  // namespace ocfsgw::fusefs
