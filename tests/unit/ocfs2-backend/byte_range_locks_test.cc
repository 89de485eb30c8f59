// Several gateways on a cluster that is made of a mutex: who has a lock, who waits for it, who is told.
#include "ocfs2-backend/byte_range_locks.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <future>
#include <map>
#include <random>
#include <set>
#include <thread>

namespace ocfsgw::ocfs2 {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// The shared part of the fake: who holds which table, what is in its file, who lives.
class FakeCluster {
 public:
  struct Holder {
    uint64_t instance;
    TableLevel level;
    uint32_t grant;
  };
  struct TableState {
    std::vector<Holder> holders;
    std::vector<RangeLock> file;
    int asking = 0;
  };

  Mutex mutex;
  CondVar changed;
  std::map<uint32_t, TableState> tables GUARDED_BY(mutex);
  std::set<uint64_t> alive GUARDED_BY(mutex);
  std::map<uint64_t, TableDomain::OnWanted> wanted GUARDED_BY(mutex);
  Status broken GUARDED_BY(mutex);
  int writes GUARDED_BY(mutex) = 0;

  void SetBroken(const Status& status) {
    MutexLock lock(mutex);
    broken = status;
  }
  int Writes() {
    MutexLock lock(mutex);
    return writes;
  }
  /// Its node has lost power: it holds nothing any more.
  void Kill(uint64_t instance) {
    MutexLock lock(mutex);
    alive.erase(instance);
    wanted.erase(instance);
    for (auto& [number, table] : tables) {
      std::erase_if(table.holders, [instance](const Holder& h) { return h.instance == instance; });
    }
    changed.NotifyAll();
  }
};

class FakeDomain final : public TableDomain {
 public:
  FakeDomain(FakeCluster& cluster, uint64_t instance) : cluster_(cluster), instance_(instance) {
    MutexLock lock(cluster.mutex);
    cluster.alive.insert(instance);
  }
  ~FakeDomain() override { cluster_.Kill(instance_); }

  void Start(OnWanted on_wanted) override {
    MutexLock lock(cluster_.mutex);
    cluster_.wanted[instance_] = std::move(on_wanted);
  }
  void Stop() override {
    MutexLock lock(cluster_.mutex);
    cluster_.wanted.erase(instance_);
  }

  Result<std::unique_ptr<Hold>> Take(uint32_t number, TableLevel level, uint32_t grant) override {
    MutexLock lock(cluster_.mutex);
    if (!cluster_.broken.ok()) return cluster_.broken;
    auto& table = cluster_.tables[number];
    const auto excludes = [&](const FakeCluster::Holder& holder) {
      return holder.level == TableLevel::kExclusive || level == TableLevel::kExclusive;
    };
    std::set<std::pair<uint64_t, uint32_t>> told;
    for (;;) {
      bool free = true;
      for (const auto& holder : table.holders) {
        EXPECT_NE(holder.instance, instance_) << "taken twice by one gateway";
        if (!excludes(holder)) continue;
        free = false;
        const auto to = cluster_.wanted.find(holder.instance);
        if (to != cluster_.wanted.end() && told.emplace(holder.instance, holder.grant).second) {
          to->second(number, holder.grant);
        }
      }
      if (free) break;
      cluster_.changed.Wait(cluster_.mutex);
    }
    table.holders.push_back({instance_, level, grant});
    return std::unique_ptr<Hold>(new FakeHold(*this, number));
  }

  bool Alive(uint64_t instance) override {
    MutexLock lock(cluster_.mutex);
    return cluster_.alive.contains(instance);
  }
  uint64_t instance() const override { return instance_; }

 private:
  class FakeHold final : public Hold {
   public:
    FakeHold(FakeDomain& domain, uint32_t number) : domain_(domain), number_(number) {}
    ~FakeHold() override {
      MutexLock lock(domain_.cluster_.mutex);
      std::erase_if(domain_.cluster_.tables[number_].holders,
                    [this](const FakeCluster::Holder& h) { return h.instance == domain_.instance_; });
      domain_.cluster_.changed.NotifyAll();
    }
    Result<std::vector<RangeLock>> Read() override {
      MutexLock lock(domain_.cluster_.mutex);
      return domain_.cluster_.tables[number_].file;
    }
    Status Write(std::span<const RangeLock> locks) override {
      MutexLock lock(domain_.cluster_.mutex);
      domain_.cluster_.tables[number_].file.assign(locks.begin(), locks.end());
      ++domain_.cluster_.writes;
      return domain_.cluster_.broken;
    }

