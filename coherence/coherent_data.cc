#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "coherence/coherent_fs.h"
#include "coherence/page_request.h"

namespace ocfsgw::coherence {
namespace {

using cache::kBlockBytes;

/// A read whose lease goes away under it is done again so often before it is answered without one.
constexpr int kReadAttempts = 8;

/// Call under a lease, before the backend is read. The writer that recalled the lease before may have had
/// this node forget its pages and then written past them (O_DIRECT): what somebody read here in between is
/// old. While a lease is held no writer is at that point.
void ForgetOldPages(Inode& inode, BackendFile& backing) {
  const uint64_t due = inode.forgets_due.load();
  if (inode.forgets_done.load() == due) return;
  backing.ForgetPages();
  inode.forgets_done.store(due);  // not before: another reader would take them for forgotten
}

cache::RecordKey DataKey(InodeId inode, uint64_t index) {
  return {inode, cache::RecordKind::kData, BlockIndex(index)};
}

uint64_t BytesOfBlock(const FileAttr& attr, uint64_t index) {
  return std::min<uint64_t>(kBlockBytes, attr.size - index * kBlockBytes);
}

/// The walk that has looked the file up, for the first READ that asks.
std::shared_ptr<Walk> TakeWalk(Inode& inode) {
  MutexLock lock(inode.mutex);
  return std::exchange(inode.walk, nullptr);
}

/// O_TRUNC comes as a change of its own, O_APPEND with every write: a descriptor with O_APPEND would append
/// what the kernel writes back from a mapping, too. O_DIRECT is between application and kernel.
int BackendFlags(int flags) { return flags & ~(O_TRUNC | O_APPEND | O_DIRECT); }

Result<std::unique_ptr<BackendFile>> OpenInBackend(Backend& backend, const NodeRef& node, int flags) {
  auto file = backend.Open(node, BackendFlags(flags));
  // An append-only inode (chattr +a) can be opened in no other way, and cannot be mapped for writing.
  if (file.status().IsErrno(EPERM) && (flags & O_APPEND) != 0) {
    return backend.Open(node, BackendFlags(flags) | O_APPEND);
  }
  return file;
}

}  // namespace

// A WRITE of the page cache ends with a page that is not there yet: one write(2) would come as two appends,
// with room for somebody else's between them.
bool OpenFile::direct() const {
  const int access = flags_ & O_ACCMODE;
  return (flags_ & O_DIRECT) != 0 || access == O_WRONLY || (access == O_RDWR && (flags_ & O_APPEND) != 0);
}

Result<BackendFile*> OpenFile::Backing(Backend& backend) {
  {
    MutexLock lock(mutex_);
    if (file_) return file_.get();
  }
  OCFSGW_ASSIGN_OR_RETURN(auto opened, OpenInBackend(backend, inode_->node, flags_));
  MutexLock lock(mutex_);
  if (!file_) file_ = std::move(opened);
  return file_.get();
}

std::unique_ptr<OpenFile> CoherentFs::OpenPinned(const InodePtr& inode, int flags) {
  if ((flags & O_ACCMODE) != O_RDONLY || leases_.provider() == nullptr) return nullptr;
  const auto view = leases_.Want(inode, Urgency::kMetadata);
  if (!view || view->attr.nlink == 0 || !leases_.StillHeld(*inode, view->epoch)) return nullptr;
  auto pin = leases_.provider()->PinOpen(inode->node);
  // The pin's name has no generation: only a lease held throughout says that it was still this inode's.
  if (!pin.ok() || !leases_.StillHeld(*inode, view->epoch)) return nullptr;
  return std::make_unique<OpenFile>(inode, flags, nullptr, std::move(*pin));
}

Result<std::unique_ptr<OpenFile>> CoherentFs::Open(const InodePtr& inode, int flags) {
  // A pin keeps the inode alive, so the backend need not be touched before a block is missing.
  if (auto pinned = OpenPinned(inode, flags)) return pinned;
  auto file = OpenInBackend(backend_, inode->node, flags);
  if (!file.ok()) {
    // Replaced while staleness is allowed: the kernel walks again, and must not be led here again.
    if (file.status().IsErrno(ESTALE)) leases_.EndStaleness(inode);
    return file.status();
  }
  return std::make_unique<OpenFile>(inode, flags, std::move(*file), nullptr);
}

Status CoherentFs::Read(OpenFile& file, uint64_t offset, size_t size, const Send& send) {
  const auto buffer =
      std::make_unique_for_overwrite<std::byte[]>(size);  // zeros would cost as much as a copy
  const std::span bytes(buffer.get(), size);
  const InodePtr& inode = file.inode();

  if (file.direct()) {  // nothing stays in the kernel: what was true during the request may be answered
    if (const auto view = leases_.Want(inode, Urgency::kMetadata)) {
      OCFSGW_ASSIGN_OR_RETURN(const size_t n, Fill(file, *view, offset, bytes));
      if (leases_.StillHeld(*inode, view->epoch)) {
        send(bytes.first(n));
        return Status::Ok();
      }
      metrics_.read_retries.Add();
    }
    OCFSGW_ASSIGN_OR_RETURN(BackendFile* const backing, file.Backing(backend_));
    OCFSGW_ASSIGN_OR_RETURN(const size_t n, backing->Read(offset, bytes));
    metrics_.bytes_from_backend.Add(n);
    send(bytes.first(n));
    return Status::Ok();
  }

  PageRequest request(leases_, inode, {offset, offset + size});
  for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
    const auto view = leases_.Want(inode, Urgency::kPages);
    if (!view) break;
    OCFSGW_ASSIGN_OR_RETURN(const size_t n, Fill(file, *view, offset, bytes));
    if (offset + n < std::min<uint64_t>(offset + size, view->attr.size)) {
      leases_.EndStaleness(inode);  // it has become shorter: the kernel would take the rest for zeros
    }
    if (request.AnswerUnder(view->epoch, [&] { send(bytes.first(n)); })) return Status::Ok();
    metrics_.read_retries.Add();
  }
  metrics_.unleased_reads.Add();
  request.BeginUncovered();
  OCFSGW_ASSIGN_OR_RETURN(BackendFile* const backing, file.Backing(backend_));
  OCFSGW_ASSIGN_OR_RETURN(const size_t n, backing->Read(offset, bytes));
  metrics_.bytes_from_backend.Add(n);
  send(bytes.first(n));
  return Status::Ok();
}

