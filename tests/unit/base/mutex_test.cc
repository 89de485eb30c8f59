#include "base/mutex.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

#include "tests/unit/base/counted_duty.h"

namespace ocfsgw {
namespace {

struct Counted {
  Mutex mutex;
  CondVar changed;
  int value GUARDED_BY(mutex) = 0;
};

TEST(MutexTest, Excludes) {
  Counted counted;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&counted] {
      for (int i = 0; i < 1000; ++i) {
        MutexLock lock(counted.mutex);
        ++counted.value;
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  MutexLock lock(counted.mutex);
  EXPECT_EQ(counted.value, 4000);
}

TEST(CondVarTest, ADutyIsHandedOverBeforeAWait) {
  Counted counted;
  CountedDuty duty;
  MutexLock lock(counted.mutex);
  counted.changed.WaitUntil(counted.mutex, std::chrono::steady_clock::now());
  EXPECT_EQ(duty.Handed(), 1);
  std::thread other([&counted] {
    MutexLock lock(counted.mutex);
    counted.value = 1;
    counted.changed.NotifyOne();
  });
  while (counted.value == 0) counted.changed.Wait(counted.mutex);
  EXPECT_EQ(duty.Handed(), 1);
  other.join();
}

TEST(CondVarTest, PingPong) {
  constexpr int kRounds = 500;
  Counted ball;
  std::thread other([&ball] {
    MutexLock lock(ball.mutex);
    for (int i = 0; i < kRounds; ++i) {
      while (ball.value % 2 == 0) {
        ball.changed.Wait(ball.mutex);
      }
      ++ball.value;
      ball.changed.NotifyOne();
    }
  });
  {
    MutexLock lock(ball.mutex);
    for (int i = 0; i < kRounds; ++i) {
      ++ball.value;
      ball.changed.NotifyOne();
      while (ball.value % 2 != 0) {
        ball.changed.Wait(ball.mutex);
      }
    }
    EXPECT_EQ(ball.value, 2 * kRounds);
  }
  other.join();
}

TEST(CondVarTest, NotifyAllWakesEveryWaiter) {
  Counted gate;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&gate] {
      MutexLock lock(gate.mutex);
      while (gate.value == 0) {
        gate.changed.Wait(gate.mutex);
      }
    });
  }
  {
    MutexLock lock(gate.mutex);
    gate.value = 1;
  }
  gate.changed.NotifyAll();
  for (auto& thread : threads) {
    thread.join();
  }
}

TEST(CondVarTest, WaitUntilSaysThatTheDeadlinePassed) {
  Counted counted;
  MutexLock lock(counted.mutex);
  const TimePoint deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(5);
  while (counted.changed.WaitUntil(counted.mutex, deadline)) {  // true: spurious
  }
  EXPECT_GE(std::chrono::steady_clock::now(), deadline);
  EXPECT_FALSE(counted.changed.WaitUntil(counted.mutex, TimePoint{}));
}

}  // namespace
}  // namespace ocfsgw