   private:
    FakeDomain& domain_;
    const uint32_t number_;
  };

  FakeCluster& cluster_;
  const uint64_t instance_;
};

constexpr InodeId kFile{7, 1};

RangeLock Want(uint64_t owner, uint64_t first, uint64_t last, bool exclusive = true, uint64_t handle = 1) {
  return {.inode = kFile,
          .owner = owner,
          .handle = handle,
          .first = first,
          .last = last,
          .pid = static_cast<uint32_t>(owner),
          .exclusive = exclusive};
}

class ByteRangeLocksTest : public testing::Test {
 protected:
  struct Gateway {
    Gateway(FakeCluster& cluster, uint64_t instance, Executor& timers, const Clock& clock)
        : locks(std::make_unique<FakeDomain>(cluster, instance), timers, clock) {}
    ByteRangeLocks locks;
  };

  /// A request in flight.
  struct Asked {
    ByteRangeLocks::RequestPtr request;
    std::future<int> answer;
    int Get() { return answer.get(); }
    bool Ready(milliseconds limit) { return answer.wait_for(limit) == std::future_status::ready; }
  };

  ByteRangeLocks& On(uint64_t instance) {
    auto& gateway = gateways_[instance];
    if (!gateway) gateway = std::make_unique<Gateway>(cluster_, instance, timers_, clock_);
    return gateway->locks;
  }
  static int ErrnoOf(const Status& status) { return status.ok() ? 0 : status.sys_errno(); }
  static Asked Ask(ByteRangeLocks& locks, const RangeLock& lock, bool wait) {
    auto promise = std::make_shared<std::promise<int>>();
    Asked asked{nullptr, promise->get_future()};
    asked.request = std::make_shared<ByteRangeLocks::Request>(
        lock, wait, [promise](const Status& status) { promise->set_value(ErrnoOf(status)); });
    locks.Set(asked.request);
    return asked;
  }
  static int Try(ByteRangeLocks& locks, const RangeLock& lock) { return Ask(locks, lock, false).Get(); }
  static int Unset(ByteRangeLocks& locks, const RangeLock& lock) {
    std::promise<int> answer;
    locks.Unset(lock, [&answer](const Status& status) { answer.set_value(ErrnoOf(status)); });
    return answer.get_future().get();
  }
  static int DropOwner(ByteRangeLocks& locks, uint64_t owner) {
    std::promise<int> answer;
    locks.DropOwner(kFile, owner, [&answer](const Status& status) { answer.set_value(ErrnoOf(status)); });
    return answer.get_future().get();
  }
  static std::optional<RangeLock> Test(ByteRangeLocks& locks, const RangeLock& lock) {
    std::promise<std::optional<RangeLock>> answer;
    locks.Test(lock, [&answer](const Result<std::optional<RangeLock>>& found) {
      answer.set_value(found.ok() ? *found : std::optional(RangeLock{}));
    });
    return answer.get_future().get();
  }

  RealClock clock_;
  FakeCluster cluster_;
  AsioExecutor timers_{{.name = "timers", .threads = 1}};
  std::map<uint64_t, std::unique_ptr<Gateway>> gateways_;
  ~ByteRangeLocksTest() override { timers_.Stop(); }
};

TEST_F(ByteRangeLocksTest, ExcludeOneAnother) {
  EXPECT_EQ(Try(On(1), Want(1, 0, 9)), 0);
  EXPECT_EQ(Try(On(1), Want(2, 5, 5)), EAGAIN) << "another process";
  EXPECT_EQ(Try(On(2), Want(1, 5, 5)), EAGAIN) << "another gateway";
  EXPECT_EQ(Try(On(2), Want(1, 10, 19)), 0);
  EXPECT_EQ(Unset(On(1), Want(1, 0, 4)), 0);
  EXPECT_EQ(Try(On(2), Want(1, 0, 4)), 0);
  EXPECT_EQ(Try(On(2), Want(1, 0, 5)), EAGAIN);
}

TEST_F(ByteRangeLocksTest, TellWhoIsInTheWay) {
  EXPECT_EQ(Test(On(2), Want(1, 0, 9)), std::nullopt);
  EXPECT_EQ(Try(On(1), Want(1, 3, 9)), 0);
  RangeLock expected = Want(1, 3, 9);
  expected.instance = 1;
  EXPECT_EQ(Test(On(2), Want(1, 0, 5)), expected);
  EXPECT_EQ(Test(On(1), Want(1, 0, 5)), std::nullopt) << "its own";
  EXPECT_EQ(Test(On(2), Want(1, 0, 2)), std::nullopt);
}

TEST_F(ByteRangeLocksTest, OneNodeAloneWritesNothing) {
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(Try(On(1), Want(1, 0, 9)), 0);
    ASSERT_EQ(Unset(On(1), Want(1, 0, 9)), 0);
  }
  EXPECT_EQ(cluster_.Writes(), 0);
}

