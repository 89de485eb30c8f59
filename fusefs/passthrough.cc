#include "fusefs/passthrough.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "base/log.h"

namespace ocfsgw::fusefs {
namespace {

// Of include/uapi/linux/fuse.h, protocol 7.40 (Linux 6.9); that of Debian 12 is older.
struct BackingMap {  // struct fuse_backing_map
  int32_t fd;
  uint32_t flags;
  uint64_t padding;
};
constexpr unsigned long kBackingOpen = _IOW(229, 1, BackingMap);  // FUSE_DEV_IOC_BACKING_OPEN
constexpr unsigned long kBackingClose = _IOW(229, 2, uint32_t);   // FUSE_DEV_IOC_BACKING_CLOSE

}  // namespace

int Passthrough::Register(int file) {
  const BackingMap map{.fd = file, .flags = 0, .padding = 0};
  const int backing = ioctl(device_, kBackingOpen, &map);
  if (backing > 0) return backing;
  // EPERM: not root of the machine. ELOOP: a source that is stacked on others itself.
  if ((errno == EPERM || errno == ELOOP) && !refused_.exchange(true)) {
    log::Info("the kernel refuses to write past the gateway ({}): it does not", std::strerror(errno));
  }
  return 0;
}

void Passthrough::Drop(const Node& node) const {
  const auto backing = static_cast<uint32_t>(node.backing);
  if (backing != 0) ioctl(device_, kBackingClose, &backing);
}

Passthrough::Handle Passthrough::Open(fuse_ino_t node, int flags, int file) {
  if (!enabled()) return {};
  MutexLock lock(mutex_);
  Node& known = nodes_[node];
  if (known.handles == 0 && known.backing == 0 && file >= 0 && active()) known.backing = Register(file);
  ++known.handles;
  if (known.backing != 0) known.readable |= (flags & O_ACCMODE) != O_WRONLY;
  return {.backing = known.backing, .counted = true};
}

void Passthrough::Close(fuse_ino_t node, const Handle& handle) {
  if (!handle.counted) return;
  Node dropped;
  {
    MutexLock lock(mutex_);
    const auto it = nodes_.find(node);
    if (it == nodes_.end() || --it->second.handles > 0 || it->second.readable) return;
    dropped = it->second;
    nodes_.erase(it);
  }
  Drop(dropped);
}

void Passthrough::Forget(fuse_ino_t node) {
  if (!enabled()) return;
  Node dropped;
  {
    MutexLock lock(mutex_);
    const auto it = nodes_.find(node);
    if (it == nodes_.end()) return;
    dropped = it->second;
    nodes_.erase(it);
  }
  Drop(dropped);
}

bool Passthrough::Passes(fuse_ino_t node) {
  if (!enabled()) return false;
  MutexLock lock(mutex_);
  const auto it = nodes_.find(node);
  return it != nodes_.end() && it->second.backing != 0;
}

}  // namespace ocfsgw::fusefs
