// A walk that reads the files finds those ahead of it in the page store.

#include "coherence/walk.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <utility>

#include "base/manual_executor.h"
#include "tests/sim/sim_machine.h"

namespace ocfsgw::coherence {
namespace {

using ::testing::SizeIs;

/// The walk is known from the fourth name, and that it reads from the third of its files that is missed.
constexpr size_t kUnaided = Directory::kWalkMin + Walk::kFiles;

TEST(Walk, ReadsOnceSeveralFilesWereMissedUntilSeveralAreLeftUnread) {
  Walk walk;
  for (uint32_t i = 0; i < Walk::kFiles; ++i) {
    EXPECT_FALSE(walk.reads());
    walk.OnFile();
    walk.OnRead(false);
    walk.OnRead(true);
  }
  for (uint32_t i = 0; i < Walk::kFiles; ++i) {
    EXPECT_TRUE(walk.reads());
    walk.OnFile();
  }
  walk.OnRead(false);
  for (uint32_t i = 0; i < Walk::kFiles; ++i) walk.OnFile();
  EXPECT_TRUE(walk.reads());
  walk.OnFile();
  EXPECT_FALSE(walk.reads());
}

TEST(Walk, FilesThatAreStoredDoNotCount) {
  Walk walk;
  for (uint32_t i = 0; i < 10 * Walk::kFiles; ++i) {
    walk.OnFile();
    walk.OnRead(false);
    EXPECT_FALSE(walk.reads());
  }
}

class WalkTest : public ::testing::Test {
 protected:
  void Start(size_t files, uint64_t store_bytes = 1 << 20, bool settle = true) {
    for (size_t i = 0; i < files; ++i) {
      const std::string name = "n" + std::to_string(i);
      volume_.WriteFile(name, "content of " + name);
    }
    if (settle) clock_.Advance(std::chrono::seconds(1));
    store_ = std::make_unique<cache::MemoryPageStore>(store_bytes);
    SimMachineOptions options;
    options.clock = &clock_;
    options.max_leases = 1000;
    machine_ = std::make_unique<sim::SimMachine>(volume_, *store_, options);
    machine_->backend.after_read = [this] { AfterRead(); };
    fs_ = std::make_unique<CoherentFs>(machine_->backend, machine_->leases, *store_, machine_->metrics,
                                       nullptr, &ahead_);
    root_ = fs_->Root()->inode;
    const auto listing = *fs_->List(root_);
    for (const auto& entry : listing->entries()) names_.push_back(entry.name);
    ASSERT_THAT(names_, SizeIs(files));
  }
  void TearDown() override {
    root_ = nullptr;
    fs_.reset();
    machine_.reset();
  }
  void AfterRead() {
    backend_reads_.fetch_add(1);
    if (after_read_) std::exchange(after_read_, nullptr)();
  }

  InodePtr Stat(size_t i) {
    const auto found = fs_->Lookup(root_, names_[i]);
    EXPECT_TRUE(found.ok());
    return found->inode;
  }
  std::string Read(const InodePtr& inode) {
    const auto file = fs_->Open(inode, O_RDONLY);
    std::string got;
    const Status status = fs_->Read(**file, 0, 100, [&](auto bytes) {
      got.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    });
    return status.ok() ? got : status.ToString();
  }
  void StatAndRead(size_t i) { EXPECT_EQ(Read(Stat(i)), "content of " + names_[i]); }
  /// As a program does that is slower than the backend: what is ahead is done before it goes on.
  void WalkAndRead(size_t from, size_t to) {
    for (size_t i = from; i < to; ++i) {
      StatAndRead(i);
      ahead_.RunUntilIdle();
    }
  }
  /// What comes next in a walk of 100 files that has only just turned out to read.
  InodePtr WalkUntilItReads() {
    Start(100);
    for (size_t i = 0; i < kUnaided; ++i) StatAndRead(i);
    return Stat(kUnaided);
  }
  /// The backend's next answer comes when it is `released`.
  void HoldNextRead(std::promise<void>& held, std::promise<void>& released) {
    after_read_ = [&held, &released] {
      held.set_value();
      released.get_future().wait();
    };
  }
  void Forget(size_t i) { store_->DropInode(Stat(i)->id()); }
  uint64_t BlocksAhead() const { return machine_->metrics.blocks_ahead.value(); }

