// The provider on an ordinary directory whose lock files are FIFOs: one whose other end the test holds can be
// opened, a byte in it is a recall, and it has no value block. A UNIX socket cannot be opened at all.
#include "ocfs2-backend/o2dlm_lease_provider.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <map>
#include <thread>

#include "tests/unit/ocfs2-backend/temp_dir.h"

namespace ocfsgw::ocfs2 {
namespace {

using coherence::LeaseKey;
using coherence::NodeRef;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kDomain = "29ECA91BEF814E4B959F4904AA7D2427";

class Node final : public coherence::BackendNode {
 public:
  using BackendNode::BackendNode;
  std::string Token() const override { return {}; }
};

class Listener final : public coherence::LeaseListener {
 public:
  void OnRecall(InodeId inode, LeaseKey) override {
    MutexLock lock(mutex_);
    recalled_.push_back(inode);
  }
  void OnLeasesLost(const std::string&) override {
    MutexLock lock(mutex_);
    ++losses_;
  }
  std::vector<InodeId> recalled() const {
    MutexLock lock(mutex_);
    return recalled_;
  }
  int losses() const {
    MutexLock lock(mutex_);
    return losses_;
  }

 private:
  mutable Mutex mutex_;
  std::vector<InodeId> recalled_ GUARDED_BY(mutex_);
  int losses_ GUARDED_BY(mutex_) = 0;
};

class O2dlmLeaseProviderTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::mkdir(DomainPath().c_str(), 0700), 0);
    O2dlmOptions options;
    options.dlmfs = dlmfs_.path();
    options.uuid = kDomain;
    options.cluster_size = 4096;
    options.prime = [this](const NodeRef& node) { prime_(node); };
    options.clock = &clock_;
    options.any_file_system = true;
    auto opened = O2dlmLeaseProvider::Open(std::move(options));
    ASSERT_TRUE(opened.ok()) << opened.status().ToString();
    provider_ = *std::move(opened);
    provider_->Start(&listener_);
  }

  std::string DomainPath() const { return dlmfs_ / kDomain; }
  std::string PathOf(LockKind kind, const NodeRef& node) const {
    return DomainPath() + "/" + LockName(kind, node->id().ino, node->id().generation);
  }
  // An inode whose locks can be had.
  NodeRef MakeInode(uint64_t ino, std::initializer_list<LockKind> kinds = {LockKind::kMeta, LockKind::kWrite,
                                                                           LockKind::kOpen}) {
    auto node = std::make_shared<Node>(InodeId{ino, 7});
    for (const LockKind kind : kinds) {
      const std::string path = PathOf(kind, node);
      EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
      const UniqueFd both(::open(path.c_str(), O_RDWR | O_CLOEXEC));
      ends_[path] = UniqueFd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    }
    return node;
  }
  // One whose M lock fails.
  NodeRef MakeBadInode(uint64_t ino) {
    NodeRef node = MakeInode(ino);
    const std::string path = PathOf(LockKind::kMeta, node);
    EXPECT_EQ(::unlink(path.c_str()), 0);
    EXPECT_EQ(::mknod(path.c_str(), S_IFSOCK | 0600, 0), 0);
    return node;
  }
  bool IsHeld(LockKind kind, const NodeRef& node) {
    pollfd end{ends_.at(PathOf(kind, node)).get(), 0, 0};
    EXPECT_GE(::poll(&end, 1, 0), 0);
    return (end.revents & POLLERR) == 0;  // a FIFO's writer sees POLLERR while nobody has it open for reading
  }
  void Recall(const NodeRef& node) {
    ASSERT_EQ(::write(ends_.at(PathOf(LockKind::kMeta, node)).get(), "!", 1), 1);
    ASSERT_TRUE(provider_->Barrier().ok());
  }
  int Losses() {
    EXPECT_TRUE(provider_->Barrier().ok());
    return listener_.losses();
  }
  Status Acquire(const NodeRef& node) { return provider_->Acquire(node).status(); }

  const TempDir dlmfs_{"/tmp"};
  SimClock clock_;
  Listener listener_;
  std::function<void(const NodeRef&)> prime_ = [](const NodeRef&) {};
  std::map<std::string, UniqueFd> ends_;
  std::unique_ptr<O2dlmLeaseProvider> provider_;
};

