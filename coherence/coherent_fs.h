#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/executor.h"
#include "cache/page_store.h"
#include "coherence/backend.h"
#include "coherence/coherence_metrics.h"
#include "coherence/directory.h"
#include "coherence/lease_table.h"
#include "coherence/metadata_records.h"
#include "coherence/mutation.h"
#include "coherence/request_recorder.h"
#include "coherence/shared_read.h"

namespace ocfsgw::coherence {

struct Attributes {
  FileAttr attr;
  std::optional<uint32_t> lease;  ///< The epoch of the lease that they come from.
};

struct Entry {
  InodePtr inode;
  FileAttr attr;
  std::optional<uint32_t> lease;  ///< The epoch of the inode's lease that `attr` comes from.
};

struct WriteMode {
  bool cached = false;        ///< The kernel has the bytes in its page cache, too.
  bool append = false;        ///< At the end of the file, wherever that is by now.
  bool kill_set_ids = false;  ///< It takes set-user-ID and set-group-ID bits away, as a user's does.
};

/// A file opened through this gateway. Thread-safe.
class OpenFile {
 public:
  OpenFile(InodePtr inode, int flags, std::unique_ptr<BackendFile> file, std::unique_ptr<OpenPin> pin)
      : inode_(std::move(inode)), flags_(flags), pin_(std::move(pin)), file_(std::move(file)) {
    inode_->opens.fetch_add(1);
  }
  ~OpenFile() {
    std::unique_ptr<BackendFile> file;
    {
      MutexLock lock(mutex_);
      file = std::move(file_);
    }
    file.reset();  // the lock first
    SetFlocked(false);
    inode_->opens.fetch_sub(1);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  const InodePtr& inode() const { return inode_; }
  int flags() const { return flags_; }
  /// The kernel keeps no pages for this handle: it was opened with O_DIRECT, or cannot be read and so not be
  /// mapped, or it appends.
  bool direct() const;
  /// For Inode::flocks.
  void SetFlocked(bool locked) {
    if (flocked_.exchange(locked) != locked) inode_->flocks.fetch_add(locked ? 1 : -1);
  }
  /// The backend's open file, opened now if that was put off. May block in the backend.
  Result<BackendFile*> Backing(Backend& backend);

 private:
  const InodePtr inode_;
  const int flags_;
  const std::unique_ptr<OpenPin> pin_;
  std::atomic<bool> flocked_{false};
  Mutex mutex_;
  std::unique_ptr<BackendFile> file_ GUARDED_BY(mutex_);  // set once, then stays
};

/// The file system as applications see it: reads from caches while a lease covers them, from the backend
/// otherwise; changes go straight to the backend. This class has the rules of what may be served
/// (docs/COHERENCE.md).
///
/// Thread-safe; every call may block in the backend, in the lock manager or on the cache's disk. Errors of
/// the backend come back unchanged; the page store never causes one.
class CoherentFs {
 public:
  using Send = std::function<void(std::span<const std::byte>)>;

  /// All referenced objects outlive this one, but for `ahead`, which has to be stopped before. `recorder`:
  /// notes what the page store is asked for; may be null. `ahead`: looks up names that a walk of a directory
  /// will come to, and reads the files if it does, see Directory::Ahead and Walk; null: nothing is done
  /// ahead.
  CoherentFs(Backend& backend, LeaseTable& leases, cache::PageStore& store, CoherenceMetrics& metrics,
             RequestRecorder* recorder = nullptr, Executor* ahead = nullptr)
      : backend_(backend),
        leases_(leases),
        store_(store),
        records_(store),
        metrics_(metrics),
        recorder_(recorder),
        ahead_(ahead) {}

