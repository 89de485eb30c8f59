// Leases that are given back for being idle, not taken at the first access, or lost all at once.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "base/manual_executor.h"
#include "cache/memory_page_store.h"
#include "tests/sim/sim_kernel.h"
#include "tests/sim/sim_volume.h"

namespace ocfsgw::coherence {
namespace {

using std::chrono::seconds;

constexpr auto kIdle = seconds(100);
constexpr auto kWindow = seconds(60);

TEST(IdleTime, OneThatIsMissedEarnsTwiceTheTime) {
  IdleTime idle;
  TimePoint now{seconds(1000)};
  Duration allowed = kIdle;
  for (int round = 0; round < 8; ++round) {
    idle.OnAsked(now, kIdle);
    EXPECT_FALSE(idle.Over(now + allowed - seconds(1), kIdle)) << round;
    EXPECT_TRUE(idle.Over(now + allowed, kIdle)) << round;
    now += allowed;
    idle.OnGivenBack(now);
    now += seconds(1);
    allowed = std::min<Duration>(2 * allowed, IdleTime::kGrowth * kIdle);
  }
  // Not missed: it starts anew.
  now += IdleTime::kGrowth * kIdle;
  idle.OnAsked(now, kIdle);
  EXPECT_TRUE(idle.Over(now + kIdle, kIdle));
}

TEST(SecondAccess, TheRequestsOfOneAccessAreOne) {
  SecondAccess second(kWindow);
  const TimePoint now{seconds(1000)};
  const InodeId id{7, 1};
  EXPECT_FALSE(second.Note(id, now));
  EXPECT_FALSE(second.Note(id, now + SecondAccess::kOneAccess / 2));
  EXPECT_FALSE(second.Note({7, 2}, now + SecondAccess::kOneAccess)) << "another inode";
  EXPECT_TRUE(second.Note(id, now + SecondAccess::kOneAccess));
  EXPECT_TRUE(second.Note(id, now + kWindow));
  EXPECT_FALSE(second.Note(id, now + kWindow + seconds(1))) << "too late: a first one again";
  EXPECT_TRUE(second.Note(id, now + kWindow + seconds(3)));
}

TEST(SecondAccess, AScanOfAnySizeIsFirstAccesses) {
  SecondAccess second(kWindow);
  TimePoint now{seconds(1000)};
  for (uint64_t ino = 1; ino < 4 * SecondAccess::kSlots; ++ino) {
    now += std::chrono::microseconds(50);
    ASSERT_FALSE(second.Note({ino, 1}, now)) << ino;
  }
}

TEST(SecondAccess, WithoutAWindowEveryAccessCounts) {
  SecondAccess second({});
  EXPECT_TRUE(second.Note({7, 1}, TimePoint{}));
}

/// A gateway whose timers run when the test moves the clock.
class LeaseEconomy : public ::testing::Test {
 protected:
  void Start(const LeaseConfig& config) {
    leases = std::make_unique<LeaseTable>(config, backend, &provider, store, kernel, acquirers, timers, clock,
                                          metrics);
    fs = std::make_unique<CoherentFs>(backend, *leases, store, metrics);
    provider.Start(leases.get());
    leases->StartIdleSweep();
  }
  void TearDown() override {
    kernel.Stop();
    provider.Stop();
    acquirers.Stop();
  }

  /// Reads a file by name, as open + read + close would.
  std::string Read(const std::string& name) {
    const auto root = fs->Root();
    const auto entry = fs->Lookup(root->inode, name);
    if (!entry.ok()) return "error: " + entry.status().ToString();
    known_[name] = entry->inode;
    const auto file = fs->Open(entry->inode, O_RDONLY);
    const auto text = file.ok() ? kernel.Read(*fs, **file) : file.status();
    return text.ok() ? *text : "error: " + text.status().ToString();
  }
  bool Held(const std::string& name) { return leases->Held(*known_.at(name)).has_value(); }
  /// Time passes, and everything that it sets off is done.
  void Pass(Duration time) {
    timers.RunFor(time);
    while (acquirers.queued() > 0) std::this_thread::yield();
    timers.RunUntilIdle();
    const auto settled = [&] {
      for (const auto& [name, inode] : known_) {
        MutexLock lock(inode->mutex);
        if (inode->state.phase() == LeasePhase::kRecalled || inode->state.suspect()) return false;
      }
      return true;
    };
    while (!settled()) std::this_thread::yield();
  }

  SimClock clock;
  sim::SimVolume volume{1, &clock};
  cache::MemoryPageStore store{1 << 20};
  sim::SimBackend backend{volume};
  sim::SimLeaseProvider provider{volume};
  ManualExecutor timers{clock};
  AsioExecutor acquirers{{.name = "acquire", .threads = 2}};
  sim::SimKernel kernel{true};
  MetricsRegistry registry;
  CoherenceMetrics metrics{registry};
  std::unique_ptr<LeaseTable> leases;
  std::unique_ptr<CoherentFs> fs;

