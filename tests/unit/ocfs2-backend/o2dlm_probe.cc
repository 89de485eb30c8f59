// Runs the real O2dlmLeaseProvider on a cluster node, for a person or a script to watch:
//   o2dlm_probe DLMFS DIRECTORY SECONDS [hold|loop|pin|stale]
// hold:  takes a lease on every entry of DIRECTORY, compares value blocks with stat, keeps the leases until
//        they are recalled, then takes them again.
// loop:  takes and releases them without pause.
// pin:   takes open locks, waits, reads every regular file by handle.
// stale: asks for leases of inodes with the same block numbers and other generations.
// Exit codes: 0 done, 1 usage, 2 directory or lock domain cannot be used, 4 a value block was not as stat.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "ocfs2-backend/o2dlm_lease_provider.h"
#include "ocfs2-backend/posix_backend.h"

namespace ocfsgw::ocfs2 {
namespace {

using coherence::FileAttr;
using coherence::Found;
using coherence::LeaseKey;
using std::chrono::steady_clock;

// Keeps what was recalled; the main thread gives it back.
class Recalls final : public coherence::LeaseListener {
 public:
  void OnRecall(InodeId inode, LeaseKey key) override {
    MutexLock lock(mutex_);
    keys_.emplace_back(inode, key);
  }
  void OnLeasesLost(const std::string& why) override { fmt::print("leases lost: {}\n", why); }
  std::vector<std::pair<InodeId, LeaseKey>> Take() {
    MutexLock lock(mutex_);
    return std::exchange(keys_, {});
  }

 private:
  Mutex mutex_;
  std::vector<std::pair<InodeId, LeaseKey>> keys_ GUARDED_BY(mutex_);
};

class OtherGeneration final : public coherence::BackendNode {
 public:
  explicit OtherGeneration(InodeId id) : BackendNode({id.ino, id.generation + 1}) {}
  std::string Token() const override { return {}; }
};

bool SameAttr(const FileAttr& a, const FileAttr& b) {
  return a.id == b.id && a.mode == b.mode && a.nlink == b.nlink && a.uid == b.uid && a.gid == b.gid &&
         a.size == b.size && a.blocks == b.blocks && a.blksize == b.blksize && a.mtime == b.mtime &&
         a.ctime == b.ctime;
}

class Probe {
 public:
  Probe(PosixBackend& backend, O2dlmLeaseProvider& provider, steady_clock::time_point end)
      : backend_(backend), provider_(provider), end_(end) {
    provider_.Start(&recalls_);
    files_.emplace(".", Found{backend_.Root(), {}});
    const auto entries = backend_.List(backend_.Root());
    for (const auto& entry : *entries) {
      auto found = backend_.Lookup(backend_.Root(), entry.name);
      if (found.ok()) files_.emplace(entry.name, *found);
    }
  }

  void Hold() {
    // Only at first: later a stat could hang behind a queued writer, as long as we hold the lease it wants.
    for (bool compare = true; steady_clock::now() < end_; compare = false) {
      AcquireAll(compare);
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      GiveBackRecalled();
    }
  }
  void Loop() {
    while (steady_clock::now() < end_) {
      AcquireAll(false);
      GiveBackRecalled();
      for (const auto& [inode, key] : std::exchange(held_, {})) provider_.Release(key);
    }
  }
  void Pin() {
    std::vector<std::unique_ptr<coherence::OpenPin>> pins;
    for (const auto& [name, found] : files_) pins.push_back(provider_.PinOpen(found.node).value());
    std::this_thread::sleep_until(end_);
    for (const auto& [name, found] : files_) {
      if (!S_ISREG(found.attr.mode)) continue;
      auto file = backend_.Open(found.node, O_RDONLY);
      std::vector<std::byte> bytes(4096);
      const auto got = file.ok() ? (*file)->Read(0, bytes) : file.status();
      fmt::print("{} pinned: {}\n", name, got.ok() ? std::to_string(*got) : got.status().ToString());
    }
  }
  void Stale() {
    for (const auto& [name, found] : files_) {
      const auto grant = provider_.Acquire(std::make_shared<OtherGeneration>(found.node->id()));
      fmt::print("{}: {}\n", name, grant.status().ToString());
    }
  }
  // True if no value block disagreed with stat.
  bool Finish() {
    const Status barrier = provider_.Barrier();
    provider_.Stop();
    fmt::print(
        "granted {}, with attributes {}, busy {}, failed {}, recalled {}, not as stat {}, slowest {:.3f} s, "
        "{}\n",
        granted_, with_attr_, busy_, failed_, recalled_, mismatched_, slowest_s_, barrier.ToString());
    return mismatched_ == 0;
  }

