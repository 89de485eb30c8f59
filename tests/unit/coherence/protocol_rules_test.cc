// Rules of the protocol that need more than one inode's state to be seen: the order of what LeaseTable does,
// and what happens when something comes in the middle of something else.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

#include "coherence/mutation.h"
#include "tests/sim/sim_machine.h"

namespace ocfsgw::coherence {
namespace {

using sim::SimMachine;
using sim::SimMachineOptions;
using sim::SimVolume;
using std::chrono::milliseconds;
using Events = std::vector<std::string>;

/// A kernel that says what it is asked for, and gives nothing back before it is told to.
class ScriptedKernel final : public KernelCache {
 public:
  explicit ScriptedKernel(Events& events) : events_(events) {}
  bool ForgetAttributes(InodeId, bool) override {
    events_.push_back("forget attributes");
    return true;
  }
  void KeepForgettingAttributes(InodeId) override {}
  std::vector<TrustedName> TrustedNames(InodeId) override { return {}; }
  void ForgetListing(InodeId) override { events_.push_back("forget listing"); }
  void ForgetNames(InodeId, const std::vector<TrustedName>&) override {}
  void Invalidate(InodeId, std::vector<ByteRange>, std::function<void()> done) override {
    events_.push_back("invalidate pages");
    pending_.push_back(std::move(done));
  }
  void GiveBack() {
    for (const auto& done : std::exchange(pending_, {})) done();
  }

 private:
  Events& events_;
  std::vector<std::function<void()>> pending_;
};

class ScriptedProvider final : public LeaseProvider {
 public:
  explicit ScriptedProvider(Events& events) : events_(events) {}
  void Start(LeaseListener*) override {}
  void Stop() override {}
  Result<LeaseGrant> Acquire(const NodeRef&) override {
    while_granting();
    if (refuse) return Status(StatusCode::kBusy, "refused by the test");
    return LeaseGrant{{1, ++grants_}, std::nullopt};
  }
  void Release(LeaseKey) override { events_.push_back("release"); }
  Result<std::unique_ptr<OpenPin>> PinOpen(const NodeRef&) override {
    return Status(StatusCode::kUnsupported, "no pins");
  }
  Status Barrier() override { return Status::Ok(); }
  int64_t StampGuardNs() const override { return 0; }
  bool KeepsOldPages() const override { return true; }

  uint32_t grants() const { return grants_; }
  std::function<void()> while_granting = [] {};
  bool refuse = false;

 private:
  Events& events_;
  uint32_t grants_ = 0;
};

/// Runs everything at once, on the caller's thread; timers never come.
class AtOnce final : public Executor {
 public:
  bool Post(Task task) override {
    task();
    return true;
  }
  void PostAfter(Duration, Task) override {}
};

/// A file whose reads the test can look into.
class ScriptedFile final : public BackendFile {
 public:
  explicit ScriptedFile(
      std::function<std::string()> read, std::function<void()> forget = [] {})
      : read_(std::move(read)), forget_(std::move(forget)) {}
  Result<size_t> Read(uint64_t, std::span<std::byte> into) override {
    const std::string bytes = read_();
    const size_t n = std::min(bytes.size(), into.size());
    std::memcpy(into.data(), bytes.data(), n);
    return n;
  }
  void ForgetPages() override { forget_(); }
  Result<size_t> Write(uint64_t, std::span<const std::byte>, bool) override { return NoSys(); }
  Status Sync(bool) override { return NoSys(); }
  Status Flush() override { return NoSys(); }
  Status Allocate(int, uint64_t, uint64_t) override { return NoSys(); }
  Result<uint64_t> Seek(uint64_t, int) override { return NoSys(); }
  Result<FileAttr> Stat() override { return NoSys(); }

