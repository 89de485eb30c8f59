#include "fusefs/take_back.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <vector>

#include "fusefs/fuse_control.h"

namespace ocfsgw::fusefs {
namespace {

/// Invalidations that may wait for a page at once.
constexpr size_t kThreads = 4;
/// The largest request: libfuse's, see fuse_session_receive_buf. The kernel refuses reads into less.
constexpr size_t kRequestBytesMax = (256 << 12) + 0x1000;
constexpr int kPollMs = 20;

bool WantsAnswer(uint32_t opcode) {
  return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET && opcode != FUSE_INTERRUPT &&
         opcode != FUSE_NOTIFY_REPLY;
}

/// None, if memory or processes are short: nobody is left who could do this instead of the guardian.
template <typename Body>
std::thread StartThread(const Body& body) {
  try {
    return std::thread(body);
  } catch (const std::system_error&) {
    return {};
  }
}

}  // namespace

TakeBack::TakeBack(const std::array<int, kConnectionsMax>& session_fds, const GrantSlots& grants)
    : session_fds_(session_fds), grants_(grants) {
  for (const int fd : session_fds_) {
    if (fd >= 0) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  }
  answers_ = StartThread([this] { AnswerRequests(); });
}

TakeBack::~TakeBack() {
  if (attributes_.joinable()) attributes_.join();
  stop_.store(true);
  if (answers_.joinable()) answers_.join();
}

void TakeBack::AnswerRequests() {
  std::vector<char> buffer(kRequestBytesMax);
  std::vector<pollfd> open;
  for (const int fd : session_fds_) {
    if (fd >= 0) open.push_back({fd, POLLIN, 0});
  }
  while (!stop_.load() && !open.empty()) {
    poll(open.data(), open.size(), kPollMs);
    for (pollfd& connection : open) {
      if (connection.revents == 0) continue;
      const ssize_t got = read(connection.fd, buffer.data(), buffer.size());
      if (got < 0 && errno == ENODEV) connection.fd = -1;  // it is cut
      if (got < static_cast<ssize_t>(sizeof(fuse_in_header))) continue;
      const auto* const request = reinterpret_cast<const fuse_in_header*>(buffer.data());
      if (!WantsAnswer(request->opcode)) continue;
      const fuse_out_header answer{sizeof answer, -ENOTCONN, request->unique};
      // Fails if the requester was interrupted, which is as good.
      static_cast<void>(!write(connection.fd, &answer, sizeof answer));
    }
    std::erase_if(open, [](const pollfd& connection) { return connection.fd < 0; });
  }
}

void TakeBack::Start() {
  {
    MutexLock lock(mutex_);
    running_ = 1;
  }
  attributes_ = StartThread([this] {
    InvalidateAttributes();
    std::vector<std::thread> others(kThreads - 1);
    for (auto& thread : others) thread = StartThread([this] { InvalidatePages(); });
    InvalidatePages();
    for (auto& thread : others) {
      if (thread.joinable()) thread.join();
    }
    InvalidateAttributes();  // again: of inodes that the kernel was only just making
    MutexLock lock(mutex_);
    running_ = 0;
    changed_.NotifyAll();
  });
  if (!attributes_.joinable()) InvalidateAttributes();  // pages may have to be waited for, which Wait bounds
}

bool TakeBack::Wait(std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  MutexLock lock(mutex_);
  while (running_ > 0) {
    if (!attributes_.joinable() || !changed_.WaitUntil(mutex_, deadline)) return running_ == 0;
  }
  return true;
}

bool TakeBack::Invalidate(const Grant& grant, int64_t offset) const {
  fuse_notify_inval_inode_out what{};
  what.ino = grant.ino;
  what.off = offset;  // with length 0: to the end
  fuse_out_header header{sizeof header + sizeof what, FUSE_NOTIFY_INVAL_INODE, 0};
  const std::array<iovec, 2> message{{{&header, sizeof header}, {&what, sizeof what}}};
  // ENOENT: forgotten by the kernel, so there is nothing to take back.
  return writev(session_fds_[grant.connection], message.data(), message.size()) >= 0 || errno == ENOENT;
}

void TakeBack::InvalidateAttributes() {
  const uint32_t used = grants_.used.load(std::memory_order_relaxed);
  for (uint32_t slot = 0; slot < used; ++slot) {
    const uint64_t packed = grants_.slots[slot].load(std::memory_order_relaxed);
    // A negative offset: attributes only, which waits for nothing. A cut connection has nothing to be taken
    // back, and others may not be cut.
    if (packed != 0) Invalidate(Grant::Unpacked(packed), -1);
  }
}

void TakeBack::InvalidatePages() {
  const uint32_t used = grants_.used.load(std::memory_order_relaxed);
  for (uint32_t slot = next_++; slot < used; slot = next_++) {
    const uint64_t packed = grants_.slots[slot].load(std::memory_order_relaxed);
    if (packed != 0 && Invalidate(Grant::Unpacked(packed), 0)) ++inodes_;
  }
}

uint64_t MountId(const std::string& path) {
  struct statx stx {};
  constexpr unsigned kUnique = 0x4000;  // STATX_MNT_ID_UNIQUE, Linux 6.8
  const int flags = AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT;
  if (statx(AT_FDCWD, path.c_str(), flags, STATX_MNT_ID | kUnique, &stx) != 0) return 0;
  if ((stx.stx_mask & kUnique) != 0) return stx.stx_mnt_id;
  // Without it ids are small and used again at once: the device tells apart what is mounted there next.
  return (stx.stx_mask & STATX_MNT_ID) != 0 ? stx.stx_mnt_id | uint64_t{stx.stx_dev_minor} << 32 : 0;
}

void UnmountDead(const std::string& path, uint64_t id) {
  if (id != 0 && MountId(path) == id) umount2(path.c_str(), MNT_FORCE | MNT_DETACH);
}

uint32_t DeviceOf(const std::string& path) {
  struct statx stx {};
  const int flags = AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT;
  return statx(AT_FDCWD, path.c_str(), flags, 0, &stx) == 0 && stx.stx_dev_major == 0 ? stx.stx_dev_minor : 0;
}

void AbortConnection(int session_fd, uint32_t device) {
  pollfd connection{session_fd, 0, 0};
  // Once it is cut, the number may be another mount's.
  if (session_fd < 0 || device == 0 || poll(&connection, 1, 0) != 0) return;
  FuseControl().Abort(device);
}

}  // namespace ocfsgw::fusefs
