#include "fusefs/kernel_listings.h"

#include <utility>

namespace ocfsgw::fusefs {

KernelListings::Handle KernelListings::Open(NodeId directory, uint32_t lease) {
  Directory dropped;  // destroyed outside of the mutex
  MutexLock lock(mutex_);
  Directory& known = directories_[directory];
  if (known.lease != lease && known.open == 0) {
    dropped = std::exchange(known, Directory{});
    known.lease = lease;
  }
  const bool alone = known.open == 0;
  if (known.lease != lease || known.step != Step::kNone || (!alone && !known.read)) return {};
  ++known.open;
  const bool keeps_pages = known.clean && (!known.read || known.listing != nullptr);
  return {.keeping = true,
          .keeps_pages = keeps_pages,
          .lease = lease,
          .listing = keeps_pages ? known.listing : nullptr};
}

KernelListings::Directory* KernelListings::Find(NodeId directory, const Handle& handle) {
  if (!handle.keeping) return nullptr;
  const auto it = directories_.find(directory);
  return it == directories_.end() ? nullptr : &it->second;
}

void KernelListings::WorkedIn(Directory& directory) {
  if (directory.step == Step::kCompleting) directory.read = true;
  directory.step = Step::kNone;
}

void KernelListings::OnRead(NodeId directory, Handle& handle, bool from_the_beginning) {
  MutexLock lock(mutex_);
  Directory* const known = Find(directory, handle);
  if (known == nullptr) return;
  // The kernel has dropped all others when it opened this one.
  if (!std::exchange(handle.has_read, true) && !handle.keeps_pages) known->clean = true;
  if (known->open > 1) return;
  if (known->step == Step::kCompleting || from_the_beginning) WorkedIn(*known);
  if (from_the_beginning) known->step = Step::kReading;
}

bool KernelListings::MayComplete(NodeId directory, const Handle& handle,
                                 const std::shared_ptr<const coherence::Listing>& listing) {
  MutexLock lock(mutex_);
  Directory* const known = Find(directory, handle);
  if (known == nullptr || known->step != Step::kReading) return false;
  known->step = Step::kCompleting;
  known->has = true;
  known->listing = listing;
  return true;
}

void KernelListings::NotCompleted(NodeId directory, const Handle& handle) {
  MutexLock lock(mutex_);
  if (Directory* const known = Find(directory, handle)) known->step = Step::kNone;
}

void KernelListings::Close(NodeId directory, const Handle& handle) {
  MutexLock lock(mutex_);
  Directory* const known = Find(directory, handle);
  if (known == nullptr) return;
  if (known->open == 1) WorkedIn(*known);
  --known->open;
}

void KernelListings::ListAgain(NodeId directory) {
  MutexLock lock(mutex_);
  const auto it = directories_.find(directory);
  if (it != directories_.end()) it->second.clean = false;
}

bool KernelListings::Has(NodeId directory) const {
  MutexLock lock(mutex_);
  const auto it = directories_.find(directory);
  return it != directories_.end() && it->second.has;
}

void KernelListings::TakenBack(NodeId directory) {
  std::shared_ptr<const coherence::Listing> dropped;  // destroyed outside of the mutex
  MutexLock lock(mutex_);
  const auto it = directories_.find(directory);
  if (it != directories_.end()) dropped = std::move(it->second.listing);
}

void KernelListings::Forget(NodeId directory) {
  Directory dropped;  // destroyed outside of the mutex
  MutexLock lock(mutex_);
  const auto it = directories_.find(directory);
  if (it == directories_.end()) return;
  dropped = std::move(it->second);
  directories_.erase(it);
}

}  // namespace ocfsgw::fusefs