 private:
  std::map<std::string, InodePtr> known_;  // as the kernel knows them
};

LeaseConfig Idle() {
  LeaseConfig config;
  config.hold_off = {{}, {}};
  config.lease_idle = kIdle;
  return config;
}

TEST_F(LeaseEconomy, AnIdleLeaseIsGivenBackAndWhatIsStoredStays) {
  volume.WriteFile("a", "one");
  volume.WriteFile("b", "two");
  clock.Advance(seconds(1));  // every stamp has settled
  Start(Idle());
  EXPECT_EQ(Read("a"), "one");
  EXPECT_EQ(Read("b"), "two");
  for (int i = 0; i < 3; ++i) {
    Pass(kIdle / 2);
    EXPECT_EQ(Read("b"), "two");
  }
  EXPECT_FALSE(Held("a"));
  EXPECT_TRUE(Held("b"));
  EXPECT_EQ(metrics.unused_releases.value(), 1U);
  const uint64_t from_backend = metrics.blocks_from_backend.value();
  EXPECT_EQ(Read("a"), "one");
  EXPECT_TRUE(Held("a"));
  EXPECT_EQ(metrics.blocks_from_backend.value(), from_backend);
  EXPECT_EQ(metrics.recalls.value(), 0U);
}

TEST_F(LeaseEconomy, OneThatIsAskedForAgainAtOnceStaysLonger) {
  volume.WriteFile("a", "one");
  Start(Idle());
  EXPECT_EQ(Read("a"), "one");
  Pass(kIdle * 5 / 4);
  ASSERT_FALSE(Held("a"));
  EXPECT_EQ(Read("a"), "one");
  Pass(kIdle * 3 / 2);
  EXPECT_TRUE(Held("a"));
  Pass(kIdle);
  EXPECT_FALSE(Held("a"));
}

TEST_F(LeaseEconomy, AWriterBehindAnIdleReleaseIsSeen) {
  volume.WriteFile("a", "one");
  Start(Idle());
  EXPECT_EQ(Read("a"), "one");
  Pass(2 * kIdle);
  ASSERT_FALSE(Held("a"));
  volume.WriteFile("a", "two");
  EXPECT_EQ(Read("a"), "two");
  EXPECT_EQ(metrics.recalls.value(), 0U) << "there was nothing to recall";
}

TEST_F(LeaseEconomy, WithoutAnIdleTimeLeasesStay) {
  LeaseConfig config = Idle();
  config.lease_idle = {};
  volume.WriteFile("a", "one");
  Start(config);
  EXPECT_EQ(Read("a"), "one");
  Pass(100 * kIdle);
  EXPECT_TRUE(Held("a"));
  EXPECT_EQ(timers.pending(), 0U);
}

TEST_F(LeaseEconomy, ALeaseIsTakenAtTheSecondAccess) {
  LeaseConfig config = Idle();
  config.second_access = kWindow;
  volume.WriteFile("a", "one");
  Start(config);
  EXPECT_EQ(Read("a"), "one");
  EXPECT_EQ(metrics.acquisitions.value(), 0U);
  EXPECT_GT(metrics.first_accesses.value(), 0U);
  EXPECT_EQ(store.Stats().records, 0U);
  volume.WriteFile("a", "two");
  EXPECT_EQ(Read("a"), "two");
  Pass(seconds(2));
  EXPECT_EQ(Read("a"), "two");
  EXPECT_TRUE(Held("a"));
  // It has earned it: after a recall it is asked for at once.
  volume.WriteFile("a", "six");
  EXPECT_EQ(Read("a"), "six");
  EXPECT_TRUE(Held("a"));
}

TEST_F(LeaseEconomy, WhatIsStoredNeedsNoSecondAccess) {
  volume.WriteFile("a", "one");
  clock.Advance(seconds(1));
  const InodeId id = backend.Lookup(backend.Root(), "a")->node->id();
  store.Put({id, cache::RecordKind::kData, BlockIndex(0)}, StampHash(1),
            std::make_shared<const std::string>("of an earlier run"));
  LeaseConfig config = Idle();
  config.second_access = kWindow;
  Start(config);
  EXPECT_EQ(Read("a"), "one");
  EXPECT_TRUE(Held("a"));
}

TEST_F(LeaseEconomy, ManyLostLeasesServeNothingWhileTheyAreBeingDropped) {
  constexpr int kFiles = 600;  // more than are dropped at once
  for (int i = 0; i < kFiles; ++i) volume.WriteFile("f" + std::to_string(i), "old");
  Start(Idle());
  for (int i = 0; i < kFiles; ++i) ASSERT_EQ(Read("f" + std::to_string(i)), "old");
  ASSERT_GT(leases->held(), size_t{kFiles});
  leases->OnLeasesLost("the test says so");
  ASSERT_GT(leases->held(), 0U) << "not all of them on the caller's thread";
  const uint64_t from_store = metrics.blocks_from_store.value();
  for (int i = 0; i < kFiles; ++i) {
    EXPECT_FALSE(Held("f" + std::to_string(i))) << i;
  }
  const uint64_t from_lease = metrics.attributes_from_lease.value();
  EXPECT_EQ(Read("f0"), "old");
  EXPECT_EQ(Read("f" + std::to_string(kFiles - 1)), "old");
  EXPECT_LE(metrics.blocks_from_store.value(), from_store);
  EXPECT_LE(metrics.attributes_from_lease.value(), from_lease + 4) << "only under new leases";
  Pass(seconds(1));
  const size_t fresh = leases->held();
  EXPECT_LE(fresh, 3U);
  for (int i = 0; i < kFiles; ++i) volume.WriteFile("f" + std::to_string(i), "new");
  for (int i = 0; i < kFiles; ++i) EXPECT_EQ(Read("f" + std::to_string(i)), "new");
}

}  // namespace
}  // namespace ocfsgw::coherence
