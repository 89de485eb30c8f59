#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"

namespace ocfsgw {

/// The door to all asynchrony: runs tasks on threads of its own. Thread-safe.
class Executor {
 public:
  using Task = std::function<void()>;
  virtual ~Executor() = default;

  /// Queues `task`. False (task dropped, never run) when the queue is full or the executor has stopped.
  /// Never blocks.
  [[nodiscard]] virtual bool Post(Task task) = 0;
  /// Queues `task` to run no earlier than `delay` from now; dropped if the executor stops before. Not counted
  /// against the queue bound. Never blocks.
  virtual void PostAfter(Duration delay, Task task) = 0;
};

struct ExecutorOptions {
  std::string name;         ///< Thread name, at most 15 bytes.
  size_t threads = 1;       ///< 1 or more.
  size_t queue_max = 4096;  ///< Tasks waiting or running; Post refuses beyond it.
};

/// Executor on Boost.Asio threads. Stop() (and the destructor) runs what is queued, drops timers, and joins;
/// neither may be called from one of its own tasks. A task for which Post said true has run when Stop()
/// returns. Tasks may not throw.
class AsioExecutor final : public Executor {
 public:
  explicit AsioExecutor(const ExecutorOptions& options);
  ~AsioExecutor() override;

  bool Post(Task task) override;
  void PostAfter(Duration delay, Task task) override;
  void Stop();
  /// Tasks waiting or running now.
  size_t queued() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ocfsgw
