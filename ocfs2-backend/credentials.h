#pragma once

#include "coherence/backend.h"

namespace ocfsgw::ocfs2 {

/// While it lives, new objects made by this thread belong to `caller`: the thread's fsuid and fsgid are
/// switched, with its effective capabilities kept, since the kernel above us has checked permissions already.
/// For the one creating system call; no-op for a process that is not root. Never fails half-way: where the
/// kernel refuses the switch (a user namespace without that id) the object belongs to the gateway.
///
/// The first use in a thread also gives that thread an umask of its own, 0: modes arrive already masked, and
/// the process's umask must stay as it is for its logs and caches.
class ScopedCaller {
 public:
  explicit ScopedCaller(const coherence::Caller& caller);
  ~ScopedCaller();
  ScopedCaller(const ScopedCaller&) = delete;
  ScopedCaller& operator=(const ScopedCaller&) = delete;

 private:
  bool switched_ = false;
};

}  // namespace ocfsgw::ocfs2
