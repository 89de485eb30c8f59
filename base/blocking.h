#pragma once

#include <utility>

namespace ocfsgw {

/// A duty of a thread that somebody else has to take over before the thread waits.
class DutyHandover {
 public:
  /// On the thread that has the duty, once, with mutexes of the caller's held: never blocks.
  virtual void HandOver() = 0;

 protected:
  ~DutyHandover() = default;
};

/// The duty that this thread has now, if any.
inline thread_local DutyHandover* thread_duty = nullptr;

/// Call before what may wait for another thread, for the cluster or for a disk: condition variables, the
/// backend, the page store, open locks and notifications of the kernel do. Costs a look at a variable of the
/// thread where there is no duty.
inline void AboutToBlock() {
  if (thread_duty != nullptr) std::exchange(thread_duty, nullptr)->HandOver();
}

}  // namespace ocfsgw
