#include "ocfs2-backend/credentials.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include "base/log.h"

namespace ocfsgw::ocfs2 {
namespace {

using Capabilities = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;
// The kernel's header, version and "this thread".
__user_cap_header_struct CapabilityHeader() { return {_LINUX_CAPABILITY_VERSION_3, 0}; }

// Raw system calls: the kernel's credentials are per thread, glibc's set*id functions are not.
// Neither call reports failure; both return the id that was in force before.
void SetFsIds(uint32_t uid, uint32_t gid) {
  ::syscall(SYS_setfsgid, gid);
  ::syscall(SYS_setfsuid, uid);
}

// unshare(CLONE_FS), see unshare(2): umask, root and working directory become this thread's own.
bool MakeUmaskPrivate() {
  if (::unshare(CLONE_FS) == 0) return true;
  log::Warning("cannot give a thread its own umask: the process's umask is set to 0");
  ::umask(0);
  return false;
}

}  // namespace

ScopedCaller::ScopedCaller(const coherence::Caller& caller) {
  thread_local const bool own_umask = MakeUmaskPrivate();
  if (own_umask) ::umask(caller.umask);
  static const bool is_root = ::geteuid() == 0;
  if (!is_root || (caller.uid == 0 && caller.gid == 0)) return;

  // Leaving fsuid 0 drops the file-system capabilities from the effective set (capabilities(7)): put them
  // back.
  auto header = CapabilityHeader();
  Capabilities kept{};
  ::syscall(SYS_capget, &header, kept.data());
  has_groups_ = !caller.groups.empty();
  if (has_groups_) ::syscall(SYS_setgroups, caller.groups.size(), caller.groups.data());
  SetFsIds(caller.uid, caller.gid);
  if (caller.uid != 0) {
    kept[CAP_TO_INDEX(CAP_FSETID)].effective &= ~CAP_TO_MASK(CAP_FSETID);
    ::syscall(SYS_capset, &header, kept.data());
  }
  switched_ = true;
}

ScopedCaller::~ScopedCaller() {
  if (!switched_) return;
  SetFsIds(0, 0);  // going back to fsuid 0 raises the permitted file-system capabilities again
  if (has_groups_) ::syscall(SYS_setgroups, 0, nullptr);
}

}  // namespace ocfsgw::ocfs2
