#include "base/executor.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace ocfsgw {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST(AsioExecutorTest, OneThreadKeepsTheOrder) {
  std::vector<int> order;
  AsioExecutor executor({.name = "order", .threads = 1});
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(executor.Post([&order, i] { order.push_back(i); }));
  }
  executor.Stop();
  ASSERT_EQ(order.size(), 100U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(AsioExecutorTest, BoundCountsRunningAndWaitingTasks) {
  AsioExecutor executor({.name = "bound", .threads = 1, .queue_max = 2});
  std::promise<void> started;
  std::promise<void> go;
  ASSERT_TRUE(executor.Post([&] {
    started.set_value();
    go.get_future().wait();
  }));
  started.get_future().wait();
  std::atomic<int> ran{0};
  EXPECT_TRUE(executor.Post([&ran] { ++ran; }));
  EXPECT_FALSE(executor.Post([&ran] { ran += 100; }));
  EXPECT_EQ(executor.queued(), 2U);
  std::promise<void> timer_ran;
  executor.PostAfter(Duration(0), [&timer_ran] { timer_ran.set_value(); });  // not counted
  go.set_value();
  timer_ran.get_future().wait();
  executor.Stop();
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(executor.queued(), 0U);
}

TEST(AsioExecutorTest, PostAfterIsNotEarly) {
  AsioExecutor executor({.name = "timer"});
  std::promise<TimePoint> ran;
  const TimePoint posted = std::chrono::steady_clock::now();
  executor.PostAfter(milliseconds(20), [&ran] { ran.set_value(std::chrono::steady_clock::now()); });
  EXPECT_GE(ran.get_future().get() - posted, milliseconds(20));
}

TEST(AsioExecutorTest, StopRunsTheQueueAndDropsTimers) {
  std::atomic<int> tasks{0};
  std::atomic<int> timers{0};
  AsioExecutor executor({.name = "stop", .threads = 2});
  executor.PostAfter(hours(1), [&timers] { ++timers; });
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(executor.Post([&tasks] { ++tasks; }));
  }
  executor.Stop();
  EXPECT_EQ(tasks, 1000);
  EXPECT_EQ(timers, 0);
  EXPECT_FALSE(executor.Post([&tasks] { ++tasks; }));
  executor.PostAfter(Duration(0), [&timers] { ++timers; });
  executor.Stop();
  EXPECT_EQ(tasks, 1000);
  EXPECT_EQ(timers, 0);
}

TEST(AsioExecutorTest, DestructionFreesDroppedTimers) {
  auto held = std::make_shared<int>(1);
  {
    AsioExecutor executor({.name = "drop"});
    executor.PostAfter(hours(1), [held] {});
    EXPECT_EQ(held.use_count(), 2);
  }
  EXPECT_EQ(held.use_count(), 1);
}

// Post against Stop: whatever Post accepted has run when Stop returns.
TEST(AsioExecutorTest, NoAcceptedTaskIsLostWhileStopping) {
  for (int round = 0; round < 200; ++round) {
    AsioExecutor executor({.name = "race", .threads = 2});
    std::atomic<int> accepted{0};
    std::atomic<int> ran{0};
    std::atomic<bool> go{false};
    std::vector<std::thread> posters;
    for (int t = 0; t < 2; ++t) {
      posters.emplace_back([&] {
        while (!go.load()) {
        }
        while (executor.Post([&ran] { ++ran; })) {
          ++accepted;
        }
      });
    }
    go = true;
    executor.Stop();
    for (auto& poster : posters) {
      poster.join();
    }
    ASSERT_EQ(ran, accepted) << "round " << round;
  }
}

TEST(AsioExecutorTest, StressFromManyThreads) {
  constexpr int kPosters = 4;
  constexpr int kTasks = 2000;
  std::atomic<int> ran{0};
  std::atomic<int> timers{0};
  int refused = 0;
  AsioExecutor executor({.name = "stress", .threads = 4, .queue_max = 64});
  std::vector<std::future<int>> posters;
  for (int p = 0; p < kPosters; ++p) {
    posters.push_back(std::async(std::launch::async, [&] {
      int failed = 0;
      for (int i = 0; i < kTasks; ++i) {
        if (!executor.Post([&ran] { ++ran; })) ++failed;
        if (i % 50 == 0) executor.PostAfter(milliseconds(1), [&timers] { ++timers; });
      }
      return failed;
    }));
  }
  for (auto& poster : posters) {
    refused += poster.get();
  }
  executor.Stop();
  EXPECT_EQ(ran + refused, kPosters * kTasks);
  EXPECT_LE(timers, kPosters * kTasks / 50);
}

TEST(AsioExecutorTest, ThreadsCarryTheNameCutToFifteenBytes) {
  AsioExecutor executor({.name = "a-name-of-twenty-one!"});
  std::promise<std::string> name;
  ASSERT_TRUE(executor.Post([&name] {
    char buffer[16] = {};
    pthread_getname_np(pthread_self(), buffer, sizeof(buffer));
    name.set_value(buffer);
  }));
  EXPECT_EQ(name.get_future().get(), "a-name-of-twent");
}

}  // namespace
}  // namespace ocfsgw