TEST_F(ByteRangeLocksTest, AWaiterGetsItWhenItIsReleased) {
  for (const uint64_t waiter : {1, 2}) {
    ASSERT_EQ(Try(On(1), Want(1, 0, 9)), 0);
    Asked asked = Ask(On(waiter), Want(7, 0, 9), true);
    EXPECT_FALSE(asked.Ready(milliseconds(100)));
    EXPECT_EQ(Unset(On(1), Want(1, 0, 9)), 0);
    EXPECT_EQ(asked.Get(), 0);
    EXPECT_EQ(DropOwner(On(waiter), 7), 0);
  }
}

TEST_F(ByteRangeLocksTest, ClosingReleases) {
  ASSERT_EQ(Try(On(1), Want(1, 0, 9, true, 11)), 0);
  ASSERT_EQ(Try(On(1), Want(1, 20, 29, true, 12)), 0);
  EXPECT_EQ(DropOwner(On(1), 2), 0);
  On(1).DropHandle(kFile, 11);
  EXPECT_EQ(Ask(On(2), Want(1, 0, 9), true).Get(), 0);
  EXPECT_EQ(Try(On(2), Want(1, 20, 29)), EAGAIN);
  EXPECT_EQ(DropOwner(On(1), 1), 0);
  EXPECT_EQ(Try(On(2), Want(1, 20, 29)), 0);
}

/// The kernel tells of the end of an open file only after close(2).
TEST_F(ByteRangeLocksTest, ATryWaitsForALateRelease) {
  ASSERT_EQ(Try(On(1), Want(1, 0, 9, true, 11)), 0);
  Asked asked = Ask(On(1), Want(2, 0, 9, true, 12), false);
  On(1).DropHandle(kFile, 11);
  EXPECT_EQ(asked.Get(), 0);
  EXPECT_EQ(Try(On(1), Want(3, 0, 9)), EAGAIN);
}

TEST_F(ByteRangeLocksTest, AWaitCanBeCancelled) {
  ASSERT_EQ(Try(On(1), Want(1, 0, 9)), 0);
  for (const uint64_t waiter : {1, 2}) {
    Asked asked = Ask(On(waiter), Want(7, 0, 9), true);
    EXPECT_FALSE(asked.Ready(milliseconds(50)));
    On(waiter).Cancel(asked.request);
    EXPECT_EQ(asked.Get(), EINTR);
  }
  EXPECT_EQ(Unset(On(1), Want(1, 0, 9)), 0);
  EXPECT_EQ(Try(On(2), Want(3, 0, 9)), 0) << "nobody got it unseen";
}

TEST_F(ByteRangeLocksTest, LocksOfADeadGatewayAreVoid) {
  ASSERT_EQ(Try(On(1), Want(1, 0, 9)), 0);
  Asked asked = Ask(On(2), Want(1, 0, 9), true);  // the lock is in the table's file by now
  EXPECT_FALSE(asked.Ready(milliseconds(100)));
  cluster_.Kill(1);
  EXPECT_EQ(asked.Get(), 0) << "after ByteRangeLocks::kLookAgain";
  EXPECT_EQ(Try(On(3), Want(1, 0, 9)), EAGAIN);
}