  // Names and attributes (coherent_names.cc).
  Result<Entry> Root();
  /// `lease`, unless null: the epoch of the parent's lease under which the answer, ENOENT included, is true.
  Result<Entry> Lookup(const InodePtr& parent, const std::string& name,
                       std::optional<uint32_t>* lease = nullptr);
  /// `since`: when the kernel asked. Waits for what it has to give back first: pages, names.
  Result<Attributes> GetAttr(const InodePtr& inode, TimePoint since = std::chrono::steady_clock::now());
  /// When the inode was made; nothing if the file system does not keep that. Asks the backend once per inode.
  Result<std::optional<FileTime>> Birth(const InodePtr& inode);
  /// Whether what the kernel is told of the inode now has to be dropped by it, see LinkCount: its attributes
  /// are to be taken back before the answer. Never blocks.
  bool MustBeDropped(const InodePtr& inode);
  /// Whether the kernel would go on with an older, smaller size of this file if it dropped an answer with
  /// this one, see KernelSize; else takes note of it as told. `several`: the kernel knows it by several
  /// connections, and so has several sizes, of which one is kept here. Never blocks.
  bool MayMissSize(const InodePtr& inode, const FileAttr& attr, bool several = false);
  /// Tells it so that it cannot drop it: hands the last byte of the file to `store`, which puts it into the
  /// kernel's pages. `file`: an open one of the inode, or null. Waits for whoever has that page locked: not
  /// on a thread that may be needed for them.
  void TellSize(const InodePtr& inode, OpenFile* file, uint64_t size,
                const std::function<void(uint64_t offset, std::byte last)>& store);
  /// Whoever was refused with ESTALE walks again, once, and looks this directory up first: hold that answer,
  /// by AwaitUnrefused, so that no second refusal meets him. Never blocks.
  bool BeingRefused(const InodePtr& inode);
  void AwaitUnrefused(const InodePtr& inode);
  Result<std::string> ReadLink(const InodePtr& inode);
  Result<std::shared_ptr<const Listing>> List(const InodePtr& directory);
  Result<std::string> GetXattr(const InodePtr& inode, const std::string& name);
  Result<std::string> ListXattr(const InodePtr& inode);
  /// The child of a directory with attributes, if both are known under leases now. `lease`: the epoch of the
  /// directory's. Never blocks on the cluster.
  std::optional<Entry> KnownChild(const InodePtr& directory, const std::string& name,
                                  std::optional<uint32_t>* lease);

  // File data (coherent_data.cc). Flags of open(2).
  Result<std::unique_ptr<OpenFile>> Open(const InodePtr& inode, int flags);
  /// Reads up to `size` bytes and hands them to `send`, which answers the request, exactly once if ok is
  /// returned and not at all otherwise. The answer is sent only while the lease it was read under is held.
  Status Read(OpenFile& file, uint64_t offset, size_t size, const Send& send);
  Status Sync(OpenFile& file, bool data_only);
  Status Flush(OpenFile& file);
  Result<uint64_t> Seek(OpenFile& file, uint64_t offset, int whence);
  /// flock(2), on all nodes of a cluster. Without LOCK_NB it may wait for ever; a signal ends that with
  /// EINTR.
  Status Lock(OpenFile& file, int operation);

  // Changes (coherent_changes.cc): `change` collects the inodes; destroy it after the answer.
  Result<size_t> Write(Mutation& change, OpenFile& file, uint64_t offset, std::span<const std::byte> from,
                       WriteMode mode);
  /// What a new access ACL does to the set-group-ID bit if the caller is not in the group
  /// (posix_acl_update_mode() of the kernel). Call after SetXattr.
  Status DropSetGroupId(Mutation& change, const InodePtr& inode, const Caller& caller);
  Status Allocate(Mutation& change, OpenFile& file, int mode, uint64_t offset, uint64_t length);
  /// copy_file_range(2) from one open file to another. The bytes copied.
  Result<uint64_t> CopyRange(Mutation& change, OpenFile& source, uint64_t from, OpenFile& target, uint64_t to,
                             uint64_t length);
  /// `kill_set_ids`: as WriteMode's.
  Result<FileAttr> SetAttr(Mutation& change, const InodePtr& inode, AttrChange attr, OpenFile* file,
                           bool kill_set_ids = false);
  Result<std::pair<Entry, std::unique_ptr<OpenFile>>> Create(Mutation& change, const InodePtr& parent,
                                                             const std::string& name, uint32_t mode,
                                                             int flags, const Caller& caller);
  /// A file without a name in the file system of `directory`, see Backend::CreateUnnamed.
  Result<std::pair<Entry, std::unique_ptr<OpenFile>>> CreateUnnamed(Mutation& change,
                                                                    const InodePtr& directory, uint32_t mode,
                                                                    int flags, const Caller& caller);
  Result<Entry> MakeNode(Mutation& change, const InodePtr& parent, const std::string& name, uint32_t mode,
                         uint64_t rdev, const Caller& caller);
  Result<Entry> MakeDirectory(Mutation& change, const InodePtr& parent, const std::string& name,
                              uint32_t mode, const Caller& caller);
  Result<Entry> MakeSymlink(Mutation& change, const InodePtr& parent, const std::string& name,
                            const std::string& target, const Caller& caller);
  /// `places`: where the kernel has the inode.
  Result<Entry> Link(Mutation& change, const InodePtr& inode, const std::vector<Place>& places,
                     const InodePtr& parent, const std::string& name);
  /// What loses its last name by these three is in Mutation::removed(), to be held for whoever still uses it.
  Status Unlink(Mutation& change, const InodePtr& parent, const std::string& name);
  Status RemoveDirectory(Mutation& change, const InodePtr& parent, const std::string& name);
  Status Rename(Mutation& change, const InodePtr& from, const std::string& from_name, const InodePtr& to,
                const std::string& to_name, unsigned flags, const Caller& caller);
  Status SetXattr(Mutation& change, const InodePtr& inode, const std::string& name,
                  std::span<const std::byte> value, int flags);
  /// See Backend::Ioctl; for a command that changes the inode.
  Status Ioctl(Mutation& change, const InodePtr& inode, unsigned command, std::span<const std::byte> in);
  Status RemoveXattr(Mutation& change, const InodePtr& inode, const std::string& name);

