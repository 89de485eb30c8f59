// LeaseTable's answers to the kernel: what may be told, and what has to be taken back first.
#include <sys/stat.h>

#include <algorithm>

#include "coherence/lease_table.h"

namespace ocfsgw::coherence {
namespace {

/// More names than this that have become false in one go are taken back one after the other.
constexpr size_t kHurriedNames = 4;

}  // namespace

bool LeaseTable::IsDirectory(const Inode& inode) const {
  MutexLock lock(inode.mutex);
  return S_ISDIR(inode.attr.mode);
}

bool LeaseTable::Settled(const Inode& inode) const {
  MutexLock lock(inode.mutex);
  return !inode.state.suspect();
}

uint64_t LeaseTable::SuspectMark(const Inode& inode) const {
  MutexLock lock(inode.mutex);
  return inode.state.suspect_mark();
}

bool LeaseTable::AwaitSettled(const InodePtr& inode, uint64_t mark, Duration at_most) {
  const TimePoint deadline = std::chrono::steady_clock::now() + at_most;
  MutexLock lock(inode->mutex);
  while (!inode->state.SettledUpTo(mark)) {
    if (!inode->changed.WaitUntil(inode->mutex, deadline)) return false;
  }
  return true;
}

bool LeaseTable::ReviveNames(const InodePtr& directory,
                             const std::function<bool(const TrustedName&)>& is_true) {
  uint64_t mark = 0;
  {
    MutexLock lock(directory->mutex);
    mark = directory->state.SuspectReach();
  }
  const auto view = Want(directory, Urgency::kNames);
  if (!view) return false;
  kernel_.ForgetListing(directory->id());  // it is not compared
  std::vector<TrustedName> wrong;
  for (TrustedName& name : kernel_.TrustedNames(directory->id())) {
    if (!is_true(name)) wrong.push_back(std::move(name));
    if (wrong.size() == kHurriedNames) break;
  }
  if (!wrong.empty()) {
    // Only these have to go, and each waits for the directory's lock: not behind the others.
    bool first = false;
    {
      MutexLock lock(directory->mutex);
      first = directory->hurried < mark;
      directory->hurried = std::max(directory->hurried, mark);
    }
    if (first) kernel_.ForgetNames(directory->id(), wrong);
    return false;
  }
  bool revived = false;
  Step(directory, [&](Inode& i) REQUIRES(i.mutex) {
    revived = !Void(i) && i.state.OnRevived(view->epoch, mark);
    return LeaseActions{};
  });
  return revived;
}

bool LeaseTable::AnswerUnder(const InodePtr& inode, uint32_t epoch, const std::function<void()>& send) {
  {
    MutexLock lock(inode->mutex);
    if (Void(*inode) || !inode->state.BeginReply(epoch)) return false;
  }
  send();
  Step(inode, [](Inode& i) REQUIRES(i.mutex) { return i.state.EndReply(); });
  return true;
}

}  // namespace ocfsgw::coherence
