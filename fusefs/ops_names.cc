// LOOKUP, FORGET and everything that makes or removes names.

#include <cerrno>

#include "fusefs/request.h"

namespace ocfsgw::fusefs {
namespace {

using coherence::InodePtr;
using coherence::Mutation;

void Lookup(fuse_req_t req, fuse_ino_t parent, const char* name) {
  const InodePtr inode = InodeOf(req, parent);
  if (!inode) return;
  ReplyEntry(req, Context(req).fs.Lookup(inode, name));
}

void Forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups) {
  Context(req).inodes.Forget(ino, lookups);
  fuse_reply_none(req);
}

void ForgetMulti(fuse_req_t req, size_t count, fuse_forget_data* forgets) {
  InodeTable& inodes = Context(req).inodes;
  for (size_t i = 0; i < count; ++i) {
    inodes.Forget(forgets[i].ino, forgets[i].nlookup);
  }
  fuse_reply_none(req);
}

void MakeNode(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode, dev_t rdev) {
  const InodePtr inode = InodeOf(req, parent);
  if (!inode) return;
  Mutation change(Context(req).fs.leases());
  ReplyEntry(req, Context(req).fs.MakeNode(change, inode, name, mode, rdev, CallerOf(req)));
}

void MakeDirectory(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode) {
  const InodePtr inode = InodeOf(req, parent);
  if (!inode) return;
  Mutation change(Context(req).fs.leases());
  ReplyEntry(req, Context(req).fs.MakeDirectory(change, inode, name, mode, CallerOf(req)));
}

void MakeSymlink(fuse_req_t req, const char* target, fuse_ino_t parent, const char* name) {
  const InodePtr inode = InodeOf(req, parent);
  if (!inode) return;
  Mutation change(Context(req).fs.leases());
  ReplyEntry(req, Context(req).fs.MakeSymlink(change, inode, name, target, CallerOf(req)));
}

void Link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char* new_name) {
  const InodePtr inode = InodeOf(req, ino);
  if (!inode) return;
  const InodePtr parent = InodeOf(req, new_parent);
  if (!parent) return;
  Mutation change(Context(req).fs.leases());
  ReplyEntry(req, Context(req).fs.Link(change, inode, parent, new_name));
}

void Unlink(fuse_req_t req, fuse_ino_t parent, const char* name) {
  const InodePtr inode = InodeOf(req, parent);
  if (!inode) return;
  Mutation change(Context(req).fs.leases());
  ReplyStatus(req, Context(req).fs.Unlink(change, inode, name));
}

void RemoveDirectory(fuse_req_t req, fuse_ino_t parent, const char* name) {
  const InodePtr inode = InodeOf(req, parent);
  if (!inode) return;
  Mutation change(Context(req).fs.leases());
  ReplyStatus(req, Context(req).fs.RemoveDirectory(change, inode, name));
}

void Rename(fuse_req_t req, fuse_ino_t parent, const char* name, fuse_ino_t new_parent, const char* new_name,
            unsigned flags) {
  const InodePtr from = InodeOf(req, parent);
  if (!from) return;
  const InodePtr to = InodeOf(req, new_parent);
  if (!to) return;
  Mutation change(Context(req).fs.leases());
  ReplyStatus(req, Context(req).fs.Rename(change, from, name, to, new_name, flags));
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
