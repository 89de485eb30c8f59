#include "base/manual_executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace ocfsgw {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

class ManualExecutorTest : public testing::Test {
 protected:
  Executor::Task Note(const std::string& what) {
    return [this, what] {
      const auto ms = std::chrono::duration_cast<milliseconds>(clock_.Now() - start_).count();
      log_.push_back(what + "@" + std::to_string(ms));
    };
  }

  SimClock clock_;
  const TimePoint start_ = clock_.Now();
  ManualExecutor executor_{clock_, 3};
  std::vector<std::string> log_;
};

TEST_F(ManualExecutorTest, NothingRunsByItself) {
  ASSERT_TRUE(executor_.Post(Note("a")));
  executor_.PostAfter(Duration(0), Note("b"));
  EXPECT_TRUE(log_.empty());
  EXPECT_EQ(executor_.pending(), 2U);
  EXPECT_EQ(executor_.RunUntilIdle(), 2U);
  EXPECT_THAT(log_, ElementsAre("a@0", "b@0"));
  EXPECT_EQ(executor_.RunUntilIdle(), 0U);
}

TEST_F(ManualExecutorTest, TasksMayPostTasks) {
  ASSERT_TRUE(executor_.Post([this] {
    Note("outer")();
    ASSERT_TRUE(executor_.Post(Note("inner")));
    executor_.PostAfter(milliseconds(1), Note("later"));
  }));
  EXPECT_EQ(executor_.RunUntilIdle(), 2U);
  EXPECT_THAT(log_, ElementsAre("outer@0", "inner@0"));
  EXPECT_EQ(executor_.RunFor(milliseconds(1)), 1U);
  EXPECT_EQ(log_.back(), "later@1");
}

TEST_F(ManualExecutorTest, TimersRunInOrderOfDueTimeAtTheirTime) {
  executor_.PostAfter(milliseconds(20), Note("c"));
  executor_.PostAfter(milliseconds(10), Note("a"));
  executor_.PostAfter(milliseconds(10), Note("b"));
  executor_.PostAfter(milliseconds(31), Note("too late"));
  EXPECT_EQ(executor_.RunFor(milliseconds(30)), 3U);
  EXPECT_THAT(log_, ElementsAre("a@10", "b@10", "c@20"));
  EXPECT_EQ(clock_.Now() - start_, milliseconds(30));
  EXPECT_EQ(executor_.pending(), 1U);
}

TEST_F(ManualExecutorTest, PeriodicTimer) {
  std::function<void()> tick = [&] {
    Note("tick")();
    executor_.PostAfter(milliseconds(10), tick);
  };
  executor_.PostAfter(milliseconds(10), tick);
  executor_.RunFor(milliseconds(35));
  EXPECT_THAT(log_, ElementsAre("tick@10", "tick@20", "tick@30"));
}

TEST_F(ManualExecutorTest, TimerThatIsOverdueRunsNow) {
  executor_.PostAfter(milliseconds(5), Note("a"));
  clock_.Advance(milliseconds(9));
  EXPECT_EQ(executor_.RunUntilIdle(), 1U);
  EXPECT_THAT(log_, ElementsAre("a@9"));
}

TEST_F(ManualExecutorTest, QueueIsBoundedTimersAreNot) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(executor_.Post(Note("a")));
  }
  EXPECT_FALSE(executor_.Post(Note("refused")));
  executor_.PostAfter(Duration(0), Note("timer"));
  EXPECT_EQ(executor_.RunUntilIdle(), 4U);
  EXPECT_TRUE(executor_.Post(Note("b")));
}

TEST_F(ManualExecutorTest, ForgetsATaskOnceItHasRun) {
  auto held = std::make_shared<int>(1);
  ASSERT_TRUE(executor_.Post([held] {}));
  executor_.RunUntilIdle();
  EXPECT_EQ(held.use_count(), 1);
}

TEST_F(ManualExecutorTest, PostFromOtherThreads) {
  ManualExecutor executor(clock_);
  int ran = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        EXPECT_TRUE(executor.Post([&ran] { ++ran; }));
        executor.PostAfter(seconds(1), [&ran] { ++ran; });
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  executor.RunFor(seconds(1));
  EXPECT_EQ(ran, 800);
}

}  // namespace
}  // namespace ocfsgw
