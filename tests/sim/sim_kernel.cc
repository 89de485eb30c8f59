#include "tests/sim/sim_kernel.h"

#include <fcntl.h>

#include <cerrno>
#include <random>
#include <shared_mutex>
#include <thread>

#include "tests/sim/sim_volume.h"

namespace ocfsgw::sim {

using coherence::CoherentFs;
using coherence::OpenFile;
using fusefs::NodeId;

void SimKernel::LockPage(std::unique_lock<std::mutex>& guard, InodeId id) {
  changed_.wait(guard, [&] { return !pages_[id].locked; });
  pages_[id].locked = true;
}

void SimKernel::UnlockPage(InodeId id) {
  pages_[id].locked = false;
  changed_.notify_all();
}

bool SimKernel::ForgetAttributes(InodeId inode, bool /*may_wait*/) {
  const std::lock_guard lock(mutex_);
  Attributes& attributes = attributes_[inode];
  ++attributes.version;
  attributes.trusted_size.reset();
  return true;
}

Result<uint64_t> SimKernel::Size(CoherentFs& fs, const coherence::InodePtr& inode) {
  uint64_t version = 0;
  {
    const std::lock_guard lock(mutex_);
    const Attributes& known = attributes_[inode->id()];
    if (known.trusted_size) return *known.trusted_size;
    version = known.version;
  }
  OCFSGW_ASSIGN_OR_RETURN(const coherence::Attributes answer, fs.GetAttr(inode));
  if (answer.lease && fs.leases().Trust(*inode, *answer.lease)) {
    const std::lock_guard lock(mutex_);
    Attributes& attributes = attributes_[inode->id()];
    if (attributes.version == version) attributes.trusted_size = answer.attr.size;
  }
  return answer.attr.size;
}

Result<std::string> SimKernel::Read(CoherentFs& fs, OpenFile& file) {
  const InodeId id = file.inode()->id();
  OCFSGW_ASSIGN_OR_RETURN(const uint64_t size, Size(fs, file.inode()));
  std::unique_lock guard(mutex_);
  changed_.wait(guard, [&] { return !pages_[id].locked; });
  if (pages_[id].uptodate) return pages_[id].bytes.substr(0, size);
  LockPage(guard, id);
  guard.unlock();
  std::string got;
  const Status status = fs.Read(file, 0, kPage, [&](std::span<const std::byte> bytes) {
    const std::lock_guard lock(mutex_);
    got.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    pages_[id].bytes = got;
    pages_[id].uptodate = true;
    UnlockPage(id);
  });
  if (!status.ok()) {
    guard.lock();
    UnlockPage(id);
    return status;
  }
  return got;
}

Status SimKernel::Write(CoherentFs& fs, OpenFile& file, const std::string& bytes) {
  const InodeId id = file.inode()->id();
  {
    std::unique_lock guard(mutex_);
    LockPage(guard, id);
  }
  coherence::Mutation change(fs.leases());
  const auto written = fs.Write(change, file, 0, std::as_bytes(std::span(bytes)), {.cached = true});
  const std::lock_guard lock(mutex_);
  Page& page = pages_[id];
  if (written.ok() && page.uptodate) {
    page.bytes.replace(0, std::min(bytes.size(), page.bytes.size()), bytes);
  }
  UnlockPage(id);
  return written.status();
}

void SimKernel::Invalidate(InodeId inode, std::vector<coherence::ByteRange> ranges,
                           std::function<void()> done) {
  const bool posted = notifiers_.Post([this, inode, ranges = std::move(ranges), done] {
    ForgetAttributes(inode, true);
    for (const auto& range : ranges) {
      if (range.begin >= kPage) continue;
      std::unique_lock guard(mutex_);
      LockPage(guard, inode);
      pages_[inode].uptodate = false;
      UnlockPage(inode);
    }
    if (inode.ino == SimVolume::kRootIno) TakeBackNames();
    done();
  });
  if (!posted) done();
}

void SimKernel::TakeBackNames() {
  Dawdle();
  for (const auto& name : table_.TrustedIn(SimVolume::kRootIno)) TakeBackName(name);
}

void SimKernel::TakeBackName(const fusefs::NameTable::Name& name) {
  bool dropped = true;
  {
    const std::lock_guard directory(directory_);
    const std::lock_guard lock(mutex_);
    const auto it = names_.find(name.name);
    dropped = !table_.can_expire() && it != names_.end();
    if (name.superseded || it == names_.end()) {
    } else if (table_.can_expire()) {
      it->second.trusted = false;
    } else {
      names_.erase(it);
    }
  }
  table_.TakenBack(SimVolume::kRootIno, name, dropped);
}

void SimKernel::ForgetNames(InodeId /*directory*/, const std::vector<coherence::TrustedName>& names) {
  for (const auto& wanted : names) {
    static_cast<void>(notifiers_.Post([this, wanted] {
      for (const auto& name : table_.TrustedIn(SimVolume::kRootIno)) {
        if (name.name == wanted.name && !name.superseded) TakeBackName(name);
      }
    }));
  }
}

std::vector<coherence::TrustedName> SimKernel::TrustedNames(InodeId directory) {
  std::vector<coherence::TrustedName> trusted;
  for (const auto& name : table_.TrustedIn(directory.ino)) {
    if (name.superseded) continue;
    trusted.push_back({name.name, std::nullopt});
    if (name.child != fusefs::NameTable::kMissing) trusted.back().child = InodeId{name.child, 1};
  }
  return trusted;
}

void SimKernel::Shrink(const std::string& name) {
  std::unique_lock directory(directory_, std::try_to_lock);
  if (!directory) return;
  const std::lock_guard lock(mutex_);
  const auto it = names_.find(name);
  if (it == names_.end() || revalidations_.contains(name)) return;
  if (it->second.child) table_.Forget(it->second.child->id().ino);
  names_.erase(it);
}

Result<coherence::InodePtr> SimKernel::Walk(CoherentFs& fs, const coherence::InodePtr& root,
                                            const std::string& name) {
  auto found = WalkOnce(fs, root, name);
  return found.status().IsErrno(ESTALE) ? WalkOnce(fs, root, name) : found;
}

void SimKernel::EndRevalidation(const std::string& name) {
  const std::lock_guard lock(mutex_);
  revalidations_.erase(revalidations_.find(name));
}

void SimKernel::Dawdle() {
  thread_local std::minstd_rand random(
      static_cast<uint32_t>(std::hash<std::thread::id>()(std::this_thread::get_id())));
  if (random() % 2 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 1000));
}

