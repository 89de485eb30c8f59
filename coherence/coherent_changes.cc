#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>

#include "coherence/coherent_fs.h"

namespace ocfsgw::coherence {

namespace {

/// The mode that is left of one with set-id bits; nothing if it has none to lose.
std::optional<uint32_t> WithoutSetIds(uint32_t before) {
  uint32_t mode = before & 07777 & ~S_ISUID;
  if ((mode & S_IXGRP) != 0)
    mode &= ~S_ISGID;  // without it the bit means mandatory locking: should_remove_sgid()
  return mode == (before & 07777) ? std::nullopt : std::optional(mode);
}

}  // namespace

Result<Entry> CoherentFs::NewEntry(const Result<Found>& found) {
  if (!found.ok()) return found.status();
  return Entry{leases_.Get(found->node), found->attr, std::nullopt};
}

std::unique_ptr<AppendLock> CoherentFs::LockAppends(const InodePtr& inode, BackendFile& file) {
  if (leases_.provider() == nullptr) return nullptr;
  auto lock = leases_.provider()->LockAppends(inode->node);
  if (!lock.ok()) return nullptr;  // then it is as good as the backend's own
  static_cast<void>(file.Stat());  // asks the other nodes for the size, which the append goes by
  return *std::move(lock);
}

Result<size_t> CoherentFs::Write(Mutation& change, OpenFile& file, uint64_t offset,
                                 std::span<const std::byte> from, WriteMode mode) {
  if (mode.cached) {
    OCFSGW_RETURN_IF_ERROR(change.AddPages(file.inode(), {offset, offset + from.size()}));
  } else {
    OCFSGW_RETURN_IF_ERROR(change.Add(file.inode()));
  }
  // Not before: it may be opened only now, and wait for our own lease, whose recall waits for these pages.
  OCFSGW_ASSIGN_OR_RETURN(BackendFile* const backing, file.Backing(backend_));
  if (mode.kill_set_ids) OCFSGW_RETURN_IF_ERROR(DropSetIds(file.inode(), *backing));
  const auto alone = mode.append ? LockAppends(file.inode(), *backing) : nullptr;
  OCFSGW_ASSIGN_OR_RETURN(const size_t n, backing->Write(offset, from, mode.append));
  metrics_.bytes_written.Add(n);
  if (!mode.append) {
    MutexLock lock(file.inode()->mutex);
    file.inode()->kernel_size.OnReached(offset + n);
  }
  return n;
}

Status CoherentFs::DropSetIds(const InodePtr& inode, BackendFile& backing) {
  OCFSGW_ASSIGN_OR_RETURN(const FileAttr attr, backing.Stat());
  AttrChange drop;
  drop.mode = WithoutSetIds(attr.mode);
  if (!drop.mode) return Status::Ok();
  return backend_.SetAttr(inode->node, drop, &backing).status();
}

Status CoherentFs::DropSetGroupId(Mutation& change, const InodePtr& inode, const Caller& caller) {
  OCFSGW_RETURN_IF_ERROR(change.Add(inode));
  OCFSGW_ASSIGN_OR_RETURN(const FileAttr attr, backend_.Stat(inode->node));
  const bool member = attr.gid == caller.gid ||
                      std::find(caller.groups.begin(), caller.groups.end(), attr.gid) != caller.groups.end();
  if ((attr.mode & S_ISGID) == 0 || member) return Status::Ok();
  AttrChange drop;
  drop.mode = attr.mode & 07777 & ~S_ISGID;
  return backend_.SetAttr(inode->node, drop, nullptr).status();
}

Status CoherentFs::Allocate(Mutation& change, OpenFile& file, int mode, uint64_t offset, uint64_t length) {
  OCFSGW_RETURN_IF_ERROR(change.Add(file.inode()));
  OCFSGW_ASSIGN_OR_RETURN(BackendFile* const backing, file.Backing(backend_));
  return backing->Allocate(mode, offset, length);
}

Result<uint64_t> CoherentFs::CopyRange(Mutation& change, OpenFile& source, uint64_t from, OpenFile& target,
                                       uint64_t to, uint64_t length) {
  OCFSGW_RETURN_IF_ERROR(change.Add(target.inode()));
  OCFSGW_ASSIGN_OR_RETURN(BackendFile* const in, source.Backing(backend_));
  OCFSGW_ASSIGN_OR_RETURN(BackendFile* const out, target.Backing(backend_));
  return out->CopyFrom(*in, from, to, length);
}

Result<FileAttr> CoherentFs::SetAttr(Mutation& change, const InodePtr& inode, AttrChange attr, OpenFile* file,
                                     bool kill_set_ids) {
  OCFSGW_RETURN_IF_ERROR(change.Add(inode));
  BackendFile* backing = nullptr;
  if (file != nullptr && (file->flags() & O_ACCMODE) != O_RDONLY) {
    OCFSGW_ASSIGN_OR_RETURN(backing, file->Backing(backend_));
  }
  if (kill_set_ids && !attr.mode) {
    OCFSGW_ASSIGN_OR_RETURN(const FileAttr before, backend_.Stat(inode->node));
    attr.mode = WithoutSetIds(before.mode);
  }
  auto changed = backend_.SetAttr(inode->node, attr, backing);
  if (changed.ok() && attr.size) {
    MutexLock lock(inode->mutex);
    inode->kernel_size.OnTruncated(*attr.size);
  }
  return changed;
}

std::pair<Entry, std::unique_ptr<OpenFile>> CoherentFs::NewFile(Mutation& change, Created created,
                                                                int flags) {
  const InodePtr inode = leases_.Get(created.found.node);
  static_cast<void>(change.Add(inode));  // new, so part of no sealed tree
  return {Entry{inode, created.found.attr, std::nullopt},
          std::make_unique<OpenFile>(inode, flags, std::move(created.file), nullptr)};
}

Result<std::pair<Entry, std::unique_ptr<OpenFile>>> CoherentFs::Create(Mutation& change,
                                                                       const InodePtr& parent,
                                                                       const std::string& name, uint32_t mode,
                                                                       int flags, const Caller& caller) {
  OCFSGW_RETURN_IF_ERROR(change.Add(parent));
  OCFSGW_ASSIGN_OR_RETURN(Created created,
                          backend_.Create(parent->node, name, mode, flags & ~(O_APPEND | O_DIRECT), caller));
  return NewFile(change, std::move(created), flags);
}

Result<std::pair<Entry, std::unique_ptr<OpenFile>>> CoherentFs::CreateUnnamed(Mutation& change,
                                                                              const InodePtr& directory,
                                                                              uint32_t mode, int flags,
                                                                              const Caller& caller) {
  OCFSGW_ASSIGN_OR_RETURN(
      Created created, backend_.CreateUnnamed(directory->node, mode, flags & ~(O_APPEND | O_DIRECT), caller));
  return NewFile(change, std::move(created), flags);
}

Result<Entry> CoherentFs::MakeNode(Mutation& change, const InodePtr& parent, const std::string& name,
                                   uint32_t mode, uint64_t rdev, const Caller& caller) {
  OCFSGW_RETURN_IF_ERROR(change.Add(parent));
  return NewEntry(backend_.MakeNode(parent->node, name, mode, rdev, caller));
}

Result<Entry> CoherentFs::MakeDirectory(Mutation& change, const InodePtr& parent, const std::string& name,
                                        uint32_t mode, const Caller& caller) {
  OCFSGW_RETURN_IF_ERROR(change.Add(parent));
  return NewEntry(backend_.MakeDirectory(parent->node, name, mode, caller));
}

Result<Entry> CoherentFs::MakeSymlink(Mutation& change, const InodePtr& parent, const std::string& name,
                                      const std::string& target, const Caller& caller) {
  OCFSGW_RETURN_IF_ERROR(change.Add(parent));
  return NewEntry(backend_.MakeSymlink(parent->node, name, target, caller));
}

Result<Entry> CoherentFs::Link(Mutation& change, const InodePtr& inode, const std::vector<Place>& places,
                               const InodePtr& parent, const std::string& name) {
  OCFSGW_RETURN_IF_ERROR(change.Add(parent));
  OCFSGW_RETURN_IF_ERROR(change.Add(inode));
  return NewEntry(backend_.Link(inode->node, places, parent->node, name));
}

template <typename Remove>
Status CoherentFs::RemoveName(Mutation& change, const InodePtr& victim, const Remove& remove) {
  std::shared_ptr<NodeHold> hold = victim ? backend_.Hold(victim->node) : nullptr;
  if (victim) victim->links.OnRemoval();
  const Status removed = remove();
  if (victim) victim->links.OnRemoved(std::chrono::steady_clock::now());
  OCFSGW_RETURN_IF_ERROR(removed);
  if (hold && hold->Needed()) change.SetRemoved({victim, std::move(hold)});
  return Status::Ok();
}

Status CoherentFs::Unlink(Mutation& change, const InodePtr& parent, const std::string& name) {
  const InodePtr child = ExistingChild(parent, name);
  OCFSGW_RETURN_IF_ERROR(change.Add(parent));
  if (child) OCFSGW_RETURN_IF_ERROR(change.Add(child));
  return RemoveName(change, child, [&] { return backend_.Unlink(parent->node, name); });
}

Status CoherentFs::RemoveDirectory(Mutation& change, const InodePtr& parent, const std::string& name) {
  const InodePtr child = ExistingChild(parent, name);
  OCFSGW_RETURN_IF_ERROR(change.Add(parent));
  if (child) OCFSGW_RETURN_IF_ERROR(change.Add(child));
  return RemoveName(change, child, [&] { return backend_.RemoveDirectory(parent->node, name); });
}

Status CoherentFs::Rename(Mutation& change, const InodePtr& from, const std::string& from_name,
                          const InodePtr& to, const std::string& to_name, unsigned flags,
                          const Caller& caller) {
  const InodePtr source = ExistingChild(from, from_name);
  const InodePtr victim = ExistingChild(to, to_name);
  OCFSGW_RETURN_IF_ERROR(change.Add(from));
  OCFSGW_RETURN_IF_ERROR(change.Add(to));
  if (source) OCFSGW_RETURN_IF_ERROR(change.Add(source));
  if (victim) OCFSGW_RETURN_IF_ERROR(change.Add(victim));
  const bool removes = victim != source && (flags & RENAME_EXCHANGE) == 0;
  return RemoveName(change, removes ? victim : nullptr,
                    [&] { return backend_.Rename(from->node, from_name, to->node, to_name, flags, caller); });
}

Status CoherentFs::SetXattr(Mutation& change, const InodePtr& inode, const std::string& name,
                            std::span<const std::byte> value, int flags) {
  OCFSGW_RETURN_IF_ERROR(change.Add(inode));
  return backend_.SetXattr(inode->node, name, value, flags);
}

Status CoherentFs::Ioctl(Mutation& change, const InodePtr& inode, unsigned command,
                         std::span<const std::byte> in) {
  OCFSGW_RETURN_IF_ERROR(change.Add(inode));
  return backend_.Ioctl(inode->node, command, in).status();
}

Status CoherentFs::RemoveXattr(Mutation& change, const InodePtr& inode, const std::string& name) {
  OCFSGW_RETURN_IF_ERROR(change.Add(inode));
  return backend_.RemoveXattr(inode->node, name);
}

}  // namespace ocfsgw::coherence
