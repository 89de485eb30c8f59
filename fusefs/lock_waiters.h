#pragma once

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>
#include <pthread.h>

#include <atomic>
#include <functional>
#include <memory>
#include <unordered_set>

#include "base/executor.h"
#include "base/mutex.h"
#include "base/status.h"

namespace ocfsgw::fusefs {

/// Requests that wait for a lock of a file until somebody gives it back, or their process is interrupted:
/// each on a thread of its own, so that none holds one that others need. Thread-safe; the mutex is a leaf.
class LockWaiters {
 public:
  static constexpr size_t kMax = 1024;

  /// `timers` outlives this and is not stopped before Stop().
  explicit LockWaiters(Executor& timers) : timers_(timers) {}
  ~LockWaiters() { Stop(); }
  LockWaiters(const LockWaiters&) = delete;
  LockWaiters& operator=(const LockWaiters&) = delete;

  /// Calls `lock` on a new thread and answers `req` with its outcome. `lock` may block as long as it likes if
  /// SIGUSR1 ends it with EINTR. False: kMax wait already, or this has been stopped; nothing is answered
  /// then.
  [[nodiscard]] bool Wait(fuse_req_t req, std::function<Status()> lock);
  /// Interrupts all and waits for them; every request has been answered then.
  void Stop();

 private:
  struct Waiter : std::enable_shared_from_this<Waiter> {
    explicit Waiter(LockWaiters& o) : owner(o) {}
    LockWaiters& owner;
    std::atomic<bool> interrupted{false};
    pthread_t thread{};  // set before it is in `waiters_`
  };
  static void OnInterrupt(fuse_req_t req, void* waiter);
  void Interrupt(const std::shared_ptr<Waiter>& waiter);
  void Run(fuse_req_t req, const std::shared_ptr<Waiter>& waiter, const std::function<Status()>& lock);

  Executor& timers_;
  Mutex mutex_;
  CondVar gone_;
  bool stopped_ GUARDED_BY(mutex_) = false;
  std::unordered_set<std::shared_ptr<Waiter>> waiters_ GUARDED_BY(mutex_);
};

}  // namespace ocfsgw::fusefs
