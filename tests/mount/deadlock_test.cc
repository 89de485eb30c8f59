// The cycles of docs/COHERENCE.md, "Deadlocks and what cuts them", one by one and on purpose: the file system
// behind the gateway answers only after the writer, as OCFS2 does when the writer is ahead in the queue, and
// the gateway has no worker left where the cycle needs that. Each test hangs without its rule.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <list>
#include <memory>

#include "tests/mount/files.h"
#include "tests/mount/held_access.h"
#include "tests/mount/watchdog.h"

namespace ocfsgw::mounttest {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kBlock = 128 << 10;  // pages further apart are read from the backend one by one
constexpr size_t kFileBytes = 4 * kBlock;
constexpr int kWorkers = 64;        // Session::kThreadsMax
constexpr int kNotifiers = 8;       // KernelNotifier::kThreads
constexpr off_t kFar = 2 * kBlock;  // a page that was not read with the first one

class Deadlock : public MountTest {
 protected:
  /// `deadline_ms`: by default the timer would come after ten minutes, so that a hang is a hang.
  void Start(int deadline_ms = 600'000, const std::string& more = {}) {
    ASSERT_TRUE(WriteFile(gateway_.Source("busy"), std::string(kWorkers * kBlock, 'b')));
    for (const char* name : {"f", "g"}) {
      ASSERT_TRUE(WriteFile(gateway_.Source(name), std::string(kFileBytes, 'o')));
    }
    ASSERT_EQ(mkdir(gateway_.Source("dir").c_str(), 0755), 0);
    ASSERT_TRUE(WriteFile(gateway_.Source("dir/child"), "child"));
    for (const char* name : {"busy", "f"}) ASSERT_TRUE(backend_.Watch(gateway_.Source(name)));
    ASSERT_TRUE(gateway_.Start("hold_off_ms=10,recall_deadline_ms=" + std::to_string(deadline_ms) + more));
    busy_ =
        std::make_unique<Descriptor>(open(gateway_.Mount("busy").c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
    ASSERT_GE(busy_->get(), 0);
    dog_ = std::make_unique<Watchdog>(gateway_, [this] { backend_.LetGo(); });
  }
  void TearDown() override {
    backend_.LetGo();
    applications_.clear();
  }

  /// A file whose lease is held, with its first page and its attributes in the kernel.
  struct Leased {
    explicit Leased(const std::string& path)
        : fd(open(path.c_str(), O_RDONLY | O_CLOEXEC)), map(fd.get(), kFileBytes, PROT_READ, MAP_SHARED) {
      EXPECT_TRUE(map.ok()) << path;
      madvise(map.data(), kFileBytes, MADV_RANDOM);
    }
    const Descriptor fd;
    const Mapping map;
  };
  std::shared_ptr<Leased> Lease(const std::string& name) {
    auto leased = std::make_shared<Leased>(gateway_.Mount(name));
    EXPECT_TRUE(Eventually([&] {
      struct stat st {};
      if (leased->map.data()[0] == '\0' || fstat(leased->fd.get(), &st) != 0) return false;
      const auto from_backend = [this] {
        return gateway_.Metric("ocfsgw_attributes_total{from=\"backend\"}");
      };
      const double before = from_backend();
      return fstat(leased->fd.get(), &st) == 0 && from_backend() == before;
    })) << name;
    return leased;
  }
  /// The lease of `dir` is held, and that of the root.
  void LeaseDirectory() {
    const auto asked = [this] {
      return gateway_.Metric("ocfsgw_names_total{from=\"backend\"}") +
             gateway_.Metric("ocfsgw_attributes_total{from=\"backend\"}");
    };
    EXPECT_TRUE(Eventually([&] {
      const double before = asked();
      Describe(gateway_.Mount("dir/none"));
      return asked() == before;
    }));
  }
  Doing& Do(const std::function<void()>& what) {
    applications_.push_back(std::make_unique<Doing>(what));
    return *applications_.back();
  }
  /// Behind the gateway; waits for the lease.
  Doing& Write(const std::string& name, const std::string& data = "new") {
    return Do([=, path = gateway_.Source(name)] { EXPECT_TRUE(OverwriteFile(path, data)) << path; });
  }
  /// A mapping's page is looked at: it is locked in the kernel until the gateway has answered a READ. Without
  /// SIGBUS if the gateway has to be killed.
  Doing& Touch(const std::shared_ptr<Leased>& file, off_t page) {
    return Do([file, page] { madvise(file->map.data() + page, kPage, MADV_POPULATE_READ); });
  }
  void LookAtBusy(off_t at) {
    void* buffer = nullptr;
    ASSERT_EQ(posix_memalign(&buffer, kPage, kPage), 0);
    static_cast<void>(pread(busy_->get(), buffer, kPage, at));
    free(buffer);
  }
  /// All workers of the gateway wait in the backend. O_DIRECT: nothing of it is in the kernel.
  void TakeAllWorkers() {
    backend_.HoldOf(gateway_.pid());
    for (int i = 0; i < kWorkers; ++i) {
      Do([this, i] { LookAtBusy(static_cast<off_t>(i * kBlock)); });
    }
    dog_->Progress("all workers are in the backend");
    ASSERT_TRUE(backend_.Await(gateway_.Source("busy"), kWorkers));
  }
  void AwaitRecalls(double count) {
    ASSERT_TRUE(Eventually([&] { return gateway_.Metric("ocfsgw_recalls_total") >= count; }));
  }
  double Recalls() { return gateway_.Metric("ocfsgw_recalls_total"); }
  void ExpectNoTimer() { EXPECT_EQ(gateway_.Metric("ocfsgw_timer_releases_total"), 0); }

  HeldAccess backend_;
  std::unique_ptr<Watchdog> dog_;
  std::unique_ptr<Descriptor> busy_;
  std::list<std::unique_ptr<Doing>> applications_;
};

// recall waits for a page <- READ waits for the backend <- queued writer <- our lease
TEST_F(Deadlock, ARecallLeavesOutThePagesOfAReadThatWaitsInTheBackend) {
  Start();
  const auto file = Lease("f");
  backend_.HoldOf(gateway_.pid());
  Doing& read = Touch(file, kFar);
  ASSERT_TRUE(backend_.Await(gateway_.Source("f"), 1));
  Doing& write = Write("f");
  EXPECT_TRUE(write.Await(*dog_)) << "the writer waits for a READ that waits for the writer";
  backend_.LetGo();
  ASSERT_TRUE(read.Await(*dog_));
  EXPECT_EQ(file->map.data()[kFar], 'o');
  ExpectNoTimer();
}

// The same with a READ that the recall's invalidation found already waiting: it has to release by force.
TEST_F(Deadlock, AReadOfARecalledFileGivesTheLeaseBackFirst) {
  Start();
  const auto file = Lease("f");
  TakeAllWorkers();
  Doing& read = Touch(file, kFar);
  ASSERT_TRUE(read.AwaitRequest());
  const double recalls = Recalls();
  Doing& write = Write("f");
  AwaitRecalls(recalls + 1);
  ASSERT_FALSE(write.done()) << "the recall waits for a page whose READ nobody has seen";
  backend_.LetOneGo(gateway_.Source("busy"));
  EXPECT_TRUE(write.Await(*dog_)) << "the READ waits for the writer, the writer for the READ";
  backend_.LetGo();
  EXPECT_TRUE(read.Await(*dog_));
  EXPECT_GE(gateway_.Metric("ocfsgw_forced_releases_total"), 1);
  ExpectNoTimer();
}

// Whoever receives recalls never waits, neither for a worker nor for a page.
TEST_F(Deadlock, RecallsAreServedWhileAllWorkersAreInTheBackendAndOneWaitsForAPage) {
  Start();
  const auto file = Lease("f"), other = Lease("g");
  LeaseDirectory();
  TakeAllWorkers();
  Doing& read = Touch(file, kFar);
  ASSERT_TRUE(read.AwaitRequest());
  const double recalls = Recalls();
  Doing& stuck = Write("f");
  AwaitRecalls(recalls + 1);
  Doing& write = Write("g");
  EXPECT_TRUE(write.Await(*dog_)) << "its recall waits behind another one's page";
  ASSERT_TRUE(WriteFile(gateway_.Source("dir/new"), "new"));
  AwaitRecalls(recalls + 3);
  EXPECT_FALSE(stuck.done());
  dog_->Progress("the workers are back");
  backend_.LetGo();
  EXPECT_TRUE(stuck.Await(*dog_) && read.Await(*dog_));
  ExpectNoTimer();
}

// A handler that waited for a page would wait for a request that needs its own thread.
TEST_F(Deadlock, AHandlerDoesNotWaitForPages) {
  Start();
  const auto file = Lease("f");
  TakeAllWorkers();
  Doing& change = Do([file] { EXPECT_EQ(fchmod(file->fd.get(), 0600), 0); });
  ASSERT_TRUE(change.AwaitRequest());
  Doing& read = Touch(file, kFar);
  ASSERT_TRUE(read.AwaitRequest());
  backend_.LetGo(gateway_.Source("f"));
  backend_.LetOneGo(gateway_.Source("busy"));
  EXPECT_TRUE(change.Await(*dog_)) << "SETATTR waits for the page of the READ in the queue behind it";
  EXPECT_TRUE(read.Await(*dog_));
  ExpectNoTimer();
}

// GETATTRs wait for pages <- READ has the page <- no worker left
TEST_F(Deadlock, AttributesThatWaitForPagesLeaveWorkersForTheReads) {
  Start();
  const auto file = Lease("f");
  const Descriptor writer(open(gateway_.Source("f").c_str(), O_WRONLY | O_CLOEXEC));  // now none can be had
  backend_.HoldOf(gateway_.pid());
  Doing& uncovered = Touch(file, kFar);
  ASSERT_TRUE(backend_.Await(gateway_.Source("f"), 1));
  std::vector<Doing*> looks;
  for (int i = 0; i < kWorkers + 6; ++i) {
    looks.push_back(&Do([file] {
      struct stat st {};
      fstat(file->fd.get(), &st);
    }));
  }
  for (const Doing* look : looks) ASSERT_TRUE(look->AwaitRequest());
  Doing& read = Touch(file, kFar + off_t{kBlock});
  ASSERT_TRUE(read.AwaitRequest());
  backend_.LetGo();
  EXPECT_TRUE(uncovered.Await(*dog_));
  EXPECT_TRUE(read.Await(*dog_)) << "all workers wait for the page of a READ that needs one";
  for (const Doing* look : looks) EXPECT_TRUE(look->Await(*dog_));
  EXPECT_EQ(gateway_.Metric("ocfsgw_settle_timeouts_total"), 0);
  ExpectNoTimer();
}

// recall waits for the directory <- LOOKUP has it <- its handler waits in the backend
TEST_F(Deadlock, TheRecallOfADirectoryDoesNotWaitForWhoLooksUpAName) {
  Start();
  ASSERT_TRUE(backend_.Watch(gateway_.Source("dir/child"), /*opens=*/true));
  // The child is known from an earlier run, so that LOOKUP asks for its lease, and opens it for that.
  Describe(gateway_.Mount("dir/child"));
  busy_.reset();
  ASSERT_TRUE(gateway_.Restart("recall_deadline_ms=600000"));
  LeaseDirectory();
  backend_.HoldOf(gateway_.pid());
  Doing& look = Do([this] { Describe(gateway_.Mount("dir/child")); });
  ASSERT_TRUE(backend_.Await(gateway_.Source("dir/child"), 1));
  ASSERT_TRUE(look.AwaitRequest());
  const double recalls = Recalls();
  ASSERT_TRUE(WriteFile(gateway_.Source("dir/new"), "new"));
  AwaitRecalls(recalls + 1);
  Doing& barrier = Do([this] { gateway_.Barrier(); });
  EXPECT_TRUE(barrier.Await(*dog_))
      << "the directory's lease is not given back while LOOKUP has the directory";
  EXPECT_FALSE(look.done());
  backend_.LetGo();
  EXPECT_TRUE(look.Await(*dog_));
  ExpectNoTimer();
}

// recall waits for the directory <- CREATE has it <- its handler waits in the backend
TEST_F(Deadlock, TheRecallOfADirectoryDoesNotWaitForWhoCreatesAName) {
  Start();
  const std::string created = gateway_.Source("dir/created");
  ASSERT_TRUE(backend_.WatchChildren(gateway_.Source("dir")));
  LeaseDirectory();
  backend_.HoldOf(gateway_.pid());
  Doing& create = Do([this] { EXPECT_TRUE(WriteFile(gateway_.Mount("dir/created"), "through the mount")); });
  ASSERT_TRUE(Eventually([&] { return access(created.c_str(), F_OK) == 0; }));
  ASSERT_TRUE(backend_.Await(created, 1));
  ASSERT_TRUE(WriteFile(gateway_.Source("dir/new"), "new"));
  Doing& barrier = Do([this] { gateway_.Barrier(); });
  EXPECT_TRUE(barrier.Await(*dog_))
      << "the directory's lease is not given back while CREATE has the directory";
  EXPECT_FALSE(create.done());
  backend_.LetGo();
  EXPECT_TRUE(create.Await(*dog_));
  ExpectNoTimer();
}

// stop waits for a notifier <- page of a request nobody answers any more
TEST_F(Deadlock, AStopDoesNotWaitForAPageWhoseReadNobodyAnswers) {
  Start(600'000, ",guardian=0");  // nobody else does, either
  const auto file = Lease("f");
  const pid_t pid = gateway_.pid();
  backend_.HoldOf(pid);
  Do([this] { LookAtBusy(0); });  // the last worker
  ASSERT_TRUE(backend_.Await(gateway_.Source("busy"), 1));
  ASSERT_EQ(kill(pid, SIGTERM), 0);
  ASSERT_TRUE(Eventually([&] { return WaitsOf(pid).find("fuse_dev_do_read") == std::string::npos; }));
  Doing& read = Touch(file, kFar);
  ASSERT_TRUE(read.AwaitRequest());
  Doing& write = Write("f");
  ASSERT_TRUE(Eventually([&] { return WaitsOf(pid).find("fuse_reverse_inval_inode") != std::string::npos; }));
  backend_.LetGo();
  EXPECT_EQ(WaitForChild(pid), 0) << "it waits for its notifier, which waits for the page";
  EXPECT_TRUE(write.Await(*dog_) && read.Await(*dog_));
}

// Where nothing else cuts a cycle, the timer does: here the writer waits for a page that is locked until a
// worker is free, and no worker is until the writer has written.
TEST_F(Deadlock, TheTimerCutsWhatNothingElseCuts) {
  Start(/*deadline_ms=*/1000);
  const auto file = Lease("f");
  TakeAllWorkers();
  Doing& read = Touch(file, kFar);
  ASSERT_TRUE(read.AwaitRequest());
  Doing& write = Write("f");
  EXPECT_TRUE(write.Await(*dog_));
  backend_.LetGo();
  EXPECT_TRUE(read.Await(*dog_));
  EXPECT_EQ(gateway_.Metric("ocfsgw_timer_releases_total"), 1);
}

// Attributes are taken back first, by whoever gives the lease back: when the timer lets the writer of one
// file go while all the others wait for pages of other files, its old attributes must have gone all the same.
TEST_F(Deadlock, AttributesDoNotWaitBehindThePagesOfOtherFiles) {
  constexpr const char* kNew = "longer than before";
  std::vector<std::string> names;
  for (int i = 0; i < kNotifiers; ++i) {
    names.push_back("many" + std::to_string(i));
    ASSERT_TRUE(WriteFile(gateway_.Source(names.back()), std::string(kFileBytes, 'm')));
  }
  Start(/*deadline_ms=*/4000);
  const auto file = Lease("g");
  std::vector<std::shared_ptr<Leased>> many;
  for (const std::string& name : names) many.push_back(Lease(name));
  TakeAllWorkers();
  std::vector<Doing*> all;
  const double recalls = Recalls();
  for (int i = 0; i < kNotifiers; ++i) {
    all.push_back(&Touch(many[i], kFar));
    ASSERT_TRUE(all.back()->AwaitRequest());
    all.push_back(&Write(names[i]));
    AwaitRecalls(recalls + i + 1);
  }
  Doing& write = Do([this] { EXPECT_TRUE(AppendFile(gateway_.Source("g"), kNew)); });
  EXPECT_TRUE(write.Await(*dog_));
  const auto st = std::make_shared<struct stat>();
  Doing& look = Do([file, st] { EXPECT_EQ(fstat(file->fd.get(), st.get()), 0); });
  EXPECT_TRUE(look.AwaitRequest());
  backend_.LetGo();
  EXPECT_TRUE(look.Await(*dog_));
  EXPECT_EQ(static_cast<size_t>(st->st_size), kFileBytes + std::string(kNew).size());
  for (const Doing* application : all) EXPECT_TRUE(application->Await(*dog_));
}

}  // namespace
}  // namespace ocfsgw::mounttest
