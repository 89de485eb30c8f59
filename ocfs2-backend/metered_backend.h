#pragma once

#include <array>
#include <memory>

#include "base/blocking.h"
#include "base/metrics.h"
#include "coherence/backend.h"

namespace ocfsgw::ocfs2 {

/// Operations counted one by one; the label `op` of the metrics.
enum class BackendOp {
  kLookup,
  kStat,
  kSetAttr,
  kReadLink,
  kList,
  kOpen,
  kCreate,
  kMakeNode,
  kMakeDirectory,
  kMakeSymlink,
  kLink,
  kUnlink,
  kRemoveDirectory,
  kRename,
  kGetXattr,
  kListXattr,
  kSetXattr,
  kRemoveXattr,
  kSyncDirectory,
  kStatFs,
  kRead,
  kWrite,
  kSync,
  kFlush,
  kAllocate,
  kSeek,
  kFileStat,
  kCopy,
  kLock,
  kIoctl,
  kBirth,
  kCreateUnnamed,
};

/// What a MeteredBackend and its files count. Thread-safe.
struct BackendCounters {
  static constexpr size_t kOps = static_cast<size_t>(BackendOp::kCreateUnnamed) + 1;

  explicit BackendCounters(MetricsRegistry& registry);
  void Count(BackendOp op, const Status& status);

  std::array<Counter*, kOps> operations{};
  std::array<Counter*, kOps> errors{};  ///< ENOENT, ENODATA, EWOULDBLOCK are answers, not errors.
  Counter* read_bytes = nullptr;
  Counter* written_bytes = nullptr;
};

/// Counts what reaches the backend below: ocfsgw_backend_operations_total and _errors_total by `op`,
/// ocfsgw_backend_read_bytes_total and _written_bytes_total. Whatever may block
/// says so first (AboutToBlock), the end of a file too. Thread-safe as the backend below.
/// Files it opens must come back to it alone (SetAttr). `registry` must outlive it and its files; one per
/// registry.
class MeteredBackend final : public coherence::Backend {
 public:
  MeteredBackend(std::unique_ptr<coherence::Backend> below, MetricsRegistry& registry)
      : below_(std::move(below)), counters_(std::make_shared<BackendCounters>(registry)) {}

  coherence::NodeRef Root() override { return below_->Root(); }
  Result<coherence::NodeRef> Resolve(InodeId id, const std::string& token) override {
    return Below().Resolve(id, token);
  }
  Result<coherence::Found> Lookup(const coherence::NodeRef& parent, const std::string& name) override;
  Result<coherence::FileAttr> Stat(const coherence::NodeRef& node) override;
  Result<std::optional<coherence::FileTime>> Birth(const coherence::NodeRef& node) override;
  Result<coherence::FileAttr> SetAttr(const coherence::NodeRef& node, const coherence::AttrChange& change,
                                      coherence::BackendFile* file) override;
  Result<std::string> ReadLink(const coherence::NodeRef& node) override;
  Result<std::vector<coherence::DirectoryEntry>> List(const coherence::NodeRef& directory) override;
  Result<std::unique_ptr<coherence::BackendFile>> Open(const coherence::NodeRef& node, int flags) override;
  Result<coherence::Created> Create(const coherence::NodeRef& parent, const std::string& name, uint32_t mode,
                                    int flags, const coherence::Caller& caller) override;
  Result<coherence::Created> CreateUnnamed(const coherence::NodeRef& directory, uint32_t mode, int flags,
                                           const coherence::Caller& caller) override;
  Result<coherence::Found> MakeNode(const coherence::NodeRef& parent, const std::string& name, uint32_t mode,
                                    uint64_t rdev, const coherence::Caller& caller) override;
  Result<coherence::Found> MakeDirectory(const coherence::NodeRef& parent, const std::string& name,
                                         uint32_t mode, const coherence::Caller& caller) override;
  Result<coherence::Found> MakeSymlink(const coherence::NodeRef& parent, const std::string& name,
                                       const std::string& target, const coherence::Caller& caller) override;
  Result<coherence::Found> Link(const coherence::NodeRef& node, const std::vector<coherence::Place>& places,
                                const coherence::NodeRef& parent, const std::string& name) override;
  std::shared_ptr<coherence::NodeHold> Hold(const coherence::NodeRef& node) override {
    return Below().Hold(node);
  }
  Status Unlink(const coherence::NodeRef& parent, const std::string& name) override;
  Status RemoveDirectory(const coherence::NodeRef& parent, const std::string& name) override;
  Status Rename(const coherence::NodeRef& from, const std::string& from_name, const coherence::NodeRef& to,
                const std::string& to_name, unsigned flags, const coherence::Caller& caller) override;
  Result<std::string> GetXattr(const coherence::NodeRef& node, const std::string& name) override;
  Result<std::string> ListXattr(const coherence::NodeRef& node) override;
  Status SetXattr(const coherence::NodeRef& node, const std::string& name, std::span<const std::byte> value,
                  int flags) override;
  Status RemoveXattr(const coherence::NodeRef& node, const std::string& name) override;
  Result<std::string> Ioctl(const coherence::NodeRef& node, unsigned command,
                            std::span<const std::byte> in) override;
  bool HasAcls() override { return below_->HasAcls(); }
  bool XattrsMoveCtime() override { return below_->XattrsMoveCtime(); }
  Result<std::unique_ptr<coherence::NodeLock>> LockDirectory(const coherence::NodeRef& directory) override {
    return Below().LockDirectory(directory);
  }
  Result<bool> IsOpenForWriting(const coherence::NodeRef& node) override {
    return Below().IsOpenForWriting(node);
  }
  Status SyncDirectory(const coherence::NodeRef& directory, bool data_only) override;
  Result<struct statvfs> StatFs() override;

 private:
  template <typename Outcome>
  Outcome Counted(BackendOp op, Outcome outcome);
  coherence::Backend& Below() {
    AboutToBlock();
    return *below_;
  }

  const std::unique_ptr<coherence::Backend> below_;
  const std::shared_ptr<BackendCounters> counters_;
};

}  // namespace ocfsgw::ocfs2
