#include "fusefs/lock_waiters.h"

#include <csignal>
#include <system_error>
#include <thread>

#include "fusefs/request.h"

namespace ocfsgw::fusefs {
namespace {

/// A signal that comes just before the thread blocks ends nothing: it is sent again until the thread is gone.
constexpr Duration kSignalAgainAfter = std::chrono::milliseconds(10);

}  // namespace

bool LockWaiters::Wait(fuse_req_t req, std::function<Status()> lock) {
  const auto waiter = std::make_shared<Waiter>(*this);
  MutexLock mutex_lock(mutex_);
  if (stopped_ || waiters_.size() >= kMax) return false;
  try {
    // It begins by taking the mutex, so not before `thread` is set.
    std::thread thread([this, req, waiter, lock = std::move(lock)] { Run(req, waiter, lock); });
    waiter->thread = thread.native_handle();
    thread.detach();
  } catch (const std::system_error&) {
    return false;  // no more threads to be had
  }
  waiters_.insert(waiter);
  return true;
}

void LockWaiters::Run(fuse_req_t req, const std::shared_ptr<Waiter>& waiter,
                      const std::function<Status()>& lock) {
  { MutexLock started(mutex_); }
  fuse_req_interrupt_func(req, OnInterrupt, waiter.get());
  Status status = Status::FromErrno(EINTR, "lock");
  while (!waiter->interrupted.load() && (status = lock()).IsErrno(EINTR)) {
  }
  fuse_req_interrupt_func(req, nullptr, nullptr);  // `waiter` is not used any more when this returns
  ReplyStatus(req, status);
  MutexLock mutex_lock(mutex_);
  waiters_.erase(waiter);
  gone_.NotifyAll();
}

void LockWaiters::OnInterrupt(fuse_req_t /*req*/, void* waiter) {
  const auto interrupted = static_cast<Waiter*>(waiter)->shared_from_this();
  interrupted->owner.Interrupt(interrupted);
}

void LockWaiters::Interrupt(const std::shared_ptr<Waiter>& waiter) {
  waiter->interrupted.store(true);
  {
    MutexLock lock(mutex_);
    if (!waiters_.contains(waiter)) return;
    pthread_kill(waiter->thread, SIGUSR1);  // it cannot end before it has left `waiters_`
  }
  timers_.PostAfter(kSignalAgainAfter, [this, waiter] { Interrupt(waiter); });
}

void LockWaiters::Stop() {
  MutexLock lock(mutex_);
  stopped_ = true;
  while (!waiters_.empty()) {
    for (const auto& waiter : waiters_) {
      waiter->interrupted.store(true);
      pthread_kill(waiter->thread, SIGUSR1);
    }
    gone_.WaitUntil(mutex_, std::chrono::steady_clock::now() + kSignalAgainAfter);
  }
}

}  // namespace ocfsgw::fusefs
