#include "ocfs2-backend/local_lease_provider.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <set>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "tests/unit/ocfs2-backend/temp_dir.h"

namespace ocfsgw::ocfs2 {
namespace {

using coherence::LeaseKey;
using coherence::NodeRef;

class Listener final : public coherence::LeaseListener {
 public:
  void OnRecall(InodeId inode, LeaseKey key) override {
    MutexLock lock(mutex_);
    recalls_.emplace_back(inode, key);
    changed_.NotifyAll();
    while (held_up_) changed_.Wait(mutex_);
  }
  void OnLeasesLost(const std::string&) override { ++lost; }

  std::vector<LeaseKey> Keys() {
    MutexLock lock(mutex_);
    std::vector<LeaseKey> keys;
    for (const auto& recall : recalls_) keys.push_back(recall.second);
    return keys;
  }
  void HoldUp(bool held_up) {
    MutexLock lock(mutex_);
    held_up_ = held_up;
    changed_.NotifyAll();
  }
  void WaitForRecalls(size_t count) {
    MutexLock lock(mutex_);
    while (recalls_.size() < count) changed_.Wait(mutex_);
  }

  std::atomic<int> lost{0};

 private:
  Mutex mutex_;
  CondVar changed_;
  bool held_up_ GUARDED_BY(mutex_) = false;
  std::vector<std::pair<InodeId, LeaseKey>> recalls_ GUARDED_BY(mutex_);
};

class LocalLeaseTest : public testing::Test {
 protected:
  void SetUp() override { provider_->Start(&listener_); }
  void TearDown() override { provider_->Stop(); }

  NodeRef File(const std::string& name) {
    dir_.WriteFile(name, "content");
    return Find(name);
  }
  NodeRef Find(const std::string& name) { return backend_->Lookup(backend_->Root(), name)->node; }
  LeaseKey Acquire(const NodeRef& node) {
    auto grant = provider_->Acquire(node);
    EXPECT_TRUE(grant.ok()) << grant.status().ToString();
    return grant.ok() ? grant->key : LeaseKey{};
  }
  // Whether `change` recalls a lease on `node`, told before Barrier returns.
  bool Recalls(const NodeRef& node, const std::function<void()>& change) {
    const LeaseKey key = Acquire(node);
    EXPECT_TRUE(provider_->Barrier().ok());
    const auto before = listener_.Keys().size();
    change();
    EXPECT_TRUE(provider_->Barrier().ok());
    const auto keys = listener_.Keys();
    provider_->Release(key);
    EXPECT_LE(keys.size(), before + 1);
    return keys.size() > before && keys.back() == key;
  }