Result<size_t> CoherentFs::Fill(OpenFile& file, const LeaseView& view, uint64_t offset,
                                std::span<std::byte> into) {
  if (offset >= view.attr.size) return size_t{0};
  const size_t wanted = std::min<uint64_t>(into.size(), view.attr.size - offset);
  size_t done = 0;
  while (done < wanted) {
    const uint64_t at = offset + done;
    const size_t from = at % kBlockBytes;
    const size_t part = std::min<size_t>(wanted - done, kBlockBytes - from);
    OCFSGW_ASSIGN_OR_RETURN(const size_t n,
                            FillFromBlock(file, view, at / kBlockBytes, from, into.subspan(done, part)));
    done += n;
    if (n < part) break;  // the file has become shorter: the lease is gone, and the answer with it
  }
  return done;
}

Result<size_t> CoherentFs::FillFromBlock(OpenFile& file, const LeaseView& view, uint64_t index, size_t from,
                                         std::span<std::byte> into) {
  const cache::RecordKey key = DataKey(view.attr.id, index);
  if (recorder_ != nullptr) recorder_->Note(key.inode, key.index, BytesOfBlock(view.attr, index));
  const std::shared_ptr<Walk> walk = index == 0 ? TakeWalk(*file.inode()) : nullptr;
  if (walk) walk->OnRead(false);
  const uint64_t reads_ended = file.inode()->block_reads_ended.load();
  if (const auto n = store_.Get(key, view.stamp, from, into); n.ok() && *n == into.size()) {
    metrics_.blocks_from_store.Add();
    metrics_.bytes_from_store.Add(*n);
    return *n;
  }
  std::shared_ptr<const std::string> block;
  bool keep = true;
  if (view.racy_stamp !=
      view.stamp) {  // stored while the stamp was racy, under this very lease: it is settled now
    if (auto racy = store_.GetWhole(key, view.racy_stamp); racy.ok()) {
      block = std::make_shared<const std::string>(std::move(*racy));
      keep = leases_.StillHeld(*file.inode(), view.epoch);
      metrics_.blocks_from_store.Add();
      metrics_.bytes_from_store.Add(into.size());
    }
  }
  SharedRead shared(leases_, file.inode(), view.epoch, index);
  if (!block && (block = shared.Await())) {
    keep = false;  // by who has read it
    metrics_.blocks_shared.Add();
    metrics_.bytes_shared.Add(into.size());
  }
  if (!block && file.inode()->block_reads_ended.load() != reads_ended) {
    // It may have been the one of this block, after the look into the store.
    if (auto stored = store_.GetWhole(key, view.stamp); stored.ok()) {
      block = std::make_shared<const std::string>(std::move(*stored));
      keep = leases_.StillHeld(*file.inode(), view.epoch);
      metrics_.blocks_from_store.Add();
      metrics_.bytes_from_store.Add(into.size());
    }
  }
  if (!block) {
    if (walk) walk->OnRead(true);
    OCFSGW_ASSIGN_OR_RETURN(BackendFile* const backing, file.Backing(backend_));
    OCFSGW_ASSIGN_OR_RETURN(block, ReadBlock(file.inode(), *backing, view, index, shared));
    keep = false;  // where it may be, it is
    metrics_.bytes_from_backend.Add(into.size());
  }
  if (keep) {
    store_.Put(key, view.stamp, block);
    shared.End(block);
  }
  if (from >= block->size()) return size_t{0};
  const size_t n = std::min(into.size(), block->size() - from);
  std::memcpy(into.data(), block->data() + from, n);
  return n;
}

