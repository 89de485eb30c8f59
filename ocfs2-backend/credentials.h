#pragma once

#include "coherence/backend.h"

namespace ocfsgw::ocfs2 {

/// While it lives, new objects made by this thread belong to `caller`: the thread's fsuid, fsgid, umask and,
/// where given, supplementary groups are switched. Its effective capabilities are kept, since the kernel
/// above us has checked permissions already, but for CAP_FSETID: set-group-ID bits are the caller's to lose.
/// For the one system call; of a process that is not root only the umask is switched. Never fails half-way:
/// where the kernel refuses the switch (a user namespace without that id) the object belongs to the gateway.
///
/// The first use in a thread also gives that thread an umask of its own: the process's must stay as it is for
/// its logs and caches.
class ScopedCaller {
 public:
  explicit ScopedCaller(const coherence::Caller& caller);
  ~ScopedCaller();
  ScopedCaller(const ScopedCaller&) = delete;
  ScopedCaller& operator=(const ScopedCaller&) = delete;

 private:
  bool switched_ = false;
  bool has_groups_ = false;
};

}  // namespace ocfsgw::ocfs2