  TempDir dir_{"/tmp"};
  std::unique_ptr<PosixBackend> backend_ = OpenBackend(dir_.path());
  Listener listener_;
  std::unique_ptr<LocalLeaseProvider> provider_ = *LocalLeaseProvider::Open(*backend_);
};

TEST_F(LocalLeaseTest, WriterWaitsUntilRelease) {
  const LeaseKey key = Acquire(File("f"));
  std::atomic<bool> opened{false};
  std::thread writer([&] {
    const UniqueFd fd(::open((dir_ / "f").c_str(), O_WRONLY));
    opened = true;
  });
  listener_.WaitForRecalls(1);
  EXPECT_EQ(listener_.Keys().at(0), key);
  EXPECT_FALSE(opened);
  provider_->Release(key);
  writer.join();
}

TEST_F(LocalLeaseTest, TruncateWaitsToo) {
  const LeaseKey key = Acquire(File("f"));
  std::thread writer([&] { EXPECT_EQ(::truncate((dir_ / "f").c_str(), 1), 0); });
  listener_.WaitForRecalls(1);
  provider_->Release(key);
  writer.join();
}

TEST_F(LocalLeaseTest, BusyWhileAWriterHasItOpen) {
  const NodeRef node = File("f");
  {
    const UniqueFd writer(::open((dir_ / "f").c_str(), O_WRONLY));
    EXPECT_TRUE(provider_->Acquire(node).status().Is(StatusCode::kBusy));
  }
  provider_->Release(Acquire(node));
}

TEST_F(LocalLeaseTest, ChangesOfAFile) {
  const NodeRef node = File("f");
  const std::string path = dir_ / "f";
  EXPECT_TRUE(Recalls(node, [&] { ::chmod(path.c_str(), 0600); }));
  EXPECT_TRUE(Recalls(node, [&] { ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0); }));
  EXPECT_TRUE(Recalls(node, [&] { ::link(path.c_str(), (dir_ / "g").c_str()); }));
  EXPECT_TRUE(Recalls(node, [&] { ::rename(path.c_str(), (dir_ / "h").c_str()); }));
  EXPECT_TRUE(Recalls(node, [&] { ::setxattr((dir_ / "h").c_str(), "user.x", "v", 1, 0); }));
  EXPECT_TRUE(Recalls(node, [&] { ::unlink((dir_ / "h").c_str()); }));
  EXPECT_FALSE(Recalls(node, [&] {
    const UniqueFd reader(::open((dir_ / "g").c_str(), O_RDONLY));
    char byte = 0;
    EXPECT_EQ(::read(reader.get(), &byte, 1), 1);
  }));
}

TEST_F(LocalLeaseTest, ChangesOfADirectory) {
  const NodeRef sub = backend_->MakeDirectory(backend_->Root(), "sub", 0755, {})->node;
  const std::string path = dir_ / "sub", file = path + "/f";
  EXPECT_TRUE(Recalls(sub, [&] { ::mknod(file.c_str(), S_IFREG | 0644, 0); }));
  EXPECT_FALSE(Recalls(sub, [&] { ::chmod(file.c_str(), 0600); })) << "a child's attributes are its own";
  EXPECT_FALSE(Recalls(sub, [&] { ::truncate(file.c_str(), 10); }));
  EXPECT_TRUE(Recalls(sub, [&] { ::rename(file.c_str(), (path + "/g").c_str()); }));
  EXPECT_TRUE(Recalls(sub, [&] { ::unlink((path + "/g").c_str()); }));
  EXPECT_TRUE(Recalls(sub, [&] { ::chmod(path.c_str(), 0700); }));
  EXPECT_TRUE(Recalls(sub, [&] { ::rename(path.c_str(), (dir_ / "sub2").c_str()); }));
  EXPECT_EQ(Recalls(sub, [&] { ::rmdir((dir_ / "sub2").c_str()); }), backend_->uses_handles());
}

TEST_F(LocalLeaseTest, ChangesOfASymbolicLink) {
  const NodeRef link = backend_->MakeSymlink(backend_->Root(), "l", "target", {})->node;
  const std::string path = dir_ / "l";
  EXPECT_TRUE(Recalls(link, [&] { ::utimensat(AT_FDCWD, path.c_str(), nullptr, AT_SYMLINK_NOFOLLOW); }));
  EXPECT_TRUE(Recalls(link, [&] { ::unlink(path.c_str()); }));
}

TEST_F(LocalLeaseTest, OneRecallPerKeyAndKeysAreNotUsedAgain) {
  const NodeRef node = File("f");
  std::set<LeaseKey> keys;
  for (int i = 0; i < 100; ++i) {
    const LeaseKey key = Acquire(node);
    EXPECT_TRUE(keys.insert(key).second);
    ::chmod((dir_ / "f").c_str(), 0600);
    ::chmod((dir_ / "f").c_str(), 0644);
    ASSERT_TRUE(provider_->Barrier().ok());
    provider_->Release(key);
    provider_->Release(key);
  }
  EXPECT_EQ(listener_.Keys().size(), keys.size());
}

TEST_F(LocalLeaseTest, ReleasedLeasesAreNotRecalled) {
  const LeaseKey key = Acquire(File("f"));
  provider_->Release(key);
  dir_.WriteFile("f", "changed");
  ASSERT_TRUE(provider_->Barrier().ok());
  EXPECT_TRUE(listener_.Keys().empty());
}

TEST_F(LocalLeaseTest, QueueOverflowVoidsAllLeases) {
  int queue_max = 0;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> queue_max;
  const NodeRef sub = backend_->MakeDirectory(backend_->Root(), "sub", 0755, {})->node;
  const NodeRef file = File("f");
  Acquire(sub);
  Acquire(file);
  listener_.HoldUp(true);  // the recall thread is stuck in its first recall, while the queue fills
  for (int i = 0; i <= queue_max + 1; ++i) {
    ASSERT_EQ(::symlink("t", (dir_ / ("sub/s" + std::to_string(i))).c_str()), 0);
    if (i == 0) listener_.WaitForRecalls(1);
  }
  listener_.HoldUp(false);
  ASSERT_TRUE(provider_->Barrier().ok());
  EXPECT_EQ(listener_.lost, 1);
  EXPECT_EQ(listener_.Keys().size(), 1U) << "the other lease is void, and not recalled on top";
}

TEST_F(LocalLeaseTest, StopReleasesEverything) {
  const NodeRef node = File("f");
  Acquire(node);
  provider_->Stop();
  const UniqueFd writer(::open((dir_ / "f").c_str(), O_WRONLY | O_NONBLOCK));
  EXPECT_TRUE(writer) << "no lease left";
  EXPECT_TRUE(provider_->Acquire(node).status().Is(StatusCode::kShutdown));
  EXPECT_TRUE(provider_->Barrier().Is(StatusCode::kShutdown));
}

TEST_F(LocalLeaseTest, APinKeepsWhatIsRemovedButHoldsUpNobody) {
  const NodeRef node = File("f");
  const LeaseKey key = Acquire(node);
  auto pin = provider_->PinOpen(node);
  auto another = provider_->PinOpen(node);
  ASSERT_TRUE(pin.ok() && another.ok());
  ASSERT_EQ(::unlink((dir_ / "f").c_str()), 0);
  listener_.WaitForRecalls(1);
  provider_->Release(key);
  pin->reset();
  const auto opened = backend_->Open(node, O_RDWR);  // nobody waits for the lease that was
  ASSERT_TRUE(opened.ok()) << opened.status().ToString();
  EXPECT_EQ((*opened)->Stat()->size, std::string("content").size());
}

TEST_F(LocalLeaseTest, WhatIsRemovedGoesWithItsLastPin) {
  const NodeRef node = File("f");
  const LeaseKey key = Acquire(node);
  auto pin = provider_->PinOpen(node);
  ASSERT_TRUE(pin.ok());
  ASSERT_EQ(::unlink((dir_ / "f").c_str()), 0);
  listener_.WaitForRecalls(1);
  provider_->Release(key);
  EXPECT_TRUE(backend_->Stat(node).ok());
  pin->reset();
  EXPECT_TRUE(backend_->Stat(node).status().IsErrno(ESTALE));
}

// Leases come and go in several threads while writers open the same files: nobody hangs, no recall comes
// twice.
TEST_F(LocalLeaseTest, ConcurrentAcquireReleaseAndWriters) {
  constexpr int kFiles = 4, kRounds = 300;
  std::vector<NodeRef> nodes;
  for (int i = 0; i < kFiles; ++i) nodes.push_back(File("f" + std::to_string(i)));
  std::atomic<int> granted{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kFiles; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < kRounds; ++round) {
        auto grant = provider_->Acquire(nodes[i]);
        if (!grant.ok()) {
          EXPECT_TRUE(grant.status().Is(StatusCode::kBusy)) << grant.status().ToString();
          continue;
        }
        ++granted;
        if (round % 50 == 0) EXPECT_TRUE(provider_->Barrier().ok());
        provider_->Release(grant->key);
      }
    });
    threads.emplace_back([&, i] {
      const std::string path = dir_ / ("f" + std::to_string(i));
      for (int round = 0; round < kRounds; ++round) {
        const UniqueFd fd(::open(path.c_str(), O_WRONLY));
        ::chmod(path.c_str(), 0644);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const auto keys = listener_.Keys();
  EXPECT_EQ(std::set<LeaseKey>(keys.begin(), keys.end()).size(), keys.size());
  EXPECT_GT(granted, 0);
}

}  // namespace
}  // namespace ocfsgw::ocfs2
