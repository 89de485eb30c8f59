#include "tests/mount/watchdog.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <sstream>

namespace ocfsgw::mounttest {
namespace {

constexpr Milliseconds kForever{600'000};
constexpr Milliseconds kStacksWithin{3'000};

}  // namespace

Watchdog::Watchdog(GatewayMount& gateway, std::function<void()> let_go, Milliseconds quiet)
    : gateway_(gateway), let_go_(std::move(let_go)), quiet_(quiet), thread_([this] { Watch(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    end_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Watchdog::Progress(const std::string& step) {
  {
    const std::lock_guard lock(mutex_);
    ++progress_;
    step_ = step;
  }
  changed_.notify_all();
}

void Watchdog::Watch() {
  std::unique_lock lock(mutex_);
  while (!end_) {
    const uint64_t before = progress_;
    if (changed_.wait_for(lock, quiet_, [&] { return end_ || progress_ != before; })) continue;
    const std::string step = step_;
    lock.unlock();
    Bark(step);
    return;
  }
}

void Watchdog::Bark(const std::string& step) {
  ADD_FAILURE() << "hung for " << quiet_.count() << " ms; waited for: " << step;
  const pid_t gateway = gateway_.pid(), guardian = gateway_.guardian();
  std::cerr << "--- the applications (threads of this test)\n" << WaitsOf(getpid());
  if (gateway != 0) {
    std::cerr << "--- the gateway, as the kernel sees it\n" << WaitsOf(gateway);
    std::cerr << "--- the gateway, by gdb if it can stop it\n"
              << UserStacksOf(gateway, kStacksWithin) << std::endl;
  }
  let_go_();
  for (const pid_t pid : {guardian, gateway}) {  // in this order: it would start the gateway again
    if (pid != 0) kill(pid, SIGKILL);
  }
  // A thread that waits for a page cannot die, and keeps every descriptor open: only this cuts the
  // connection.
  umount2(gateway_.Mount().c_str(), MNT_FORCE | MNT_DETACH);
  barked_ = true;
}

Doing::Doing(const std::function<void()>& what)
    : thread_([this, what] {
        tid_ = gettid();
        what();
        done_ = true;
      }) {}

Doing::~Doing() { thread_.join(); }

bool Doing::AwaitRequest() const {
  return Eventually([this] {
    std::ostringstream stack;
    stack << std::ifstream("/proc/self/task/" + std::to_string(tid_) + "/stack").rdbuf();
    return stack.str().find("request_wait_answer") != std::string::npos || done_;
  });
}

bool Doing::Await(const Watchdog& dog) const {
  return Eventually([&] { return done() || dog.barked(); }, kForever) && done() && !dog.barked();
}

}  // namespace ocfsgw::mounttest
