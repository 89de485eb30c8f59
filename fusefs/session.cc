#include "fusefs/session.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <fstream>
#include <optional>
#include <thread>

#include "base/log.h"
#include "fusefs/dead_mount.h"
#include "fusefs/fuse_control.h"
#include "fusefs/new_requests.h"
#include "fusefs/take_back.h"

namespace ocfsgw::fusefs {
namespace {

void Init(void* userdata, fuse_conn_info* connection) {
  auto& context = *static_cast<MountContext*>(userdata);
  context.may_trust.store(MayTrust(*connection));
  context.names.SetCanExpire((connection->capable & FUSE_CAP_EXPIRE_ONLY) != 0);
  // O_TRUNC comes as SETATTR, which has the local-write rule; the kernel clears set-id bits by SETATTR too,
  // since a gateway that writes as root would not.
  connection->want &= ~(FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_HANDLE_KILLPRIV);
  if (context.has_acls) {  // the kernel judges by them then, and leaves the umask to whom knows default ACLs
    connection->want |= connection->capable & (FUSE_CAP_POSIX_ACL | FUSE_CAP_DONT_MASK);
  }
  if (context.read_ahead_bytes != 0) {  // else what the kernel has offered
    connection->max_readahead = static_cast<unsigned>(context.read_ahead_bytes);
  }
  // A symbolic link's target never changes: another target is another inode.
  connection->want |= connection->capable & FUSE_CAP_CACHE_SYMLINKS;
}

/// Set while this thread mounts: what libfuse said last, the reason of a failure.
thread_local std::string* mount_message = nullptr;

/// libfuse writes to stderr unless told otherwise; there, one line is ours alone.
void Log(fuse_log_level level, const char* format, va_list arguments) {
  std::array<char, 512> buffer{};
  std::vsnprintf(buffer.data(), buffer.size(), format, arguments);
  std::string text = buffer.data();
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (mount_message != nullptr) {
    *mount_message = std::move(text);
  } else if (level <= FUSE_LOG_WARNING) {
    log::Warning("libfuse: {}", text);
  } else {
    log::Debug("libfuse: {}", text);
  }
}

/// Has what mappings have written, which is still in the kernel, sent to those who serve the mount, and waits
/// until they have answered: syncfs of Linux 6.18 does not, for FUSE. No longer than a second, as
/// applications may go on asking.
void SyncMappings(const std::string& mountpoint) {
  constexpr std::chrono::milliseconds kStep(1);
  constexpr int kSteps = 1000;
  constexpr int kStepsUnseen = 100;  // where FuseControl does not know
  const int fd = open(mountpoint.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  syncfs(fd);
  struct stat root {};
  const uint32_t device = fstat(fd, &root) == 0 ? minor(root.st_dev) : 0;
  close(fd);
  const FuseControl control;
  for (int step = 0; step < kSteps; ++step) {
    const auto waiting = control.Waiting(device);
    if (waiting ? *waiting == 0 : step == kStepsUnseen) return;
    std::this_thread::sleep_for(kStep);
  }
}

/// The kernel would mount a directory on a file too, and every access to it would fail.
Status CheckMountPoint(const std::string& mountpoint) {
  struct stat st {};
  if (stat(mountpoint.c_str(), &st) != 0) {
    return {StatusCode::kUnavailable,
            fmt::format("cannot mount: {}", Status::LastErrno(mountpoint).ToString())};
  }
  if (S_ISDIR(st.st_mode)) return Status::Ok();
  return {StatusCode::kUnavailable, fmt::format("cannot mount at {}: not a directory", mountpoint)};
}

/// The kernel begins with 128 KiB, and takes no more than that from the answer to INIT unless the device of
/// the mount has been told before.
void SetReadAhead(const std::string& mountpoint, uint64_t bytes) {
  struct statx stx {};
  if (statx(AT_FDCWD, mountpoint.c_str(), AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, 0, &stx) != 0) return;
  const auto path = fmt::format("/sys/class/bdi/{}:{}/read_ahead_kb", stx.stx_dev_major, stx.stx_dev_minor);
  std::ofstream file(path);
  file << (bytes >> 10) << std::flush;
  if (!file) log::Info("the kernel reads ahead by 128K at most: cannot write {}", path);
}

fuse_lowlevel_ops Operations(const MountContext& context) {
  fuse_lowlevel_ops ops{};
  ops.init = Init;
  AddNameOperations(ops);
  AddAttrOperations(ops);
  AddFileOperations(ops, context);
  AddDirectoryOperations(ops);
  AddXattrOperations(ops);
  AddIoctlOperations(ops);
  AddLockOperations(ops, context);
  return ops;
}

}  // namespace

Result<std::unique_ptr<Session>> Session::Mount(const std::string& mountpoint,
                                                const std::vector<std::string>& options,
                                                MountContext* context, bool over_dead) {
  std::optional<MountStep> step;
  if (over_dead) {
    OCFSGW_ASSIGN_OR_RETURN(MountStep made, MountStep::Make());
    step.emplace(std::move(made));
  } else {
    OCFSGW_RETURN_IF_ERROR(CheckMountPoint(mountpoint));
  }
  const std::string& place = step ? step->path() : mountpoint;
  fuse_args args = FUSE_ARGS_INIT(0, nullptr);
  const auto add = [&args](const std::string& option) {
    fuse_opt_add_arg(&args, "-o");
    fuse_opt_add_arg(&args, option.c_str());
  };
  fuse_opt_add_arg(&args, "ocfsgw");
  add("default_permissions");
  for (const auto& option : options) add(option);

  const fuse_lowlevel_ops ops = Operations(*context);
  std::string message;
  mount_message = &message;
  fuse_set_log_func(Log);
  fuse_session* const session = fuse_session_new(&args, &ops, sizeof ops, context);
  fuse_opt_free_args(&args);
  const bool mounted = session != nullptr && fuse_session_mount(session, place.c_str()) == 0;
  mount_message = nullptr;
  if (mounted) {
    if (Status moved = step ? step->MoveTo(mountpoint) : Status::Ok(); !moved.ok()) {
      fuse_session_unmount(session);
      fuse_session_destroy(session);
      return moved;
    }
    step.reset();
    std::unique_ptr<Session> owner(new Session(session, mountpoint));
    OCFSGW_RETURN_IF_ERROR(ReceiveNewRequests(session));
    if (context->may_pass) context->passthrough.Offer(fuse_session_fd(session));
    if (context->read_ahead_bytes != 0) SetReadAhead(mountpoint, context->read_ahead_bytes);
    return owner;
  }
  if (session == nullptr)
    return Status(StatusCode::kUnavailable, "libfuse refused the mount options: " + message);
  fuse_session_destroy(session);
  return Status(
      StatusCode::kUnavailable,
      fmt::format("cannot mount at {}: is /dev/fuse there, may this user mount? {}", mountpoint, message));
}

Session::Session(fuse_session* session, std::string mountpoint)
    : session_(session),
      mountpoint_(std::move(mountpoint)),
      mount_id_(MountId(mountpoint_)),
      device_(DeviceOf(mountpoint_)) {}

Session::~Session() {
  if (serving_.joinable()) {  // something went wrong after Start
    Stop();
    serving_.join();
    Cut();
  }
  fuse_session_unmount(session_);
  fuse_session_destroy(session_);
  if (ended_fd_ >= 0) close(ended_fd_);
}

Status Session::Start() {
  struct sigaction wake {};
  wake.sa_handler = [](int) {};  // interrupts a wait, no more
  sigaction(SIGUSR1, &wake, nullptr);
  signal(SIGPIPE, SIG_IGN);
  ended_fd_ = eventfd(0, EFD_CLOEXEC);
  if (ended_fd_ < 0) return Status::LastErrno("eventfd");
  serving_ = std::thread([this] {
    fuse_loop_config* const config = fuse_loop_cfg_create();
    fuse_loop_cfg_set_clone_fd(config, 1);
    fuse_loop_cfg_set_max_threads(config, kThreadsMax);
    fuse_loop_cfg_set_idle_threads(config, kThreadsMax);
    result_ = fuse_session_loop_mt(session_, config);
    fuse_loop_cfg_destroy(config);
    eventfd_write(ended_fd_, 1);
  });
  return Status::Ok();
}

void Session::AwaitUnused(std::chrono::steady_clock::time_point deadline, int interrupt_fd) {
  using std::chrono::milliseconds;
  constexpr milliseconds kTry{100};
  std::array<pollfd, 2> ends = {{{ended_fd_, POLLIN, 0}, {interrupt_fd, POLLIN, 0}}};
  bool said = false;
  for (;;) {
    // Once unmounted here, what is mounted at the same place is somebody else's.
    if (!unmounted_ && MountId(mountpoint_) == mount_id_) {
      SyncMappings(mountpoint_);  // where others have it mounted, it is out of reach afterwards
      unmounted_ = umount2(mountpoint_.c_str(), 0) == 0;
    }
    const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return;
    if (poll(ends.data(), ends.size(), static_cast<int>(std::min(left, kTry).count())) > 0) return;
    if (said) continue;
    log::Info("{} is in use: waiting for up to {} ms", mountpoint_, left.count());
    said = true;
  }
}

void Session::Stop() {
  pollfd ended{ended_fd_, POLLIN, 0};
  if (poll(&ended, 1, 0) != 0) return;
  told_to_stop_ = true;
  if (unmounted_) {
    log::Info("{} is unmounted, but in use elsewhere: cutting the connection", mountpoint_);
  } else if (umount2(mountpoint_.c_str(), 0) != 0) {
    log::Info("{} is in use; unmounting it lazily", mountpoint_);
    SyncMappings(mountpoint_);
  }
  // The connection lives on, also if the mount was propagated elsewhere. The serving thread may be about to
  // wait: repeat.
  fuse_session_exit(session_);
  do {
    pthread_kill(serving_.native_handle(), SIGUSR1);
  } while (poll(&ended, 1, 50) == 0);
}

Status Session::Wait() {
  serving_.join();
  if (result_ < 0 && !told_to_stop_) return Status::FromErrno(-result_, "serving the mount");
  return Status::Ok();
}

void Session::Cut() {
  UnmountDead(mountpoint_, mount_id_);
  AbortConnection(fuse_session_fd(session_), device_);
}

}  // namespace ocfsgw::fusefs
