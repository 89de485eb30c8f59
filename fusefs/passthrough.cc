#include "fusefs/passthrough.h"

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
  if (file < 0 || refused_) return 0;
  const BackingMap map{.fd = file, .flags = 0, .padding = 0};
  const int backing = ioctl(device_, kBackingOpen, &map);
  if (backing > 0) return backing;
  // EPERM: not root of the machine. ELOOP: a source that is stacked on others itself.
  refused_ = errno == EPERM || errno == ELOOP;
  if (refused_) {
    log::Info("the kernel refuses to write past the gateway ({}): it does not", std::strerror(errno));
  }
  return 0;
}

Passthrough::Handle Passthrough::Open(fuse_ino_t node, bool wanted, const std::function<int()>& file) {
  if (!enabled()) return {};
  MutexLock lock(mutex_);
  Node& known = nodes_[node];
  if (known.handles == 0 && wanted) known.backing = Register(file());
  ++known.handles;
  return {.backing = known.backing, .counted = true};
}

void Passthrough::Close(fuse_ino_t node, const Handle& handle) {
  if (!handle.counted) return;
  MutexLock lock(mutex_);
  const auto it = nodes_.find(node);
  if (it == nodes_.end() || --it->second.handles > 0) return;
  const auto backing = static_cast<uint32_t>(it->second.backing);
  if (backing != 0) ioctl(device_, kBackingClose, &backing);
  nodes_.erase(it);
}

}  // namespace ocfsgw::fusefs
