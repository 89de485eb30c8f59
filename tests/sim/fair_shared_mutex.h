#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace ocfsgw::sim {

/// As the kernel's rw_semaphore: whoever asks first is served first, so that none is overtaken for ever.
class FairSharedMutex {
 public:
  void lock() {
    std::unique_lock guard(mutex_);
    const uint64_t ticket = next_++;
    changed_.wait(guard, [&] { return ticket == serving_ && readers_ == 0; });
  }
  void unlock() {
    const std::lock_guard guard(mutex_);
    ++serving_;
    changed_.notify_all();
  }
  bool try_lock() {
    const std::lock_guard guard(mutex_);
    if (next_ != serving_ || readers_ != 0) return false;
    ++next_;
    return true;
  }
  void lock_shared() {
    std::unique_lock guard(mutex_);
    const uint64_t ticket = next_++;
    changed_.wait(guard, [&] { return ticket == serving_; });
    ++serving_;
    ++readers_;
    changed_.notify_all();
  }
  void unlock_shared() {
    const std::lock_guard guard(mutex_);
    --readers_;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t next_ = 0;
  uint64_t serving_ = 0;  ///< The ticket that is, or will be, let in next or has the lock exclusively.
  uint64_t readers_ = 0;
};

}  // namespace ocfsgw::sim
