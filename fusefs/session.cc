#include "fusefs/session.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "base/log.h"

namespace ocfsgw::fusefs {
namespace {

void Init(void* /*userdata*/, fuse_conn_info* connection) {
  // O_TRUNC comes as SETATTR, which has the local-write rule; the kernel clears set-id bits by SETATTR too,
  // since a gateway that writes as root would not.
  connection->want &= ~(FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_HANDLE_KILLPRIV);
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

fuse_lowlevel_ops Operations() {
  fuse_lowlevel_ops ops{};
  ops.init = Init;
  AddNameOperations(ops);
  AddAttrOperations(ops);
  AddFileOperations(ops);
  AddDirectoryOperations(ops);
  AddXattrOperations(ops);
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

  const fuse_lowlevel_ops ops = Operations();
  std::string message;
  mount_message = &message;
  fuse_set_log_func(Log);
  fuse_session* const session = fuse_session_new(&args, &ops, sizeof ops, context);
  fuse_opt_free_args(&args);
  const bool mounted = session != nullptr && fuse_session_mount(session, mountpoint.c_str()) == 0;
  mount_message = nullptr;
  if (mounted) return std::unique_ptr<Session>(new Session(session));
  if (session == nullptr)
    return Status(StatusCode::kUnavailable, "libfuse refused the mount options: " + message);
  fuse_session_destroy(session);
  return Status(
      StatusCode::kUnavailable,
      fmt::format("cannot mount at {}: is /dev/fuse there, may this user mount? {}", mountpoint, message));
}

Session::~Session() {
  fuse_session_unmount(session_);
  fuse_session_destroy(session_);
}

Status Session::Serve() {
  if (fuse_set_signal_handlers(session_) != 0)
    return {StatusCode::kUnavailable, "cannot set signal handlers"};
  fuse_loop_config* const config = fuse_loop_cfg_create();
  fuse_loop_cfg_set_clone_fd(config, 1);
  fuse_loop_cfg_set_max_threads(config, kThreadsMax);
  fuse_loop_cfg_set_idle_threads(config, kThreadsMax);
  const int result = fuse_session_loop_mt(session_, config);
  fuse_loop_cfg_destroy(config);
  fuse_remove_signal_handlers(session_);
  if (result < 0) return Status::FromErrno(-result, "serving the mount");
  return Status::Ok();
}

}  // namespace ocfsgw::fusefs