 private:
  void AcquireAll(bool compare) {
    for (const auto& [name, found] : files_) {
      if (!held_.contains(found.node->id())) Acquire(name, found, compare);
    }
  }
  void Acquire(const std::string& name, const Found& found, bool compare) {
    const auto before = steady_clock::now();
    const auto grant = provider_.Acquire(found.node);
    slowest_s_ = std::max(slowest_s_, std::chrono::duration<double>(steady_clock::now() - before).count());
    if (!grant.ok()) {
      ++(grant.status().Is(StatusCode::kBusy) ? busy_ : failed_);
      return;
    }
    ++granted_;
    held_[found.node->id()] = grant->key;
    if (!grant->attr) return;
    ++with_attr_;
    if (!compare) return;
    const auto stat = backend_.Stat(found.node);
    const bool same = stat.ok() && SameAttr(*grant->attr, *stat);
    if (!same) ++mismatched_;
    fmt::print("{}: value block mode {:o} size {} blocks {} {} as stat\n", name, grant->attr->mode,
               grant->attr->size, grant->attr->blocks, same ? "same" : "NOT");
  }
  void GiveBackRecalled() {
    for (const auto& [inode, key] : recalls_.Take()) {
      ++recalled_;
      provider_.Release(key);
      held_.erase(inode);
    }
  }

  PosixBackend& backend_;
  O2dlmLeaseProvider& provider_;
  const steady_clock::time_point end_;
  Recalls recalls_;
  std::map<std::string, Found> files_;
  std::map<InodeId, LeaseKey> held_;
  uint64_t granted_ = 0, with_attr_ = 0, busy_ = 0, failed_ = 0, recalled_ = 0, mismatched_ = 0;
  double slowest_s_ = 0;
};

int Unusable(const Status& status) {
  fmt::print(stderr, "{}\n", status.ToString());
  return 2;
}

int Run(const std::string& dlmfs, const std::string& directory, int seconds, const std::string& mode) {
  auto source = SourceMount::Open(directory);
  const Status usable = source.ok() ? (*source)->CheckClusterLeases() : source.status();
  if (!usable.ok()) return Unusable(usable);
  const Ocfs2Info info = (*source)->ocfs2();
  auto backend = PosixBackend::Open(*std::move(source));
  if (!backend.ok()) return Unusable(backend.status());
  const RealClock clock;
  auto provider =
      O2dlmLeaseProvider::Open({.dlmfs = dlmfs, .uuid = info.uuid, .cluster_size = info.cluster_size});
  if (!provider.ok()) return Unusable(provider.status());

  Probe probe(**backend, **provider, steady_clock::now() + std::chrono::seconds(seconds));
  if (mode == "hold") probe.Hold();
  if (mode == "loop") probe.Loop();
  if (mode == "pin") probe.Pin();
  if (mode == "stale") probe.Stale();
  return probe.Finish() ? 0 : 4;
}

}  // namespace
}  // namespace ocfsgw::ocfs2

int main(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr, "usage: o2dlm_probe DLMFS DIRECTORY SECONDS [hold|loop|pin|stale]\n");
    return 1;
  }
  return ocfsgw::ocfs2::Run(argv[1], argv[2], std::atoi(argv[3]), argc > 4 ? argv[4] : "hold");
}