TEST_F(ByteRangeLocksTest, StoppingAnswersWhatWaits) {
  ASSERT_EQ(Try(On(1), Want(1, 0, 9)), 0);
  Asked here = Ask(On(1), Want(2, 0, 9), true), there = Ask(On(2), Want(2, 0, 9), true);
  EXPECT_FALSE(there.Ready(milliseconds(50)));
  gateways_[1]->locks.Stop();
  EXPECT_EQ(here.Get(), EINTR);
  cluster_.Kill(1);
  EXPECT_EQ(there.Get(), 0);
}

TEST_F(ByteRangeLocksTest, ATableThatCannotBeUsedGivesNoLocks) {
  ASSERT_EQ(Try(On(1), Want(1, 0, 9)), 0);
  ASSERT_EQ(Try(On(2), Want(1, 10, 19)), 0);  // 1 holds the table no more
  cluster_.SetBroken({StatusCode::kCorrupt, "for a test"});
  EXPECT_EQ(Try(On(1), Want(1, 20, 29)), ENOLCK);
  EXPECT_EQ(DropOwner(On(1), 1), 0) << "a process must be able to end";
  cluster_.SetBroken(Status::Ok());
  EXPECT_EQ(Ask(On(2), Want(1, 0, 9), true).Get(), 0) << "what was released is written later";
}

TEST_F(ByteRangeLocksTest, TooManyLocksAreRefused) {
  int refused = 0;
  for (uint64_t i = 0; i < kTableLocksMax && refused == 0; ++i) refused = Try(On(1), Want(i, 2 * i, 2 * i));
  EXPECT_EQ(refused, ENOLCK);
  EXPECT_EQ(Try(On(2), Want(1, 1, 1)), ENOLCK);
  cluster_.Kill(1);
  EXPECT_EQ(Try(On(2), Want(1, 1, 1)), 0) << "those of the dead make room";
}

/// Processes of three gateways take random ranges, wait, give up; nobody ever has what excludes another's.
TEST_F(ByteRangeLocksTest, RandomLoadNeverSharesWhatIsExclusive) {
  constexpr uint64_t kBytes = 8;
  struct Byte {
    std::atomic<int> shared{0}, exclusive{0};
  };
  std::array<Byte, kBytes> bytes;
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::vector<std::thread> processes;
  std::atomic<int> had{0}, gave_up{0};
  for (const uint64_t instance : {1, 2, 3}) {
    for (uint64_t owner = 1; owner <= 3; ++owner) {
      processes.emplace_back([&, &locks = On(instance), instance, owner] {
        std::mt19937_64 random(seed + instance * 10 + owner);
        const auto end = std::chrono::steady_clock::now() + seconds(3);
        while (std::chrono::steady_clock::now() < end) {
          const uint64_t first = random() % kBytes, last = first + random() % (kBytes - first);
          const RangeLock lock = Want(owner, first, last, random() % 2 == 0);
          Asked asked = Ask(locks, lock, random() % 4 != 0);
          if (random() % 8 == 0) {
            std::this_thread::sleep_for(milliseconds(random() % 3));
            locks.Cancel(asked.request);
          }
          ASSERT_TRUE(asked.Ready(seconds(30)));
          if (asked.Get() != 0) {
            ++gave_up;
            continue;
          }
          ++had;
          for (uint64_t at = first; at <= last; ++at) {
            if (lock.exclusive) {
              EXPECT_EQ(bytes[at].exclusive.fetch_add(1), 0);
              EXPECT_EQ(bytes[at].shared.load(), 0);
            } else {
              bytes[at].shared.fetch_add(1);
              EXPECT_EQ(bytes[at].exclusive.load(), 0);
            }
          }
          for (uint64_t at = first; at <= last; ++at)
            --(lock.exclusive ? bytes[at].exclusive : bytes[at].shared);
          if (random() % 2 == 0) {
            EXPECT_EQ(Unset(locks, lock), 0);
          } else {
            EXPECT_EQ(DropOwner(locks, owner), 0);
          }
        }
      });
    }
  }
  for (auto& process : processes) process.join();
  EXPECT_GT(had.load(), 100);
  EXPECT_GT(gave_up.load(), 0);
  EXPECT_EQ(Ask(On(1), Want(99, 0, kBytes), true).Get(), 0) << "nothing is left";
}

}  // namespace
}  // namespace ocfsgw::ocfs2
