#include "fusefs/session.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <fstream>
#include <thread>

#include "base/log.h"
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
  AddFileOperations(ops);
  AddDirectoryOperations(ops);
  AddXattrOperations(ops);
  AddIoctlOperations(ops);
  AddLockOperations(ops, context.ranges != nullptr);
  return ops;
}

}  // namespace

Result<std::unique_ptr<Session>> Session::Mount(const std::string& mountpoint,
                                                const std::vector<std::string>& options,
                                                MountContext* context) {
  OCFSGW_RETURN_IF_ERROR(CheckMountPoint(mountpoint));
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
  const bool mounted = session != nullptr && fuse_session_mount(session, mountpoint.c_str()) == 0;
  mount_message = nullptr;
  if (mounted) {
    std::unique_ptr<Session> owner(new Session(session, mountpoint));
    OCFSGW_RETURN_IF_ERROR(ReceiveNewRequests(session));
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
    : session_(session), mountpoint_(std::move(mountpoint)), mount_id_(MountId(mountpoint_)) {}

void Session::Cut() { UnmountDead(mountpoint_, mount_id_); }

Session::~Session() {
  fuse_session_unmount(session_);
  fuse_session_destroy(session_);
}

void Session::WaitForSignal(int stop_fd, pthread_t serving) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  const int signals = signalfd(-1, &set, SFD_CLOEXEC);
  std::array<pollfd, 2> fds = {{{signals, POLLIN, 0}, {stop_fd, POLLIN, 0}}};
  while (poll(fds.data(), fds.size(), -1) < 0 && errno == EINTR) {
  }
  close(signals);
  if (fds[1].revents != 0) return;
  told_to_stop_.store(true);
  if (umount2(mountpoint_.c_str(), 0) != 0) {
    // In use. What mappings have written is still in the kernel: have it sent while somebody answers.
    log::Info("{} is in use; unmounting it lazily", mountpoint_);
    const int fd = open(mountpoint_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
      syncfs(fd);
      close(fd);
    }
  }
  // The connection lives on, also if the mount was propagated elsewhere. The serving thread may be about to
  // wait: repeat.
  fuse_session_exit(session_);
  do {
    pthread_kill(serving, SIGUSR1);
  } while (poll(&fds[1], 1, 50) == 0);
}

Status Session::Serve() {
  struct sigaction wake {};
  wake.sa_handler = [](int) {};  // interrupts a wait, no more
  sigaction(SIGUSR1, &wake, nullptr);
  signal(SIGPIPE, SIG_IGN);
  const int stop_fd = eventfd(0, EFD_CLOEXEC);
  if (stop_fd < 0) return Status::LastErrno("eventfd");
  std::thread watcher([this, stop_fd, serving = pthread_self()] { WaitForSignal(stop_fd, serving); });
  fuse_loop_config* const config = fuse_loop_cfg_create();
  fuse_loop_cfg_set_clone_fd(config, 1);
  fuse_loop_cfg_set_max_threads(config, kThreadsMax);
  fuse_loop_cfg_set_idle_threads(config, kThreadsMax);
  const int result = fuse_session_loop_mt(session_, config);
  fuse_loop_cfg_destroy(config);
  eventfd_write(stop_fd, 1);
  watcher.join();
  close(stop_fd);
  if (result < 0 && !told_to_stop_.load()) return Status::FromErrno(-result, "serving the mount");
  return Status::Ok();
}

}  // namespace ocfsgw::fusefs
