#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "tests/mount/gateway_mount.h"

namespace ocfsgw::mounttest {

/// For tests of rules without which something hangs. When nothing has been done for `quiet`, it says where
/// all threads of the gateway and of the test (the applications) stand, calls `let_go`, kills gateway and
/// guardian, which ends every wait there can be, and lets the test fail.
class Watchdog {
 public:
  /// Longer than anything takes here on a busy machine: gdb alone may need seconds.
  static constexpr Milliseconds kQuiet{8'000};

  explicit Watchdog(
      GatewayMount& gateway, std::function<void()> let_go = [] {}, Milliseconds quiet = kQuiet);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// Something has been done; `step` is what the test waits for next.
  void Progress(const std::string& step);
  bool barked() const { return barked_; }

 private:
  void Watch();
  void Bark(const std::string& step);

  GatewayMount& gateway_;
  const std::function<void()> let_go_;
  const Milliseconds quiet_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string step_ = "the test's first step";
  uint64_t progress_ = 0;
  bool end_ = false;
  std::atomic<bool> barked_{false};
  std::thread thread_;
};

/// Something an application does, in a thread of its own, which may hang.
class Doing {
 public:
  explicit Doing(const std::function<void()>& what);
  /// Waits for its end, however long.
  ~Doing();
  Doing(const Doing&) = delete;
  Doing& operator=(const Doing&) = delete;

  bool done() const { return done_; }
  /// Waits until it waits in the kernel for an answer of the gateway.
  bool AwaitRequest() const;
  /// Waits for the end; returns when `dog` has barked and ended every wait.
  bool Await(const Watchdog& dog) const;

 private:
  std::atomic<pid_t> tid_{0};
  std::atomic<bool> done_{false};
  std::thread thread_;
};

}  // namespace ocfsgw::mounttest
