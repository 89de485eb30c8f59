// LOOKUP, FORGET and everything that makes or removes names.

#include <cerrno>
#include <cstdio>

#include "fusefs/request.h"

namespace ocfsgw::fusefs {
namespace {

using coherence::InodePtr;
using coherence::Mutation;

void Lookup(fuse_req_t req, fuse_ino_t parent, const char* name) {
  const InodePtr inode = InodeOf(req, parent);
  if (!inode) return;
  std::optional<uint32_t> lease;
  MountContext& context = Context(req);
  const auto entry = context.fs.Lookup(inode, name, &lease);
  if (entry.ok() && context.fs.BeingRefused(entry->inode) &&
      context.walks.Post([req, &context, inode, parent, lease, entry, name = std::string(name)] {
        context.fs.AwaitUnrefused(entry->inode);
        ReplyLookup(req, {parent, name.c_str()}, inode, lease, entry);
      })) {
    return;
  }
  ReplyLookup(req, {parent, name}, inode, lease, entry);
}

void Forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups) {
  ForgetNode(Context(req), ino, lookups);
  fuse_reply_none(req);
}

void ForgetMulti(fuse_req_t req, size_t count, fuse_forget_data* forgets) {
  for (size_t i = 0; i < count; ++i) ForgetNode(Context(req), forgets[i].ino, forgets[i].nlookup);
  fuse_reply_none(req);
}

void MakeNode(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode, dev_t rdev) {
  const InodePtr inode = InodeOf(req, parent);
  if (!inode) return;
  Mutation change(Context(req).fs.leases());
  ReplyEntry(req, {parent, name},
             Context(req).fs.MakeNode(change, inode, name, mode, rdev, CallerOf(req, mode)));
}

void MakeDirectory(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode) {
  const InodePtr inode = InodeOf(req, parent);
  if (!inode) return;
  Mutation change(Context(req).fs.leases());
  ReplyEntry(req, {parent, name}, Context(req).fs.MakeDirectory(change, inode, name, mode, CallerOf(req)));
}

void MakeSymlink(fuse_req_t req, const char* target, fuse_ino_t parent, const char* name) {
  const InodePtr inode = InodeOf(req, parent);
  if (!inode) return;
  Mutation change(Context(req).fs.leases());
  ReplyEntry(req, {parent, name}, Context(req).fs.MakeSymlink(change, inode, name, target, CallerOf(req)));
}

void Link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char* new_name) {
  const InodePtr inode = InodeOf(req, ino);
  if (!inode) return;
  const InodePtr parent = InodeOf(req, new_parent);
  if (!parent) return;
  MountContext& context = Context(req);
  std::vector<coherence::Place> places;
  for (auto& [directory, name] : context.names.PlacesOf(ino)) {
    if (const InodePtr at = context.inodes.Get(directory)) places.push_back({at->node, std::move(name)});
  }
  Mutation change(context.fs.leases());
  ReplyEntry(req, {new_parent, new_name}, context.fs.Link(change, inode, places, parent, new_name));
}

void ReplyRemoval(fuse_req_t req, const NameAt& at, const Mutation& change, const Status& status) {
  KeepRemoved(Context(req), change);
  if (status.ok()) Context(req).names.Change(at.directory, at.name, NameTable::kMissing);
  ReplyStatus(req, status);
}

void Unlink(fuse_req_t req, fuse_ino_t parent, const char* name) {
  const InodePtr inode = InodeOf(req, parent);
  if (!inode) return;
  Mutation change(Context(req).fs.leases());
  ReplyRemoval(req, {parent, name}, change, Context(req).fs.Unlink(change, inode, name));
}

void RemoveDirectory(fuse_req_t req, fuse_ino_t parent, const char* name) {
  const InodePtr inode = InodeOf(req, parent);
  if (!inode) return;
  Mutation change(Context(req).fs.leases());
  ReplyRemoval(req, {parent, name}, change, Context(req).fs.RemoveDirectory(change, inode, name));
}

void Rename(fuse_req_t req, fuse_ino_t parent, const char* name, fuse_ino_t new_parent, const char* new_name,
            unsigned flags) {
  const InodePtr from = InodeOf(req, parent);
  if (!from) return;
  const InodePtr to = InodeOf(req, new_parent);
  if (!to) return;
  MountContext& context = Context(req);
  const bool exchange = (flags & RENAME_EXCHANGE) != 0;
  Mutation change(context.fs.leases());
  // What is renamed keeps the kernel's trust under the new name.
  if (context.names.Trusted(parent, name)) change.AddNames(to);
  if (exchange && context.names.Trusted(new_parent, new_name)) change.AddNames(from);
  const Status status = context.fs.Rename(change, from, name, to, new_name, flags, CallerOf(req));
  KeepRemoved(context, change);
  if (status.ok()) context.names.Move(parent, name, new_parent, new_name, exchange);
  ReplyStatus(req, status);
}

}  // namespace

void AddNameOperations(fuse_lowlevel_ops& ops) {
  ops.lookup = Lookup;
  ops.forget = Forget;
  ops.forget_multi = ForgetMulti;
  ops.mknod = MakeNode;
  ops.mkdir = MakeDirectory;
  ops.symlink = MakeSymlink;
  ops.link = Link;
  ops.unlink = Unlink;
  ops.rmdir = RemoveDirectory;
  ops.rename = Rename;
}

}  // namespace ocfsgw::fusefs
