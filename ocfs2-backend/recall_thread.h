#pragma once

#include <cstdint>
#include <functional>
#include <thread>

#include "base/mutex.h"
#include "base/status.h"
#include "coherence/lease_provider.h"
#include "ocfs2-backend/descriptor.h"

namespace ocfsgw::ocfs2 {

/// What an event of the recall thread belongs to: a lease (generation 1 or more), or one of the provider's
/// own descriptors (generation 0, the slot says which; slot 0 is the thread's own).
using EventKey = coherence::LeaseKey;

/// The one thread of a provider that receives recalls: an epoll loop that hands every event to a handler.
/// Thread-safe. Lock order: its mutex is a leaf, not held while a handler runs.
class RecallThread {
 public:
  struct Handlers {
    std::function<void()> on_start;                           ///< First thing on the thread; may be empty.
    std::function<void(EventKey, uint32_t events)> on_event;  ///< Must not block.
    std::function<void()> on_wake;  ///< After Wake, once nothing else is ready. Must not block.
  };

  /// `name`: of the thread, at most 15 bytes. kSystem if the process is out of descriptors.
  Status Open(const char* name, Handlers handlers);
  /// Starts the thread; returns when on_start has run. REQUIRES: Open succeeded; called once.
  void Start() EXCLUDES(mutex_);
  /// Delivers what is ready, then joins: no handler runs or starts afterwards. Idempotent. Not from a
  /// handler.
  void Stop() EXCLUDES(mutex_);
  ~RecallThread() { Stop(); }

  /// Events (EPOLLIN ...) of `fd` arrive under `key` from now on, until `fd` is closed.
  Status Watch(int fd, uint32_t events, EventKey key);
  /// Makes on_wake run soon. Never blocks.
  void Wake();
  /// Returns when everything that was ready before the call has been handed over. Not from a handler.
  /// kShutdown if the thread does not run.
  Status Barrier() EXCLUDES(mutex_);

 private:
  void Run();

  UniqueFd epoll_;
  UniqueFd wake_;
  const char* name_ = "";
  Handlers handlers_;
  std::thread thread_;

  Mutex mutex_;
  CondVar changed_;
  bool running_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  uint64_t barriers_wanted_ GUARDED_BY(mutex_) = 0;
  uint64_t barriers_done_ GUARDED_BY(mutex_) = 0;
};

}  // namespace ocfsgw::ocfs2
