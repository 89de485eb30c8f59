#pragma once

#include <condition_variable>
#include <mutex>

#include "base/blocking.h"
#include "base/clock.h"

// Names of clang's thread-safety attributes (https://clang.llvm.org/docs/ThreadSafetyAnalysis.html); nothing
// elsewhere.
#if defined(__clang__)
#define OCFSGW_TSA(x) __attribute__((x))
#else
#define OCFSGW_TSA(x)
#endif

#define CAPABILITY(x) OCFSGW_TSA(capability(x))
#define SCOPED_CAPABILITY OCFSGW_TSA(scoped_lockable)
#define GUARDED_BY(x) OCFSGW_TSA(guarded_by(x))
#define PT_GUARDED_BY(x) OCFSGW_TSA(pt_guarded_by(x))
#define REQUIRES(...) OCFSGW_TSA(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) OCFSGW_TSA(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) OCFSGW_TSA(acquire_capability(__VA_ARGS__))
#define RELEASE(...) OCFSGW_TSA(release_capability(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS OCFSGW_TSA(no_thread_safety_analysis)

namespace ocfsgw {

/// std::mutex that the compiler checks. Rule of the code base: never held across a lock-manager wait, a
/// backend or RocksDB call, a kernel notification, a reply, or a callback (docs/LOCKING.md).
class CAPABILITY("mutex") Mutex {
 public:
  void Lock() ACQUIRE() { mutex_.lock(); }
  void Unlock() RELEASE() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~MutexLock() RELEASE() { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

/// Condition variable for Mutex. Waits may wake spuriously: wait in a loop over the condition.
class CondVar {
 public:
  void Wait(Mutex& mutex) REQUIRES(mutex) NO_THREAD_SAFETY_ANALYSIS {
    AboutToBlock();
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    cv_.wait(lock);
    lock.release();
  }
  /// False if `deadline` passed. Real time only: simulated waits go through an Executor.
  bool WaitUntil(Mutex& mutex, TimePoint deadline) REQUIRES(mutex) NO_THREAD_SAFETY_ANALYSIS {
    AboutToBlock();
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    const auto status = cv_.wait_until(lock, deadline);
    lock.release();
    return status == std::cv_status::no_timeout;
  }
  void NotifyOne() { cv_.notify_one(); }
  void NotifyAll() { cv_.notify_all(); }

 private:
  std::condition_variable cv_;
};

}  // namespace ocfsgw