 private:
  static Status NoSys() { return Status::FromErrno(ENOSYS); }
  const std::function<std::string()> read_;
  const std::function<void()> forget_;
};

/// One gateway whose kernel and provider the test plays itself, with a file "a" on the volume.
class ProtocolRules : public testing::Test {
 protected:
  static LeaseConfig Config() {
    LeaseConfig config;
    config.recall_deadline = milliseconds(100);
    config.hold_off = {{}, {}};
    return config;
  }
  void UseAcquirers(Executor& acquirers) {
    inode_.reset();  // tells its table
    table_ = std::make_unique<LeaseTable>(Config(), backend_, &provider_, store_, kernel_, acquirers,
                                          at_once_, clock_, metrics_);
    fs_ = std::make_unique<CoherentFs>(backend_, *table_, store_, metrics_);
    inode_ = table_->Get(backend_.Lookup(backend_.Root(), "a")->node);
  }
  void SetUp() override {
    volume_.WriteFile("a", "one");
    UseAcquirers(at_once_);
  }
  void TearDown() override {
    kernel_.GiveBack();
    inode_.reset();
  }

  SimClock clock_;
  SimVolume volume_{1, &clock_};
  sim::SimBackend backend_{volume_};
  Events events_;
  ScriptedKernel kernel_{events_};
  ScriptedProvider provider_{events_};
  AtOnce at_once_;
  cache::MemoryPageStore store_{1 << 20};
  MetricsRegistry registry_;
  CoherenceMetrics metrics_{registry_};
  std::unique_ptr<LeaseTable> table_;
  std::unique_ptr<CoherentFs> fs_;
  InodePtr inode_;
};

TEST_F(ProtocolRules, AttributesAreTakenBackBeforeTheLeaseIsGivenBack) {
  const auto view = table_->Want(inode_, Urgency::kMetadata);
  ASSERT_TRUE(view);
  ASSERT_TRUE(table_->Trust(*inode_, view->epoch));
  {
    Mutation change(*table_);
    EXPECT_TRUE(change.Add(inode_).ok());
  }
  EXPECT_EQ(events_, (Events{"forget attributes", "release", "invalidate pages"}));
}

// Whoever has it mapped looks at its pages without asking anybody.
TEST_F(ProtocolRules, TheRecallOfAnOpenFileTakesItsPagesBackFirst) {
  for (const bool is_open : {true, false}) {
    OpenFile file(inode_, O_RDONLY, std::make_unique<ScriptedFile>([] { return "one"; }), nullptr);
    ASSERT_TRUE(fs_->Read(file, 0, 10, [](auto) {}).ok());
    if (!is_open) inode_->opens.store(0);
    events_.clear();
    table_->OnRecall(inode_->id(), {1, provider_.grants()});
    EXPECT_EQ(events_, is_open ? (Events{"invalidate pages"}) : (Events{"release", "invalidate pages"}));
    kernel_.GiveBack();
    EXPECT_EQ(events_.back(), is_open ? "release" : "invalidate pages");
    if (!is_open) inode_->opens.store(1);
  }
}

TEST_F(ProtocolRules, PagesAreSuspectFromBeforeTheirReadTouchesTheBackend) {
  provider_.refuse = true;
  bool settled_before = true, settled_then = true;
  OpenFile file(inode_, O_RDONLY, std::make_unique<ScriptedFile>([&] {
                  settled_before = table_->Settled(*inode_);
                  return "one";
                }),
                nullptr);
  ASSERT_TRUE(fs_->Read(file, 0, 10, [&](auto) { settled_then = table_->Settled(*inode_); }).ok());
  EXPECT_FALSE(settled_before) << "another reader may be waiting for the very page";
  EXPECT_FALSE(settled_then);
  EXPECT_EQ(events_, Events{"invalidate pages"});
  kernel_.GiveBack();
  EXPECT_TRUE(table_->Settled(*inode_));
}

// Names are compared, a listing is not.
TEST_F(ProtocolRules, NamesAreRevivedWithoutTheListing) {
  const auto root = table_->Get(backend_.Root());
  const auto view = table_->Want(root, Urgency::kMetadata);
  ASSERT_TRUE(view);
  ASSERT_TRUE(table_->AnswerUnder(root, view->epoch, [] {}));
  table_->OnRecall(root->id(), {1, provider_.grants()});
  ASSERT_FALSE(table_->Settled(*root));
  events_.clear();
  EXPECT_TRUE(table_->ReviveNames(root, [](const TrustedName&) { return true; }));
  EXPECT_TRUE(table_->Settled(*root));
  EXPECT_EQ(events_, Events{"forget listing"});
}

TEST_F(ProtocolRules, AttributesWaitUntilSuspectPagesHaveBeenTakenBack) {
  provider_.refuse = true;
  OpenFile file(inode_, O_RDONLY, std::make_unique<ScriptedFile>([] { return "one"; }), nullptr);
  ASSERT_TRUE(fs_->Read(file, 0, 10, [](auto) {}).ok());
  ASSERT_TRUE(fs_->GetAttr(inode_).ok());
  EXPECT_EQ(metrics_.settle_timeouts.value(), 1u) << "it gave up waiting, so it has waited";
  kernel_.GiveBack();
  ASSERT_TRUE(fs_->GetAttr(inode_).ok());
  EXPECT_EQ(metrics_.settle_timeouts.value(), 1u);
}

TEST_F(ProtocolRules, WhatAWriteLeavesInTheKernelIsTakenBackAfterItsAnswer) {
  {
    Mutation change(*table_);
    EXPECT_TRUE(change.AddPages(inode_, {0, 10}).ok());
    EXPECT_FALSE(table_->Settled(*inode_));
    EXPECT_EQ(events_, Events{}) << "the kernel has the pages locked until the answer";
  }
  EXPECT_EQ(events_, Events{"invalidate pages"});
  kernel_.GiveBack();
  EXPECT_TRUE(table_->Settled(*inode_));
}

// The backend is asked for attributes next, and waits there behind the very writer.
TEST_F(ProtocolRules, ARecallDuringAnAcquisitionGivesTheLeaseBackByTheKeyItBrings) {
  provider_.while_granting = [this] {
    table_->OnRecall(inode_->id(), {1, 1});
    EXPECT_EQ(events_, Events{"release"});
  };
  EXPECT_FALSE(table_->Want(inode_, Urgency::kMetadata));
}

TEST_F(ProtocolRules, ALeaseGrantedWhileAllWereLostIsLostToo) {
  provider_.while_granting = [this] { table_->OnLeasesLost("by the test"); };
  EXPECT_FALSE(table_->Want(inode_, Urgency::kMetadata));
  EXPECT_FALSE(table_->Held(*inode_)) << "it was in no list when the loss was told";
  EXPECT_EQ(events_, Events{"release"});
}

TEST_F(ProtocolRules, AHandlerWaitsForALeaseNoLongerThanTheRecallDeadline) {
  AsioExecutor acquirers({.name = "acquire", .threads = 1});
  UseAcquirers(acquirers);
  std::mutex mutex;
  std::condition_variable changed;
  bool returned = false, in_time = false;
  provider_.while_granting = [&] {  // a writer that keeps the lock
    std::unique_lock lock(mutex);
    in_time = changed.wait_for(lock, std::chrono::seconds(10), [&] { return returned; });
  };
  EXPECT_FALSE(table_->Want(inode_, Urgency::kMetadata));
  const auto first = std::chrono::steady_clock::now();
  for (int later = 0; later < 20; ++later) EXPECT_FALSE(table_->Want(inode_, Urgency::kPages));
  EXPECT_LT(std::chrono::steady_clock::now() - first, 10 * Config().recall_deadline)
      << "each one waited for the same acquisition anew";
  {
    const std::lock_guard lock(mutex);
    returned = true;
  }
  changed.notify_all();
  acquirers.Stop();
  EXPECT_TRUE(in_time) << "it waited for the writer";
}

/// Reads a file by name, as open + read + close would.
std::string Read(SimMachine& machine, const std::string& name) {
  const auto entry = machine.fs.Lookup(machine.fs.Root()->inode, name);
  const auto file = machine.fs.Open(entry->inode, O_RDONLY);
  const auto text = machine.kernel.Read(machine.fs, **file);
  return text.ok() ? *text : text.status().ToString();
}

// A file written 20 times a second and looked at after each write, for a minute.
TEST_F(ProtocolRules, TheHoldOffBoundsHowOftenALeaseIsAskedFor) {
  SimMachineOptions options;
  options.clock = &clock_;
  options.hold_off = {milliseconds(500), std::chrono::seconds(30)};
  cache::MemoryPageStore store(1 << 20);
  SimMachine machine(volume_, store, options);
  for (int i = 0; i < 20 * 60; ++i) {
    volume_.WriteFile("a", std::to_string(i));
    ASSERT_EQ(Read(machine, "a"), std::to_string(i));
    clock_.Advance(milliseconds(50));
  }
  EXPECT_LT(machine.metrics.acquisitions.value(), 15u);  // the root's; after 0.5, 1, 2, 4, 8, 16, 30 s
}

TEST_F(ProtocolRules, WhatAnEarlierRunStoredUnderARacyStampIsNotFound) {
  SimMachineOptions options;
  options.clock = &clock_;
  cache::MemoryPageStore store(1 << 20);
  { EXPECT_EQ(Read(*std::make_unique<SimMachine>(volume_, store, options), "a"), "one"); }
  volume_.WriteFile("a", "two");  // within the tick
  EXPECT_EQ(Read(*std::make_unique<SimMachine>(volume_, store, options), "a"), "two");
}

// The read of an old block ends after a silent writer has come and gone: storing it then would bring it back
// under the stamp, which is the same.
TEST_F(ProtocolRules, WhatWasNotReadEntirelyUnderTheLeaseIsNotStored) {
  clock_.Advance(std::chrono::seconds(1));  // the stamp has settled
  SimMachineOptions options;
  options.clock = &clock_;
  cache::MemoryPageStore store(1 << 20);
  SimMachine machine(volume_, store, options);
  const InodePtr inode = machine.fs.Lookup(machine.fs.Root()->inode, "a")->inode;
  std::string now = "one";
  OpenFile file(inode, O_RDONLY, std::make_unique<ScriptedFile>([&] {
                  const std::string then = now;
                  if (now == "one") {
                    volume_.OverwriteSilently("a", now = "two");
                    EXPECT_TRUE(machine.leases.Want(inode, Urgency::kPages)) << "distrusts the stamp";
                    machine.leases.OnLeasesLost("the next lease is not the distrusted one");
                    machine.provider.refuse_every = 1;  // nothing else is stored
                  }
                  return then;
                }),
                nullptr);
  ASSERT_TRUE(machine.fs.Read(file, 0, 10, [](auto) {}).ok());
  machine.provider.refuse_every = 0;
  EXPECT_EQ(Read(machine, "a"), "two");
}

// Nothing is read under the lease that distrusts the stamp: what an earlier one stored must not wait for a
// later one that trusts it again.
// The node's own page cache may have been filled between an O_DIRECT writer's lock and its write.
TEST_F(ProtocolRules, ThePagesOfTheNodeAreForgottenOnceAfterAWriter) {
  OpenFile file(inode_, O_RDONLY,
                std::make_unique<ScriptedFile>(
                    [this] {
                      events_.push_back("read");
                      return "one";
                    },
                    [this] { events_.push_back("forget pages"); }),
                nullptr);
  const auto read = [&] { ASSERT_TRUE(fs_->Read(file, 0, 10, [](auto) {}).ok()); };
  for (uint32_t lease = 1; lease <= 2; ++lease) {
    events_.clear();
    read();
    store_.DropInode(inode_->id());
    read();
    EXPECT_EQ(events_, lease == 1 ? (Events{"read", "read"}) : (Events{"forget pages", "read", "read"}));
    EXPECT_EQ(provider_.grants(), lease);
    table_->OnRecall(inode_->id(), {1, lease});
    kernel_.GiveBack();
  }
}

TEST_F(ProtocolRules, WhatIsStoredUnderAStampThatProvesNothingIsDropped) {
  clock_.Advance(std::chrono::seconds(1));
  SimMachineOptions options;
  options.clock = &clock_;
  cache::MemoryPageStore store(1 << 20);
  SimMachine machine(volume_, store, options);
  ASSERT_EQ(Read(machine, "a"), "one");
  volume_.OverwriteSilently("a", "two");
  const InodePtr inode = machine.fs.Lookup(machine.fs.Root()->inode, "a")->inode;
  ASSERT_TRUE(machine.leases.Want(inode, Urgency::kMetadata));
  machine.leases.OnLeasesLost("the next lease is not the distrusted one");
  EXPECT_EQ(Read(machine, "a"), "two");
}

}  // namespace
}  // namespace ocfsgw::coherence