  /// What is passed on as it is: statistics of the volume, syncs of directories.
  Backend& backend() { return backend_; }
  LeaseTable& leases() { return leases_; }

 private:
  // Names.
  std::shared_ptr<const Listing> LeasedListing(const InodePtr& directory, const LeaseView& view,
                                               Status* error);
  Directory::Answer FindName(const InodePtr& parent, const LeaseView& view, const std::string& name);
  /// `found`: what was found under `name`.
  void LookUpAhead(const InodePtr& parent, const LeaseView& view, const std::string& name,
                   const Result<Entry>& found);
  Result<Entry> LookupUnder(const InodePtr& parent, const LeaseView& view, const std::string& name);
  Result<Entry> ChildByIno(const InodePtr& parent, const LeaseView& view, const std::string& name,
                           uint64_t ino);
  Result<Entry> LookupInBackend(const InodePtr& parent, const LeaseView* view, const std::string& name);
  Result<Attributes> LeasedOrBackendAttr(const InodePtr& inode);
  template <typename Ask>
  Result<std::string> LeasedXattr(const InodePtr& inode, const std::string& name, const Ask& ask);
  InodePtr ExistingChild(const InodePtr& parent, const std::string& name);
  Status AwaitNames(const InodePtr& directory, TimePoint since);
  bool ReviveNames(const InodePtr& directory);
  // Data.
  std::unique_ptr<OpenFile> OpenPinned(const InodePtr& inode, int flags);
  Result<size_t> Fill(OpenFile& file, const LeaseView& view, uint64_t offset, std::span<std::byte> into);
  Result<size_t> FillFromBlock(OpenFile& file, const LeaseView& view, uint64_t index, size_t from,
                               std::span<std::byte> into);
  /// From the backend. What is found to be this version's is kept, for those who share the read, too.
  Result<std::shared_ptr<const std::string>> ReadBlock(const InodePtr& inode, BackendFile& backing,
                                                       const LeaseView& view, uint64_t index,
                                                       SharedRead& shared);
  /// Puts a file of one block into the store if it is not there and nobody else is reading it.
  void FetchAhead(const InodePtr& inode, const LeaseView& view);
  // Changes.
  /// The backend does it for nobody who is privileged, as this process is.
  Status DropSetIds(const InodePtr& inode, BackendFile& backing);
  std::unique_ptr<AppendLock> LockAppends(const InodePtr& inode, BackendFile& file);
  Result<Entry> NewEntry(const Result<Found>& found);
  template <typename Remove>
  Status RemoveName(Mutation& change, const InodePtr& victim, const Remove& remove);
  std::pair<Entry, std::unique_ptr<OpenFile>> NewFile(Mutation& change, Created created, int flags);

  Backend& backend_;
  LeaseTable& leases_;
  cache::PageStore& store_;
  MetadataRecords records_;
  CoherenceMetrics& metrics_;
  RequestRecorder* const recorder_;
  Executor* const ahead_;
};

}  // namespace ocfsgw::coherence