  SimClock clock_;
  sim::SimVolume volume_{1, &clock_};
  std::unique_ptr<cache::MemoryPageStore> store_;
  std::unique_ptr<sim::SimMachine> machine_;
  ManualExecutor ahead_{clock_};
  std::unique_ptr<CoherentFs> fs_;
  InodePtr root_;
  std::vector<std::string> names_;
  std::atomic<uint64_t> backend_reads_{0};
  std::function<void()> after_read_;  ///< The next time only.
};

TEST_F(WalkTest, FindsWhatIsAheadInTheStoreIfItReads) {
  constexpr size_t kFiles = 200;
  Start(kFiles);
  WalkAndRead(0, kFiles);
  EXPECT_EQ(BlocksAhead(), kFiles - kUnaided);
  EXPECT_EQ(machine_->metrics.blocks_from_store.value(), kFiles - kUnaided);
  EXPECT_EQ(backend_reads_.load(), kFiles) << "each once";
  EXPECT_EQ(machine_->metrics.blocks_from_backend.value(), kFiles);
  EXPECT_EQ(machine_->backend.opens.load(), kFiles);
  EXPECT_EQ(machine_->metrics.names_from_backend.value(), kFiles);
}

TEST_F(WalkTest, ReadsNothingIfItOnlyStats) {
  Start(200);
  for (size_t i = 0; i < 200; ++i) {
    Stat(i);
    ahead_.RunUntilIdle();
  }
  EXPECT_EQ(backend_reads_.load(), 0u);
  EXPECT_EQ(machine_->backend.opens.load(), 0u);
}

// A backup of what has changed.
TEST_F(WalkTest, ReadsNothingIfItReadsAFileHereAndThere) {
  Start(200);
  for (size_t i = 0; i < 200; ++i) {
    if (i % 6 == 0) {
      StatAndRead(i);
    } else {
      Stat(i);
    }
    ahead_.RunUntilIdle();
  }
  EXPECT_EQ(BlocksAhead(), 0u);
}

TEST_F(WalkTest, ReadsNoFurtherWhenItNoLongerReads) {
  Start(300);
  WalkAndRead(0, 20);
  EXPECT_GT(BlocksAhead(), 0u);
  uint64_t before = 0;
  for (size_t i = 20; i < 300; ++i) {
    if (i == 20 + Walk::kFiles) before = BlocksAhead();
    Stat(i);
    ahead_.RunUntilIdle();
  }
  EXPECT_EQ(BlocksAhead(), before);
  EXPECT_LE(before, 20 + Walk::kFiles + Directory::kAheadMax);
}

TEST_F(WalkTest, EndsWithTheOrderAlsoForWhatIsQueued) {
  Start(200);
  for (size_t i = 0; i < 20; ++i) StatAndRead(i);
  EXPECT_GT(ahead_.pending(), 0u);
  Stat(100);
  ahead_.RunUntilIdle();
  EXPECT_EQ(BlocksAhead(), 0u);
  for (size_t i = 199; i > 150; --i) {
    StatAndRead(i);
    ahead_.RunUntilIdle();
  }
  EXPECT_EQ(BlocksAhead(), 0u);
}

TEST_F(WalkTest, OfFilesOfAnotherWalkItDoesNotCountTheReads) {
  Start(200);
  std::vector<InodePtr> found;
  for (size_t i = 0; i < 20; ++i) found.push_back(Stat(i));
  for (size_t i = 100; i < 110; ++i) Stat(i);
  for (const auto& inode : found) Read(inode);
  Stat(110);
  ahead_.RunUntilIdle();
  EXPECT_EQ(BlocksAhead(), 0u);
}

TEST_F(WalkTest, ReadsOnlyWhatTheStoreLacks) {
  Start(100, 1 << 20, false);
  WalkAndRead(0, 100);
  clock_.Advance(std::chrono::seconds(1));
  for (const char* stored : {"under racy stamps", "under settled ones"}) {
    SCOPED_TRACE(stored);
    // Three of the walk that tell it from one that finds all, and one ahead of them.
    for (const size_t i : {5, 6, 7, 50}) Forget(i);
    ahead_.RunUntilIdle();
    const uint64_t ahead_before = BlocksAhead(), reads_before = backend_reads_.load();
    WalkAndRead(0, 100);
    EXPECT_EQ(BlocksAhead(), ahead_before + 1);
    EXPECT_EQ(backend_reads_.load(), reads_before + 4);
  }
}

TEST_F(WalkTest, LeavesFilesOfSeveralBlocksAndEmptyOnesToTheReader) {
  Start(3 * kUnaided);
  for (const size_t i : {2 * kUnaided, 2 * kUnaided + 1}) {
    volume_.WriteFile(names_[i], i % 2 == 0 ? "" : std::string(cache::kBlockBytes + 1, 'x'));
  }
  clock_.Advance(std::chrono::seconds(1));
  for (size_t i = 0; i < 2 * kUnaided; ++i) {
    StatAndRead(i);
    ahead_.RunUntilIdle();
  }
  EXPECT_EQ(BlocksAhead(), 2 * kUnaided - 2);
  EXPECT_EQ(machine_->backend.opens.load(), 3 * kUnaided - 2);
}

TEST_F(WalkTest, ReadsNothingThatTheStoreWouldNotTake) {
  Start(100, 10);
  WalkAndRead(0, 100);
  EXPECT_EQ(BlocksAhead(), 0u);
  EXPECT_EQ(backend_reads_.load(), 100u);
}

TEST_F(WalkTest, AndARecallOnTheWayStoresNothing) {
  Start(100);
  for (size_t i = 0; i < kUnaided; ++i) StatAndRead(i);
  // The first that is read ahead is the next one.
  const std::string& name = names_[kUnaided];
  const InodePtr inode = Stat(kUnaided);
  const auto view = machine_->leases.Want(inode, Urgency::kMetadata);
  ASSERT_TRUE(view.has_value());
  after_read_ = [&] { volume_.WriteFile(name, "new"); };
  ahead_.RunUntilIdle();
  EXPECT_GT(BlocksAhead(), 1u);
  EXPECT_FALSE(machine_->leases.StillHeld(*inode, view->epoch));
  const cache::RecordKey key{inode->id(), cache::RecordKind::kData, BlockIndex(0)};
  EXPECT_FALSE(store_->GetWhole(key, view->stamp).ok());
  EXPECT_EQ(Read(inode), "new");
}

TEST_F(WalkTest, SharesTheReadThatIsUnderWay) {
  const InodePtr next = WalkUntilItReads();
  std::promise<void> held, released;
  HoldNextRead(held, released);
  auto ahead = std::async(std::launch::async, [&] { ahead_.RunUntilIdle(); });
  held.get_future().wait();
  auto read = std::async(std::launch::async, [&] { return Read(next); });
  EXPECT_EQ(read.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  released.set_value();
  EXPECT_EQ(read.get(), "content of " + names_[kUnaided]);
  ahead.wait();
  EXPECT_EQ(machine_->metrics.blocks_from_backend.value(), kUnaided + BlocksAhead());
}

// Hangs if it waits for the READ.
TEST_F(WalkTest, LeavesABlockToTheReadThatIsUnderWay) {
  const InodePtr next = WalkUntilItReads();
  std::promise<void> held, released;
  HoldNextRead(held, released);
  auto read = std::async(std::launch::async, [&] { return Read(next); });
  held.get_future().wait();
  ahead_.RunUntilIdle();
  EXPECT_EQ(machine_->backend.opens.load(), kUnaided + 1 + BlocksAhead());
  released.set_value();
  EXPECT_EQ(read.get(), "content of " + names_[kUnaided]);
  EXPECT_GT(BlocksAhead(), 0u);
}

}  // namespace
}  // namespace ocfsgw::coherence