Result<std::shared_ptr<const std::string>> CoherentFs::ReadBlock(const InodePtr& inode, BackendFile& backing,
                                                                 const LeaseView& view, uint64_t index,
                                                                 SharedRead& shared) {
  ForgetOldPages(*inode, backing);
  std::string bytes(BytesOfBlock(view.attr, index), '\0');
  OCFSGW_ASSIGN_OR_RETURN(const size_t n,
                          backing.Read(index * kBlockBytes, std::as_writable_bytes(std::span(bytes))));
  metrics_.blocks_from_backend.Add();
  // Only what was read entirely under the lease is this version's; it is if the lease is still held.
  const bool keep = n == bytes.size() && leases_.StillHeld(*inode, view.epoch);
  bytes.resize(n);
  auto block = std::make_shared<const std::string>(std::move(bytes));
  if (keep) {
    store_.Put(DataKey(view.attr.id, index), view.stamp, block);
    shared.End(block);
  }
  return block;
}

void CoherentFs::FetchAhead(const InodePtr& inode, const LeaseView& view) {
  const uint64_t bytes = view.attr.size;
  // A longer file is opened for its other blocks in any case: to open it here, too, would be once too often.
  if (!S_ISREG(view.attr.mode) || bytes == 0 || bytes > kBlockBytes || view.attr.nlink == 0) return;
  const cache::RecordKey key = DataKey(view.attr.id, 0);
  const uint64_t reads_ended = inode->block_reads_ended.load();
  if (!store_.Wants(key, view.stamp, bytes) || !store_.Wants(key, view.racy_stamp, bytes)) return;
  SharedRead shared(leases_, inode, view.epoch, 0);
  // One that has ended meanwhile may have put it there.
  if (!shared.TryBegin() || inode->block_reads_ended.load() != reads_ended) return;
  const auto file = backend_.Open(inode->node, O_RDONLY);
  if (file.ok() && ReadBlock(inode, **file, view, 0, shared).ok()) metrics_.blocks_ahead.Add();
}

bool CoherentFs::MayMissSize(const InodePtr& inode, const FileAttr& attr, bool several) {
  if (!S_ISREG(attr.mode)) return false;
  MutexLock lock(inode->mutex);
  const bool may_miss = inode->kernel_size.MayMiss(attr.size) || (several && attr.size > 0);
  if (inode->opens.load() > 0 && may_miss) return true;
  inode->kernel_size.OnTold(attr.size);
  return false;
}

void CoherentFs::TellSize(const InodePtr& inode, OpenFile* file, uint64_t size,
                          const std::function<void(uint64_t, std::byte)>& store) {
  const uint64_t offset = size - 1;
  std::byte last{};
  PageRequest request(leases_, inode, {offset, size});
  request.BeginUncovered();  // the page may stay
  std::unique_ptr<BackendFile> opened;
  BackendFile* backing = nullptr;
  if (file != nullptr) {
    const auto open = file->Backing(backend_);
    backing = open.ok() ? *open : nullptr;
  } else if (auto open = backend_.Open(inode->node, O_RDONLY); open.ok()) {
    opened = std::move(*open);
    backing = opened.get();
  }
  if (backing == nullptr) return;
  const auto n = backing->Read(offset, {&last, 1});
  if (!n.ok() || *n != 1) return;  // shorter again: the READ will say so
  store(offset, last);
  MutexLock lock(inode->mutex);
  inode->kernel_size.OnReached(size);
}

Status CoherentFs::Sync(OpenFile& file, bool data_only) {
  OCFSGW_ASSIGN_OR_RETURN(BackendFile* const backing, file.Backing(backend_));
  return backing->Sync(data_only);
}

Status CoherentFs::Flush(OpenFile& file) {
  if ((file.flags() & O_ACCMODE) == O_RDONLY) return Status::Ok();
  OCFSGW_ASSIGN_OR_RETURN(BackendFile* const backing, file.Backing(backend_));
  return backing->Flush();
}

Result<uint64_t> CoherentFs::Seek(OpenFile& file, uint64_t offset, int whence) {
  OCFSGW_ASSIGN_OR_RETURN(BackendFile* const backing, file.Backing(backend_));
  return backing->Seek(offset, whence);
}

Status CoherentFs::Lock(OpenFile& file, int operation) {
  OCFSGW_ASSIGN_OR_RETURN(BackendFile* const backing, file.Backing(backend_));
  return backing->Lock(operation);
}

}  // namespace ocfsgw::coherence
