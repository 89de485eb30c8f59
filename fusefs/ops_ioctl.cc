// IOCTL: inode flags and projects, as chattr(1), lsattr(1) and quota tools ask for them.

#include <linux/fs.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>

#include "fusefs/request.h"

namespace ocfsgw::fusefs {
namespace {

using coherence::InodePtr;
using coherence::Mutation;

/// Other commands are between an application and one file system; some of them (FS_IOC_SHUTDOWN, FITRIM)
/// would act on all of it.
bool Reads(unsigned command) { return command == FS_IOC_GETFLAGS || command == FS_IOC_FSGETXATTR; }
bool Changes(unsigned command) { return command == FS_IOC_SETFLAGS || command == FS_IOC_FSSETXATTR; }

void Ioctl(fuse_req_t req, fuse_ino_t ino, unsigned command, void* /*arg*/, fuse_file_info* /*fi*/,
           unsigned /*flags*/, const void* in, size_t in_bytes, size_t out_bytes) {
  if (!Reads(command) && !Changes(command)) {
    fuse_reply_err(req, ENOTTY);
    return;
  }
  const InodePtr inode = InodeOf(req, ino);
  if (!inode) return;
  coherence::CoherentFs& fs = Context(req).fs;
  const std::span<const std::byte> bytes(static_cast<const std::byte*>(in), in_bytes);
  if (Changes(command)) {
    Mutation change(fs.leases());
    const Status changed = fs.Ioctl(change, inode, command, bytes);
    if (changed.ok()) {
      fuse_reply_ioctl(req, 0, nullptr, 0);
    } else {
      ReplyStatus(req, changed);
    }
    return;
  }
  const auto value = fs.backend().Ioctl(inode->node, command, {});
  if (value.ok()) {
    fuse_reply_ioctl(req, 0, value->data(), std::min(out_bytes, value->size()));
  } else {
    ReplyStatus(req, value.status());
  }
}

}  // namespace

void AddIoctlOperations(fuse_lowlevel_ops& ops) { ops.ioctl = Ioctl; }

}  // namespace ocfsgw::fusefs
