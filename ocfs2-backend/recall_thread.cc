#include "ocfs2-backend/recall_thread.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>
#include <utility>

namespace ocfsgw::ocfs2 {
namespace {

constexpr EventKey kWakeKey{0, 0};

uint64_t Pack(EventKey key) { return uint64_t{key.slot} << 32 | key.generation; }
EventKey Unpack(uint64_t data) { return {static_cast<uint32_t>(data >> 32), static_cast<uint32_t>(data)}; }

}  // namespace

Status RecallThread::Open(const char* name, Handlers handlers) {
  name_ = name;
  handlers_ = std::move(handlers);
  epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  wake_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll_ || !wake_) return Status::LastErrno("epoll");
  return Watch(wake_.get(), EPOLLIN, kWakeKey);
}

void RecallThread::Start() {
  thread_ = std::thread([this] { Run(); });
  MutexLock lock(mutex_);
  while (!running_) changed_.Wait(mutex_);
}

void RecallThread::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  if (!thread_.joinable()) return;
  Wake();
  thread_.join();
}

Status RecallThread::Watch(int fd, uint32_t events, EventKey key) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = Pack(key);
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return Status::LastErrno("epoll_ctl");
  return Status::Ok();
}

void RecallThread::Wake() {
  const uint64_t one = 1;
  // Fails only if 2^64 - 2 wake-ups are pending.
  static_cast<void>(!Retry([&] { return ::write(wake_.get(), &one, sizeof(one)); }));
}

Status RecallThread::Barrier() {
  uint64_t ticket = 0;
  {
    MutexLock lock(mutex_);
    ticket = ++barriers_wanted_;
  }
  Wake();
  MutexLock lock(mutex_);
  while (running_ && barriers_done_ < ticket) changed_.Wait(mutex_);
  return barriers_done_ < ticket ? Status(StatusCode::kShutdown, "recall thread not running") : Status::Ok();
}

void RecallThread::Run() {
  ::pthread_setname_np(::pthread_self(), name_);
  if (handlers_.on_start) handlers_.on_start();
  {
    MutexLock lock(mutex_);
    running_ = true;
  }
  changed_.NotifyAll();

  std::array<epoll_event, 64> events;
  bool awake = false;    // woken, and perhaps events still ready
  uint64_t reached = 0;  // barrier that is passed once nothing is ready any more
  for (bool stop = false; !stop;) {
    const int count = Retry([&] {
      return ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), awake ? 0 : -1);
    });
    for (int i = 0; i < count; ++i) {
      const EventKey key = Unpack(events[static_cast<size_t>(i)].data.u64);
      if (key != kWakeKey) {
        handlers_.on_event(key, events[static_cast<size_t>(i)].events);
        continue;
      }
      uint64_t ignored = 0;
      static_cast<void>(!Retry([&] { return ::read(wake_.get(), &ignored, sizeof(ignored)); }));
      awake = true;
      MutexLock lock(mutex_);
      reached = barriers_wanted_;
    }
    if (count > 0 || !awake) continue;

    awake = false;
    handlers_.on_wake();
    MutexLock lock(mutex_);
    barriers_done_ = reached;
    stop = stopping_;
    running_ = !stop;
    changed_.NotifyAll();
  }
}

}  // namespace ocfsgw::ocfs2
