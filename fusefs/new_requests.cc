#include "fusefs/new_requests.h"

#include <linux/fuse.h>
#include <linux/stat.h>
#include <poll.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

#include "fusefs/request.h"

namespace ocfsgw::fusefs {
namespace {

// Of include/uapi/linux/fuse.h, protocol 7.39 (Linux 6.6); that of Debian 12 is older.
constexpr uint32_t kOpcodeStatx = 52;

struct StatxIn {  // struct fuse_statx_in
  uint32_t getattr_flags;
  uint32_t reserved;
  uint64_t fh;
  uint32_t sx_flags;
  uint32_t sx_mask;
};
// What libfuse reads of a GETATTR is there, and means the same.
static_assert(offsetof(StatxIn, getattr_flags) == offsetof(fuse_getattr_in, getattr_flags) &&
              offsetof(StatxIn, fh) == offsetof(fuse_getattr_in, fh) &&
              sizeof(StatxIn) >= sizeof(fuse_getattr_in));

struct SxTime {  // struct fuse_sx_time
  int64_t tv_sec;
  uint32_t tv_nsec;
  int32_t reserved;
};

struct StatxOut {  // struct fuse_statx_out, with struct fuse_statx from `mask` on
  uint64_t attr_valid;
  uint32_t attr_valid_nsec;
  uint32_t flags;
  uint64_t spare[2];
  uint32_t mask;
  uint32_t blksize;
  uint64_t attributes;
  uint32_t nlink;
  uint32_t uid;
  uint32_t gid;
  uint16_t mode;
  uint16_t spare0;
  uint64_t ino;
  uint64_t size;
  uint64_t blocks;
  uint64_t attributes_mask;
  SxTime atime;
  SxTime btime;
  SxTime ctime;
  SxTime mtime;
  uint32_t rdev_major;
  uint32_t rdev_minor;
  uint32_t dev_major;
  uint32_t dev_minor;
  uint64_t spare2[14];
};
static_assert(sizeof(StatxOut) == 32 + 256);

// Protocol 7.40 (Linux 6.9).
constexpr uint32_t kInitExt = 1U << 30;          // FUSE_INIT_EXT: flags2 counts
constexpr uint32_t kInitPassthrough2 = 1U << 5;  // FUSE_PASSTHROUGH, bit 37, of flags2
constexpr uint32_t kOpenPassthrough = 1U << 7;   // FOPEN_PASSTHROUGH
struct InitOut {                                 // struct fuse_init_out
  uint32_t before[3];
  uint32_t flags;
  uint32_t between[4];
  uint32_t flags2;
  uint32_t max_stack_depth;
  uint32_t unused[6];
};
static_assert(sizeof(InitOut) == sizeof(fuse_init_out) &&
              offsetof(InitOut, flags) == offsetof(fuse_init_out, flags));

thread_local bool is_statx = false;
thread_local bool kills_set_ids = false;
thread_local uint32_t init_flags = 0;  // what INIT offers of what is to be had, until it is answered
thread_local uint32_t init_flags2 = 0;
thread_local int pass_through_to = 0;

/// Longer than it takes to receive a small request that is there; shorter than to be woken for one.
constexpr std::chrono::microseconds kAtOnce(5);

/// Longer than most applications take from one answer to the next request, with a processor's awakening.
constexpr std::chrono::microseconds kPoll(100);

/// Whether a request has come before `end`.
bool PollUntil(int fd, std::chrono::steady_clock::time_point end) {
  pollfd device{fd, POLLIN, 0};
  int ready = 0;
  do {
    ready = ::poll(&device, 1, 0);
  } while (ready == 0 && std::chrono::steady_clock::now() < end);
  return ready != 0;
}

/// The arguments of a request; zeros if they are shorter.
template <typename T>
T ArgumentsOf(const fuse_in_header& request, size_t bytes) {
  T arguments{};
  if (bytes >= sizeof request + sizeof arguments) std::memcpy(&arguments, &request + 1, sizeof arguments);
  return arguments;
}

/// A READ of so much is copied before another worker would be awake.
constexpr uint32_t kQuickReadBytes = 64 * 1024;

/// Of a kind of which the most frequent answers are from memory.
bool IsQuick(const fuse_in_header& request, size_t bytes) {
  switch (request.opcode) {
    case FUSE_LOOKUP:
    case FUSE_GETATTR:
    case FUSE_OPEN:
    case FUSE_RELEASE:
      return true;
    case FUSE_READ:
      return ArgumentsOf<fuse_read_in>(request, bytes).size <= kQuickReadBytes;
    default:
      return false;
  }
}

void NoteInit(const fuse_init_in& init, const MountContext& context) {
  init_flags = init.flags & FUSE_HANDLE_KILLPRIV_V2;
  init_flags2 = context.passthrough.offered() ? init.flags2 & kInitPassthrough2 : 0;
}

bool KillsSetIds(const fuse_in_header& request, size_t bytes) {
  if (request.opcode == FUSE_WRITE) {
    return (ArgumentsOf<fuse_write_in>(request, bytes).write_flags & FUSE_WRITE_KILL_SUIDGID) != 0;
  }
  return request.opcode == FUSE_SETATTR &&
         (ArgumentsOf<fuse_setattr_in>(request, bytes).valid & FATTR_KILL_SUIDGID) != 0;
}

/// Runs where a worker may be cancelled, and before libfuse has another one started: nothing may be handled
/// here.
ssize_t Receive(int fd, void* buffer, size_t size, void* userdata) {
  auto& context = *static_cast<MountContext*>(userdata);
  ReaderGate& gate = context.readers;
  if (!gate.Enter()) {
    errno = EINTR;
    return -1;
  }
  const auto begin = std::chrono::steady_clock::now();
  const bool in_vain = gate.MayPoll() && !PollUntil(fd, begin + kPoll);
  const ssize_t got = ::read(fd, buffer, size);
  if (got < static_cast<ssize_t>(sizeof(fuse_in_header))) {
    const int error = errno;
    gate.Leave();
    errno = error;
    return got;
  }
  const bool waited = std::chrono::steady_clock::now() - begin > kAtOnce;
  auto& request = *static_cast<fuse_in_header*>(buffer);
  auto& opcode = request.opcode;
  is_statx = opcode == kOpcodeStatx;
  if (is_statx) opcode = FUSE_GETATTR;
  if (opcode == FUSE_TMPFILE) opcode = FUSE_CREATE;
  const auto bytes = static_cast<size_t>(got);
  if (opcode == FUSE_INIT) NoteInit(ArgumentsOf<fuse_init_in>(request, bytes), context);
  kills_set_ids = KillsSetIds(request, bytes);
  gate.Leave({.quick = IsQuick(request, bytes), .waited = waited, .polled_in_vain = in_vain});
  return got;
}

/// The last bytes of an answer are a T, or it is an error.
template <typename T>
T* Tail(const iovec* parts, int count) {
  const iovec& last = parts[count - 1];
  return count < 2 || last.iov_len < sizeof(T)
             ? nullptr
             : reinterpret_cast<T*>(static_cast<char*>(last.iov_base) + last.iov_len - sizeof(T));
}

ssize_t Send(int fd, iovec* parts, int count, void* userdata) {
  if ((init_flags | init_flags2) != 0) {
    if (auto* const init = Tail<InitOut>(parts, count)) {
      auto& context = *static_cast<MountContext*>(userdata);
      init->flags |= init_flags | kInitExt;
      init->flags2 |= init_flags2;
      if (init_flags != 0) context.says_kill.store(true);
      if (init_flags2 != 0) {
        init->max_stack_depth = 1;
        context.passthrough.Enable();
      }
    }
    init_flags = init_flags2 = 0;
  }
  if (const int backing = std::exchange(pass_through_to, 0); backing != 0) {
    if (auto* const open = Tail<fuse_open_out>(parts, count)) {
      open->open_flags = (open->open_flags & ~(FOPEN_DIRECT_IO | FOPEN_KEEP_CACHE)) | kOpenPassthrough;
      open->padding = static_cast<uint32_t>(backing);  // backing_id
    }
  }
  return ::writev(fd, parts, count);
}

SxTime ToSxTime(const timespec& time) {
  return {.tv_sec = time.tv_sec, .tv_nsec = static_cast<uint32_t>(time.tv_nsec), .reserved = 0};
}

}  // namespace

Status ReceiveNewRequests(fuse_session* session) {
  fuse_custom_io io{};
  io.read = Receive;
  io.writev = Send;
  // Meant for a session without a mount; of one with a mount it leaves all as it is but for the calls.
  if (const int result = fuse_session_custom_io(session, &io, fuse_session_fd(session)); result != 0) {
    return Status::FromErrno(-result, "fuse_session_custom_io");
  }
  return Status::Ok();
}

bool IsStatx() { return is_statx; }
bool KillsSetIds() { return kills_set_ids; }
void PassThrough(int backing) { pass_through_to = backing; }

int ReplyStatx(fuse_req_t req, const struct stat& attr, const std::optional<coherence::FileTime>& birth,
               double timeout_seconds) {
  StatxOut out{};
  out.attr_valid = static_cast<uint64_t>(timeout_seconds);
  out.attr_valid_nsec = static_cast<uint32_t>((timeout_seconds - std::floor(timeout_seconds)) * 1e9);
  out.mask = STATX_BASIC_STATS;
  out.blksize = static_cast<uint32_t>(attr.st_blksize);
  out.nlink = static_cast<uint32_t>(attr.st_nlink);
  out.uid = attr.st_uid;
  out.gid = attr.st_gid;
  out.mode = static_cast<uint16_t>(attr.st_mode);
  out.ino = attr.st_ino;
  out.size = static_cast<uint64_t>(attr.st_size);
  out.blocks = static_cast<uint64_t>(attr.st_blocks);
  out.atime = ToSxTime(attr.st_atim);
  out.mtime = ToSxTime(attr.st_mtim);
  out.ctime = ToSxTime(attr.st_ctim);
  out.rdev_major = major(attr.st_rdev);
  out.rdev_minor = minor(attr.st_rdev);
  if (birth) {
    out.mask |= STATX_BTIME;
    out.btime = {.tv_sec = birth->sec, .tv_nsec = birth->nsec, .reserved = 0};
  }
  return fuse_reply_buf(req, reinterpret_cast<const char*>(&out), sizeof out);
}

}  // namespace ocfsgw::fusefs
