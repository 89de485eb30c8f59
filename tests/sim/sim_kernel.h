#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>

#include "base/executor.h"
#include "coherence/coherent_fs.h"

namespace ocfsgw::sim {

/// The kernel's side of one mount, as far as pages of 4096 bytes go: a read asks for attributes first, unless
/// it was told to trust those it has, then uses the pages it has and sends a READ for those it lacks, which
/// it keeps locked until the answer; an invalidation waits for locked pages. Thread-safe.
class SimKernel final : public coherence::KernelCache {
 public:
  static constexpr uint64_t kPage = 4096;

  SimKernel() : notifiers_({.name = "sim-notify", .threads = 4, .queue_max = 1 << 20}) {}

  /// read(2) of a whole file of at most one page.
  Result<std::string> Read(coherence::CoherentFs& fs, coherence::OpenFile& file);
  /// write(2) of the first bytes of a file through the page cache.
  Status Write(coherence::CoherentFs& fs, coherence::OpenFile& file, const std::string& bytes);

  void ForgetAttributes(InodeId inode) override;
  void InvalidatePages(InodeId inode, std::vector<coherence::ByteRange> ranges,
                       std::function<void()> done) override;
  void Stop() { notifiers_.Stop(); }

 private:
  struct Page {
    bool locked = false;
    bool uptodate = false;
    std::string bytes;
  };
  struct Attributes {
    std::optional<uint64_t> trusted_size;
    uint64_t version = 0;  ///< Answers to what was asked before an invalidation are not kept.
  };
  Result<uint64_t> Size(coherence::CoherentFs& fs, const coherence::InodePtr& inode);
  void LockPage(std::unique_lock<std::mutex>& guard, InodeId id);
  void UnlockPage(InodeId id);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<InodeId, Page> pages_;
  std::map<InodeId, Attributes> attributes_;
  AsioExecutor notifiers_;
};

}  // namespace ocfsgw::sim