Result<coherence::InodePtr> SimKernel::WalkOnce(CoherentFs& fs, const coherence::InodePtr& root,
                                                const std::string& name) {
  OCFSGW_RETURN_IF_ERROR(Size(fs, root).status());
  std::shared_lock locked(directory_, std::defer_lock);
  for (;;) {
    coherence::InodePtr known;
    {
      const std::lock_guard lock(mutex_);
      const auto it = names_.find(name);
      if (it != names_.end() && it->second.trusted) return it->second.child;
      if (it != names_.end()) known = it->second.child;
      if (known) revalidations_.insert(name);
    }
    if (!known && !locked) {
      locked.lock();
      continue;
    }
    std::optional<uint32_t> lease;
    const auto entry = fs.Lookup(root, name, &lease);
    if (!entry.ok() && !entry.status().IsErrno(ENOENT)) {
      if (known) EndRevalidation(name);
      return entry.status();
    }
    const coherence::InodePtr child = entry.ok() ? entry->inode : nullptr;
    const auto work_in = [&](bool trusted) {
      const std::lock_guard lock(mutex_);
      if (!known) {
        names_[name] = {child, trusted};
      } else if (const auto it = names_.find(name); it != names_.end() && it->second.child == known) {
        if (child == known) {
          it->second.trusted = trusted;
        } else {
          names_.erase(it);
        }
      }
    };
    const NodeId node = child ? child->id().ino : fusefs::NameTable::kMissing;
    const bool trust = lease && table_.Offer(SimVolume::kRootIno, name, {.ino = node});
    if (!lease) table_.Tell(SimVolume::kRootIno, name, node);
    bool trusted = false;
    // A revalidation works the answer in some time later; what holds the directory locked does it in time.
    if (trust) trusted = fs.leases().AnswerUnder(root, *lease, [] {});
    if (known) Dawdle();
    work_in(trusted);
    if (known) EndRevalidation(name);
    if (!known || child == known) return child;
  }
}

template <typename Change>
Status SimKernel::ChangeName(CoherentFs& fs, const coherence::InodePtr& root, const std::string& name,
                             const Change& change) {
  const Status changed = ChangeNameOnce(fs, root, name, change);
  return changed.IsErrno(ESTALE) ? ChangeNameOnce(fs, root, name, change) : changed;
}

template <typename Change>
Status SimKernel::ChangeNameOnce(CoherentFs& fs, const coherence::InodePtr& root, const std::string& name,
                                 const Change& change) {
  OCFSGW_RETURN_IF_ERROR(Size(fs, root).status());
  coherence::Mutation mutation(fs.leases());  // destroyed after the directory is unlocked
  const std::lock_guard locked(directory_);
  OCFSGW_RETURN_IF_ERROR(Size(fs, root).status());
  OCFSGW_ASSIGN_OR_RETURN(const coherence::InodePtr child, change(mutation));
  table_.Change(SimVolume::kRootIno, name, child ? child->id().ino : fusefs::NameTable::kMissing);
  const std::lock_guard lock(mutex_);
  names_[name] = {child, false};
  return Status::Ok();
}

Status SimKernel::Create(CoherentFs& fs, const coherence::InodePtr& root, const std::string& name) {
  return ChangeName(fs, root, name, [&](coherence::Mutation& mutation) -> Result<coherence::InodePtr> {
    auto created = fs.Create(mutation, root, name, 0644, O_RDWR, {});
    if (!created.ok()) return created.status();
    return created->first.inode;
  });
}

Status SimKernel::Unlink(CoherentFs& fs, const coherence::InodePtr& root, const std::string& name) {
  return ChangeName(fs, root, name, [&](coherence::Mutation& mutation) -> Result<coherence::InodePtr> {
    OCFSGW_RETURN_IF_ERROR(fs.Unlink(mutation, root, name));
    return coherence::InodePtr();
  });
}

}  // namespace ocfsgw::sim
