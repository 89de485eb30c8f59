#pragma once

#include <deque>
#include <map>
#include <utility>

#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"

namespace ocfsgw {

/// Deterministic twin of AsioExecutor, for tests: nothing runs until the test says so, on the test's own
/// thread, in order of due time and then of posting. Post and PostAfter may come from any thread and from
/// tasks; only one thread at a time may run tasks.
class ManualExecutor final : public Executor {
 public:
  explicit ManualExecutor(SimClock& clock, size_t queue_max = 4096) : clock_(clock), queue_max_(queue_max) {}

  bool Post(Task task) override {
    MutexLock lock(mutex_);
    if (ready_.size() >= queue_max_) {
      return false;
    }
    ready_.push_back(std::move(task));
    return true;
  }

  void PostAfter(Duration delay, Task task) override {
    MutexLock lock(mutex_);
    timers_.emplace(clock_.Now() + delay, std::move(task));  // equal keys keep their order of insertion
  }

  /// Runs what is ready and due now, and what these tasks add to it; the clock stands still. Returns how many
  /// ran.
  size_t RunUntilIdle() {
    size_t ran = 0;
    for (Task task; TakeReady(task); ++ran) {
      std::exchange(task, nullptr)();
    }
    return ran;
  }

  /// Moves the clock forward by `duration`, stopping at each timer on the way to run it when it is due.
  /// Returns how many tasks ran.
  size_t RunFor(Duration duration) {
    const TimePoint end = clock_.Now() + duration;
    size_t ran = RunUntilIdle();
    for (TimePoint due; NextTimer(due) && due <= end;) {
      clock_.Advance(due - clock_.Now());
      ran += RunUntilIdle();
    }
    if (clock_.Now() < end) {
      clock_.Advance(end - clock_.Now());
    }
    return ran;
  }

  /// Tasks ready to run, and timers not yet due.
  size_t pending() const {
    MutexLock lock(mutex_);
    return ready_.size() + timers_.size();
  }

 private:
  bool TakeReady(Task& task) {
    MutexLock lock(mutex_);
    for (auto due = timers_.begin(); due != timers_.end() && due->first <= clock_.Now();
         due = timers_.erase(due)) {
      ready_.push_back(std::move(due->second));
    }
    if (ready_.empty()) {
      return false;
    }
    task = std::move(ready_.front());
    ready_.pop_front();
    return true;
  }

  bool NextTimer(TimePoint& due) const {
    MutexLock lock(mutex_);
    if (timers_.empty()) {
      return false;
    }
    due = timers_.begin()->first;
    return true;
  }

  SimClock& clock_;
  const size_t queue_max_;
  mutable Mutex mutex_;
  std::deque<Task> ready_ GUARDED_BY(mutex_);
  std::multimap<TimePoint, Task> timers_ GUARDED_BY(mutex_);
};

}  // namespace ocfsgw
