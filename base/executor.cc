#include "base/executor.h"

#include <pthread.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cassert>
#include <optional>
#include <thread>
#include <vector>

namespace ocfsgw {

struct AsioExecutor::Impl {
  explicit Impl(const ExecutorOptions& options)
      : queue_max(options.queue_max), context(std::in_place), work(boost::asio::make_work_guard(*context)) {
    assert(options.threads >= 1);
    for (size_t i = 0; i < options.threads; ++i) {
      threads.emplace_back([this, name = options.name.substr(0, 15)] {
        pthread_setname_np(pthread_self(), name.c_str());
        context->run();
      });
    }
  }

  void TaskDone() {
    queued.fetch_sub(1);
    queued.notify_all();
  }

  const size_t queue_max;
  std::optional<boost::asio::io_context> context;  // none after Stop
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work;
  std::atomic<size_t> queued{0};
  std::atomic<bool> stopping{false};
  std::vector<std::thread> threads;
};

AsioExecutor::AsioExecutor(const ExecutorOptions& options) : impl_(std::make_unique<Impl>(options)) {}

AsioExecutor::~AsioExecutor() { Stop(); }

bool AsioExecutor::Post(Task task) {
  Impl& impl = *impl_;
  // Counted before `stopping` is looked at: either Stop() waits for this task, or this sees Stop().
  if (impl.queued.fetch_add(1) >= impl.queue_max || impl.stopping.load()) {
    impl.TaskDone();
    return false;
  }
  boost::asio::post(*impl.context, [&impl, task = std::move(task)] {
    task();
    impl.TaskDone();
  });
  return true;
}

void AsioExecutor::PostAfter(Duration delay, Task task) {
  Impl& impl = *impl_;
  impl.queued.fetch_add(1);  // while the timer is being made, so that Stop() waits
  if (impl.stopping.load()) {
    impl.TaskDone();
    return;
  }
  auto timer = std::make_shared<boost::asio::steady_timer>(*impl.context, delay);
  timer->async_wait([&impl, timer, task = std::move(task)](const boost::system::error_code& error) {
    if (!error && !impl.stopping.load()) {
      task();
    }
  });
  impl.TaskDone();
}

void AsioExecutor::Stop() {
  Impl& impl = *impl_;
  if (impl.stopping.exchange(true)) {
    return;
  }
  for (size_t n = impl.queued.load(); n != 0; n = impl.queued.load()) {
    impl.queued.wait(n);
  }
  impl.context->stop();
  for (auto& thread : impl.threads) {
    thread.join();
  }
  impl.work.reset();
  impl.context.reset();  // pending timers are dropped, with what their tasks hold
}

size_t AsioExecutor::queued() const { return impl_->queued.load(); }

}  // namespace ocfsgw
