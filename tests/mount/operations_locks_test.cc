// flock(2): the source's own, so that it excludes everybody who uses the source, by whichever way.
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>

#include "tests/mount/operations.h"

namespace ocfsgw::mounttest {
namespace {

class OperationsLocks : public OperationsTest {
 protected:
  void SetUp() override {
    OperationsTest::SetUp();
    ASSERT_TRUE(WriteFile(Mount("lock"), ""));
  }
  static int Try(int fd, int operation) { return flock(fd, operation | LOCK_NB) == 0 ? 0 : errno; }
};

TEST_F(OperationsLocks, ExcludeHandlesOfTheMountAndOfTheSource) {
  const Descriptor one(open(Mount("lock").c_str(), O_RDWR)), two(open(Mount("lock").c_str(), O_RDONLY)),
      behind(open(Source("lock").c_str(), O_RDWR));
  EXPECT_EQ(Try(one.get(), LOCK_SH), 0);
  EXPECT_EQ(Try(two.get(), LOCK_SH), 0);
  EXPECT_EQ(Try(behind.get(), LOCK_EX), EWOULDBLOCK);
  EXPECT_EQ(Try(one.get(), LOCK_EX), EWOULDBLOCK) << "two has it, too";
  EXPECT_EQ(Try(two.get(), LOCK_UN), 0);
  EXPECT_EQ(Try(one.get(), LOCK_EX), 0);
  EXPECT_EQ(Try(two.get(), LOCK_SH), EWOULDBLOCK);
  EXPECT_EQ(Try(behind.get(), LOCK_SH), EWOULDBLOCK);
  EXPECT_EQ(Try(one.get(), LOCK_UN), 0);
  EXPECT_EQ(Try(behind.get(), LOCK_EX), 0);
  EXPECT_EQ(Try(two.get(), LOCK_SH), EWOULDBLOCK);
}

/// Closing gives a lock back, although the kernel tells us of it only afterwards.
TEST_F(OperationsLocks, AreFreeWhenCloseReturns) {
  for (int i = 0; i < 500; ++i) {
    const Descriptor holder(open(Mount("lock").c_str(), O_RDWR));
    ASSERT_EQ(Try(holder.get(), LOCK_EX), 0) << "after " << i << " times";
  }
}

TEST_F(OperationsLocks, AreFreeWhenTheirProcessDies) {
  Fork holder([&] {
    const int fd = open(Mount("lock").c_str(), O_RDWR);
    if (flock(fd, LOCK_EX) != 0 || !WriteFile(Source("held"), "")) return 1;
    return pause();
  });
  ASSERT_TRUE(Eventually([&] { return ReadFile(Source("held")).has_value(); }));
  Fork waiter([&] { return flock(open(Mount("lock").c_str(), O_RDWR), LOCK_EX) == 0 ? 0 : errno; });
  kill(holder.pid(), SIGKILL);
  EXPECT_EQ(waiter.Wait(), 0);
}

TEST_F(OperationsLocks, AWaitingProcessCanBeInterruptedAndKilled) {
  const Descriptor holder(open(Source("lock").c_str(), O_RDWR));
  ASSERT_EQ(Try(holder.get(), LOCK_EX), 0);
  Fork interrupted([&] {
    struct sigaction alarm {};
    alarm.sa_handler = [](int) {};
    sigaction(SIGALRM, &alarm, nullptr);
    const int fd = open(Mount("lock").c_str(), O_RDWR);
    const itimerval soon = {{0, 50'000}, {0, 50'000}};
    setitimer(ITIMER_REAL, &soon, nullptr);
    return flock(fd, LOCK_EX) == 0 ? 0 : errno;
  });
  EXPECT_EQ(interrupted.Wait(), EINTR);
  Fork killed([&] { return flock(open(Mount("lock").c_str(), O_RDWR), LOCK_EX); });
  kill(killed.pid(), SIGKILL);
  EXPECT_EQ(killed.Wait(), 128 + SIGKILL);
  EXPECT_EQ(Try(holder.get(), LOCK_UN), 0);
  const Descriptor next(open(Mount("lock").c_str(), O_RDWR));
  EXPECT_EQ(Try(next.get(), LOCK_EX), 0) << "nobody waits any more, nobody got it unseen";
}

/// More wait than the gateway has threads for requests: others are served, and all get it in the end.
TEST_F(OperationsLocks, WaitingHoldsNobodyElseUp) {
  constexpr int kWaiters = 40;
  const Descriptor holder(open(Mount("lock").c_str(), O_RDWR));
  ASSERT_EQ(Try(holder.get(), LOCK_EX), 0);
  ASSERT_TRUE(WriteFile(Mount("count"), ""));
  std::vector<std::unique_ptr<Fork>> waiters;
  for (int i = 0; i < kWaiters; ++i) {
    waiters.push_back(std::make_unique<Fork>([&] {
      const int fd = open(Mount("lock").c_str(), O_RDWR);
      return flock(fd, LOCK_EX) == 0 && AppendFile(Mount("count"), "x") ? 0 : 1;
    }));
  }
  ASSERT_TRUE(WriteFile(Mount("other"), "served"));
  EXPECT_EQ(ReadFile(Mount("other")), "served");
  EXPECT_EQ(Try(holder.get(), LOCK_UN), 0);
  for (const auto& waiter : waiters) EXPECT_EQ(waiter->Wait(), 0);
  EXPECT_EQ(ReadFile(Source("count")), std::string(kWaiters, 'x'));
}

TEST_F(OperationsLocks, UnmountingEndsTheWait) {
  const Descriptor holder(open(Source("lock").c_str(), O_RDWR));
  ASSERT_EQ(Try(holder.get(), LOCK_EX), 0);
  Fork waiter([&] {
    const int fd = open(Mount("lock").c_str(), O_RDWR);
    if (!WriteFile(Source("waiting"), "")) return 1;
    return flock(fd, LOCK_EX) == 0 ? 0 : 2;
  });
  ASSERT_TRUE(Eventually([&] { return ReadFile(Source("waiting")).has_value(); }));
  kill(gateway_.pid(), SIGTERM);
  EXPECT_EQ(waiter.Wait(), 2);
  EXPECT_TRUE(Eventually([&] { return gateway_.pid() == 0; }));
}

}  // namespace
}  // namespace ocfsgw::mounttest
