// Several READs of one block that is not stored: one of them asks the backend.

#include "coherence/shared_read.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <vector>

#include "tests/sim/sim_machine.h"

namespace ocfsgw::coherence {
namespace {

using sim::SimMachine;
using sim::SimMachineOptions;
using sim::SimVolume;

class SharedReadTest : public ::testing::Test {
 protected:
  void Start(Duration recall_deadline = std::chrono::hours(1)) {
    volume_.WriteFile("a", "old");
    clock_.Advance(std::chrono::seconds(1));
    SimMachineOptions options;
    options.clock = &clock_;
    options.recall_deadline = recall_deadline;
    machine_ = std::make_unique<SimMachine>(volume_, store_, options);
    const auto entry = machine_->fs.Lookup(machine_->fs.Root()->inode, "a");
    file_ = *machine_->fs.Open(entry->inode, O_RDONLY);
    machine_->backend.after_read = [this] { HoldFirst(); };
  }
  void TearDown() override {
    file_.reset();
    machine_.reset();
  }

  /// The first READ that has asked the backend comes back from it when Release() is called.
  void HoldFirst() {
    if (backend_reads_.fetch_add(1) == 0) {
      held_.set_value();
      released_.get_future().wait();
    }
  }
  void Release() { released_.set_value(); }

  std::string Read() {
    std::string got;
    const auto keep = [&](auto bytes) {
      got.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    };
    const Status status = machine_->fs.Read(*file_, 0, 100, keep);
    return status.ok() ? got : status.ToString();
  }
  std::future<std::string> StartRead() {
    return std::async(std::launch::async, [this] { return Read(); });
  }
  /// One that is held in the backend.
  std::future<std::string> StartHeldRead() {
    auto read = StartRead();
    held_.get_future().wait();
    return read;
  }

  SimClock clock_;
  SimVolume volume_{1, &clock_};
  cache::MemoryPageStore store_{1 << 20};
  std::unique_ptr<SimMachine> machine_;
  std::unique_ptr<OpenFile> file_;
  std::atomic<int> backend_reads_{0};
  std::promise<void> held_;
  std::promise<void> released_;
};

TEST_F(SharedReadTest, ConcurrentMissesReadTheBackendOnce) {
  Start();
  std::vector<std::future<std::string>> reads;
  reads.push_back(StartHeldRead());
  for (int i = 0; i < 7; ++i) reads.push_back(StartRead());
  // Whether they have begun to wait by now or come too late: none may ask the backend.
  EXPECT_EQ(reads.back().wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  Release();
  for (auto& read : reads) EXPECT_EQ(read.get(), "old");
  EXPECT_EQ(backend_reads_.load(), 1);
  EXPECT_EQ(machine_->metrics.blocks_from_backend.value(), 1u);
  EXPECT_EQ(machine_->metrics.blocks_shared.value() + machine_->metrics.blocks_from_store.value(), 7u);
}

// Hangs if the recall does not end the wait, or if a READ waits for one under another lease.
TEST_F(SharedReadTest, ARecallEndsTheWaitAndTheNextLeaseSharesNothingWithTheLast) {
  Start();
  auto first = StartHeldRead();
  auto second = StartRead();
  EXPECT_EQ(second.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  volume_.WriteFile("a", "new");
  EXPECT_EQ(second.get(), "new");
  EXPECT_EQ(Read(), "new");
  Release();
  EXPECT_EQ(first.get(), "new") << "read under a lease that has gone: read again";
  EXPECT_EQ(Read(), "new");
}

TEST_F(SharedReadTest, ReadsOfTheNextLeaseDoNotWaitForOneOfTheLast) {
  Start();
  auto first = StartHeldRead();
  volume_.WriteFile("a", "new");
  EXPECT_EQ(Read(), "new");
  Release();
  EXPECT_EQ(first.get(), "new");
}

TEST_F(SharedReadTest, NobodyWaitsLongerThanTheRecallDeadline) {
  Start(std::chrono::milliseconds(20));
  auto first = StartHeldRead();
  EXPECT_EQ(Read(), "old");
  EXPECT_EQ(backend_reads_.load(), 2);
  Release();
  EXPECT_EQ(first.get(), "old");
}

TEST_F(SharedReadTest, WhoFailsFailsForItselfOnly) {
  Start();
  const auto view = machine_->leases.Want(file_->inode(), Urgency::kPages);
  ASSERT_TRUE(view.has_value());
  auto failing = std::make_unique<SharedRead>(machine_->leases, file_->inode(), view->epoch, 0);
  EXPECT_EQ(failing->Await(), nullptr);
  Release();
  auto read = StartRead();
  EXPECT_EQ(read.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  failing.reset();
  EXPECT_EQ(read.get(), "old");
  EXPECT_EQ(backend_reads_.load(), 1);
}

}  // namespace
}  // namespace ocfsgw::coherence