TEST_F(O2dlmLeaseProviderTest, HoldsMUntilReleasedAndTellsOfARecall) {
  const NodeRef node = MakeInode(1);
  const auto grant = provider_->Acquire(node);
  ASSERT_TRUE(grant.ok()) << grant.status().ToString();
  EXPECT_TRUE(IsHeld(LockKind::kMeta, node));
  EXPECT_FALSE(IsHeld(LockKind::kWrite, node));
  Recall(node);
  EXPECT_EQ(listener_.recalled(), std::vector<InodeId>{node->id()});
  EXPECT_TRUE(IsHeld(LockKind::kMeta, node));
  provider_->Release(grant->key);
  EXPECT_FALSE(IsHeld(LockKind::kMeta, node));
}

TEST_F(O2dlmLeaseProviderTest, ARootsRecallIsThatOfItsTree) {
  const NodeRef root = MakeInode(1), member = MakeInode(2), other = MakeInode(3);
  const auto grant = provider_->Acquire(root);
  ASSERT_TRUE(grant.ok()) << grant.status().ToString();
  const auto key = provider_->AcquireUnder(grant->key, member);
  ASSERT_TRUE(key.ok()) << key.status().ToString();
  EXPECT_FALSE(IsHeld(LockKind::kMeta, member)) << "it costs no lock";
  ASSERT_TRUE(Acquire(other).ok());
  provider_->Release(grant->key);
  EXPECT_TRUE(IsHeld(LockKind::kMeta, root)) << "for the member";
  Recall(root);
  EXPECT_EQ(listener_.recalled(), std::vector<InodeId>{member->id()});
  EXPECT_TRUE(IsHeld(LockKind::kMeta, root));
  EXPECT_TRUE(Acquire(root).Is(StatusCode::kBusy)) << "it would wait for the member's end";
  EXPECT_TRUE(provider_->AcquireUnder(grant->key, other).status().Is(StatusCode::kBusy));
  provider_->Release(*key);
  EXPECT_FALSE(IsHeld(LockKind::kMeta, root));
}

