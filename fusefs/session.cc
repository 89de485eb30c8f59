#include "fusefs/session.h"

#include <fmt/format.h>

#include <cstdlib>

namespace ocfsgw::fusefs {
namespace {

void Init(void* /*userdata*/, fuse_conn_info* connection) {
  // O_TRUNC comes as SETATTR, which has the local-write rule; the kernel clears set-id bits by SETATTR too,
  // since a gateway that writes as root would not.
  connection->want &= ~(FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_HANDLE_KILLPRIV);
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
  fuse_args args = FUSE_ARGS_INIT(0, nullptr);
  const auto add = [&args](const std::string& option) {
    fuse_opt_add_arg(&args, "-o");
    fuse_opt_add_arg(&args, option.c_str());
  };
  fuse_opt_add_arg(&args, "ocfsgw");
  add("default_permissions");
  for (const auto& option : options) add(option);

  const fuse_lowlevel_ops ops = Operations();
  fuse_session* const session = fuse_session_new(&args, &ops, sizeof ops, context);
  fuse_opt_free_args(&args);
  if (session == nullptr) return Status(StatusCode::kUnavailable, "libfuse refused the mount options");
  if (fuse_session_mount(session, mountpoint.c_str()) != 0) {
    fuse_session_destroy(session);
    return Status(
        StatusCode::kUnavailable,
        fmt::format("cannot mount at {}: is it a directory, is /dev/fuse there, may this user mount?",
                    mountpoint));
  }
  return std::unique_ptr<Session>(new Session(session));
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
