// Extended attributes.

#include <sys/stat.h>

#include <cerrno>
#include <string_view>

#include "fusefs/request.h"

namespace ocfsgw::fusefs {
namespace {

using coherence::InodePtr;
using coherence::Mutation;

/// `size` 0 asks for the length only.
void ReplyValue(fuse_req_t req, const Result<std::string>& value, size_t size) {
  if (!value.ok()) {
    ReplyStatus(req, value.status());
  } else if (size == 0) {
    fuse_reply_xattr(req, value->size());
  } else if (value->size() > size) {
    fuse_reply_err(req, ERANGE);
  } else {
    fuse_reply_buf(req, value->data(), value->size());
  }
}

/// Those that file systems list for the privileged only (xattr(7)), as which they know us.
std::string WithoutTrusted(const std::string& names) {
  std::string rest;
  for (size_t at = 0; at < names.size();) {
    const std::string name = names.c_str() + at;
    at += name.size() + 1;
    if (!name.starts_with("trusted.")) rest.append(name).push_back('\0');
  }
  return rest;
}

void GetXattr(fuse_req_t req, fuse_ino_t ino, const char* name, size_t size) {
  const InodePtr inode = InodeOf(req, ino);
  if (!inode) return;
  ReplyValue(req, Context(req).fs.GetXattr(inode, name), size);
}

void ListXattr(fuse_req_t req, fuse_ino_t ino, size_t size) {
  const InodePtr inode = InodeOf(req, ino);
  if (!inode) return;
  auto names = Context(req).fs.ListXattr(inode);
  if (names.ok() && fuse_req_ctx(req)->uid != 0) names = WithoutTrusted(*names);
  ReplyValue(req, names, size);
}

void SetXattr(fuse_req_t req, fuse_ino_t ino, const char* name, const char* value, size_t size, int flags) {
  const InodePtr inode = InodeOf(req, ino);
  if (!inode) return;
  coherence::CoherentFs& fs = Context(req).fs;
  Mutation change(fs.leases());
  Status status = fs.SetXattr(change, inode, name, std::as_bytes(std::span(value, size)), flags);
  if (status.ok() && fuse_req_ctx(req)->uid != 0 && name == std::string_view("system.posix_acl_access")) {
    status = fs.DropSetGroupId(change, inode, CallerOf(req, S_ISGID));
  }
  ReplyStatus(req, status);
}

void RemoveXattr(fuse_req_t req, fuse_ino_t ino, const char* name) {
  const InodePtr inode = InodeOf(req, ino);
  if (!inode) return;
  Mutation change(Context(req).fs.leases());
  ReplyStatus(req, Context(req).fs.RemoveXattr(change, inode, name));
}

}  // namespace

void AddXattrOperations(fuse_lowlevel_ops& ops) {
  ops.getxattr = GetXattr;
  ops.listxattr = ListXattr;
  ops.setxattr = SetXattr;
  ops.removexattr = RemoveXattr;
}

}  // namespace ocfsgw::fusefs