// The other order is a deadlock with every O_DIRECT writer: it has W and wants M.
TEST_F(O2dlmLeaseProviderTest, WaitsForMWithWHeld) {
  const NodeRef node = MakeInode(1);
  const std::string meta = PathOf(LockKind::kMeta, node);
  ends_.at(meta) = {};  // a writer has M
  std::atomic<bool> done{false};
  std::thread acquirer([&] {
    EXPECT_TRUE(Acquire(node).ok());
    done = true;
  });
  const auto end = std::chrono::steady_clock::now() + seconds(10);
  while (!IsHeld(LockKind::kWrite, node) && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  EXPECT_TRUE(IsHeld(LockKind::kWrite, node)) << "it waits for M and has not taken W";
  EXPECT_FALSE(done);
  const UniqueFd both(::open(meta.c_str(), O_RDWR | O_CLOEXEC));  // the writer gives M back, for good
  ends_.at(meta) = UniqueFd(::open(meta.c_str(), O_WRONLY | O_CLOEXEC));
  acquirer.join();
  EXPECT_FALSE(IsHeld(LockKind::kWrite, node));
}

TEST_F(O2dlmLeaseProviderTest, PrimesAnEmptyValueBlockOnceAndWithNoLockHeld) {
  const NodeRef node = MakeInode(1);
  int primed = 0;
  prime_ = [&](const NodeRef& which) {
    ++primed;
    EXPECT_EQ(which, node);
    EXPECT_FALSE(IsHeld(LockKind::kMeta, node)) << "priming waits for itself";
    EXPECT_FALSE(IsHeld(LockKind::kWrite, node)) << "a local writer that waits for it has the inode";
  };
  const auto grant = provider_->Acquire(node);
  ASSERT_TRUE(grant.ok()) << grant.status().ToString();
  EXPECT_EQ(primed, 1);
  EXPECT_FALSE(grant->attr) << "still empty: the caller asks the backend";
  EXPECT_TRUE(IsHeld(LockKind::kMeta, node));
  EXPECT_TRUE(listener_.recalled().empty());
}

// See open_pins.h: O is taken between the recall and the end of the lease, and leaves the node with the last
// pin.
TEST_F(O2dlmLeaseProviderTest, AnOpenFileIsPinnedWhenItsLeaseIsGivenBackAndNoLonger) {
  const NodeRef node = MakeInode(1);
  const std::string open_lock = PathOf(LockKind::kOpen, node);
  const auto grant = provider_->Acquire(node);
  ASSERT_TRUE(grant.ok());
  auto first = provider_->PinOpen(node), second = provider_->PinOpen(node);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_FALSE(IsHeld(LockKind::kOpen, node)) << "the lease is enough";
  provider_->Release(grant->key);
  while (IsHeld(LockKind::kMeta, node)) std::this_thread::yield();
  EXPECT_TRUE(IsHeld(LockKind::kOpen, node));
  first->reset();
  EXPECT_TRUE(IsHeld(LockKind::kOpen, node));
  second->reset();
  EXPECT_FALSE(IsHeld(LockKind::kOpen, node));
  EXPECT_NE(::access(open_lock.c_str(), F_OK), 0) << "closed, it would leave the lock with the node";
}

TEST_F(O2dlmLeaseProviderTest, AFileClosedUnderItsLeaseNeedsNoOpenLock) {
  const NodeRef node = MakeInode(1);
  const auto grant = provider_->Acquire(node);
  ASSERT_TRUE(grant.ok());
  ASSERT_TRUE(provider_->PinOpen(node).ok());
  provider_->Release(grant->key);
  EXPECT_FALSE(IsHeld(LockKind::kMeta, node)) << "at once";
  EXPECT_FALSE(IsHeld(LockKind::kOpen, node));
}

TEST_F(O2dlmLeaseProviderTest, TheLockOfAppendsIsHeldForAsLongAsItIsWanted) {
  const NodeRef node = MakeInode(1, {LockKind::kAppend});
  auto first = provider_->LockAppends(node), second = provider_->LockAppends(node);
  ASSERT_TRUE(first.ok() && second.ok()) << "appends of one node are kept apart by its kernel";
  first->reset();
  EXPECT_TRUE(IsHeld(LockKind::kAppend, node));
  second->reset();
  EXPECT_FALSE(IsHeld(LockKind::kAppend, node));
}

TEST_F(O2dlmLeaseProviderTest, OneBadLockConcernsItsInodeOnly) {
  const NodeRef good = MakeInode(1), bad = MakeBadInode(2), worse = MakeBadInode(3);
  ASSERT_TRUE(Acquire(good).ok());
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(Acquire(bad).Is(StatusCode::kBusy));
  // The W lock of a second one is a success in between.
  EXPECT_TRUE(Acquire(worse).Is(StatusCode::kBusy));
  EXPECT_EQ(Losses(), 0);
  EXPECT_TRUE(IsHeld(LockKind::kMeta, good));
}

TEST_F(O2dlmLeaseProviderTest, SeveralBadLocksAreALostDomain) {
  const NodeRef good = MakeInode(1);
  const auto grant = provider_->Acquire(good);
  ASSERT_TRUE(grant.ok());
  for (uint64_t ino = 2; ino <= 4; ++ino) {
    const NodeRef bad = MakeInode(ino);
    const std::string path = PathOf(LockKind::kWrite, bad);
    ASSERT_EQ(::unlink(path.c_str()), 0);
    ASSERT_EQ(::mknod(path.c_str(), S_IFSOCK | 0600, 0), 0);
    const Status failed = Acquire(bad);
    EXPECT_TRUE(failed.Is(ino < 4 ? StatusCode::kBusy : StatusCode::kUnavailable)) << failed.ToString();
  }
  EXPECT_EQ(Losses(), 1);
  Recall(good);
  EXPECT_TRUE(listener_.recalled().empty()) << "a recall after the loss, of which all was told";
  provider_->Release(grant->key);
  EXPECT_TRUE(Acquire(good).Is(StatusCode::kUnavailable));
  clock_.Advance(seconds(1));
  const NodeRef other = MakeInode(5);
  EXPECT_TRUE(Acquire(other).ok());
  EXPECT_EQ(Losses(), 1);
}

TEST_F(O2dlmLeaseProviderTest, ALostDomainIsJoinedAnewWithGrowingPauses) {
  const NodeRef node = MakeInode(1);
  const auto grant = provider_->Acquire(node);
  ASSERT_TRUE(grant.ok());
  std::filesystem::rename(DomainPath(), dlmfs_ / "kept");  // the locks stay what they are
  std::filesystem::create_directory(dlmfs_ / "removed");
  std::filesystem::rename(dlmfs_ / "kept", dlmfs_ / "removed/kept");
  dlmfs_.WriteFile(kDomain, "in the way of the directory");

  // Its descriptor of the directory is good as long as the directory exists, by whatever name.
  provider_->Release(grant->key);
  EXPECT_TRUE(Acquire(node).ok());
  std::filesystem::remove_all(dlmfs_ / "removed");
  EXPECT_TRUE(Acquire(node).Is(StatusCode::kUnavailable));
  EXPECT_EQ(Losses(), 1);
  for (const auto pause : {1, 2, 4, 8, 16, 32, 60, 60}) {
    clock_.Advance(seconds(pause) - milliseconds(1));
    std::filesystem::remove(dlmfs_ / kDomain);
    EXPECT_TRUE(Acquire(node).Is(StatusCode::kUnavailable)) << "after less than " << pause << " s";
    EXPECT_FALSE(std::filesystem::exists(DomainPath()));
    dlmfs_.WriteFile(kDomain, "");
    clock_.Advance(milliseconds(1));
    EXPECT_TRUE(Acquire(node).Is(StatusCode::kUnavailable));
  }
  std::filesystem::remove(dlmfs_ / kDomain);
  ASSERT_EQ(::mkdir(DomainPath().c_str(), 0700), 0);
  const NodeRef again = MakeInode(2);
  EXPECT_TRUE(Acquire(again).Is(StatusCode::kUnavailable));
  clock_.Advance(seconds(60));
  EXPECT_TRUE(Acquire(again).ok());
  EXPECT_EQ(Losses(), 1);

  // The next loss is told again, and tried again after a second.
  std::filesystem::remove_all(DomainPath());
  EXPECT_TRUE(Acquire(again).Is(StatusCode::kUnavailable));
  EXPECT_EQ(Losses(), 2);
  clock_.Advance(seconds(1));
  ASSERT_EQ(::mkdir(DomainPath().c_str(), 0700), 0);
  EXPECT_TRUE(Acquire(MakeInode(3)).ok());
}

TEST_F(O2dlmLeaseProviderTest, WithoutDescriptorsThereIsNoLeaseAndNothingIsLost) {
  const NodeRef node = MakeInode(1);
  const auto grant = provider_->Acquire(MakeInode(2));
  ASSERT_TRUE(grant.ok());
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const UniqueFd lowest_free(::dup(0));
  for (rlim_t extra = 0; extra < 2; ++extra) {  // the first, then the second descriptor is refused
    const rlimit low{static_cast<rlim_t>(lowest_free.get()) + 1 + extra, limit.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
    EXPECT_TRUE(Acquire(node).Is(StatusCode::kBusy)) << extra;
  }
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_FALSE(IsHeld(LockKind::kWrite, node));
  EXPECT_TRUE(Acquire(node).ok());
  EXPECT_EQ(Losses(), 0);
}

TEST_F(O2dlmLeaseProviderTest, LeasesLeaveDescriptorsForWhatIsServedWithoutThem) {
  std::vector<NodeRef> nodes;
  for (uint64_t ino = 1; ino <= 30; ++ino) nodes.push_back(MakeInode(ino));
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit low{160, limit.rlim_max};  // about 100 are open
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  Status last;
  size_t granted = 0;
  while (granted < nodes.size() && (last = Acquire(nodes[granted])).ok()) ++granted;
  std::vector<UniqueFd> spare;
  for (int i = 0; i < 16; ++i) spare.emplace_back(::dup(0));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_TRUE(last.Is(StatusCode::kBusy)) << last.ToString();
  EXPECT_GT(granted, 0U);
  EXPECT_TRUE(spare.back()) << "after " << granted << " leases";
  EXPECT_EQ(Losses(), 0);
}

}  // namespace
}  // namespace ocfsgw::ocfs2
