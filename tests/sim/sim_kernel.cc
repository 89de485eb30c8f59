#include "tests/sim/sim_kernel.h"

namespace ocfsgw::sim {

using coherence::CoherentFs;
using coherence::OpenFile;

void SimKernel::LockPage(std::unique_lock<std::mutex>& guard, InodeId id) {
  changed_.wait(guard, [&] { return !pages_[id].locked; });
  pages_[id].locked = true;
}

void SimKernel::UnlockPage(InodeId id) {
  pages_[id].locked = false;
  changed_.notify_all();
}

void SimKernel::ForgetAttributes(InodeId inode) {
  const std::lock_guard lock(mutex_);
  Attributes& attributes = attributes_[inode];
  ++attributes.version;
  attributes.trusted_size.reset();
}

Result<uint64_t> SimKernel::Size(CoherentFs& fs, const coherence::InodePtr& inode) {
  uint64_t version = 0;
  {
    const std::lock_guard lock(mutex_);
    const Attributes& known = attributes_[inode->id()];
    if (known.trusted_size) return *known.trusted_size;
    version = known.version;
  }
  OCFSGW_ASSIGN_OR_RETURN(const coherence::Attributes answer, fs.GetAttr(inode));
  if (answer.lease && fs.leases().Trust(*inode, *answer.lease)) {
    const std::lock_guard lock(mutex_);
    Attributes& attributes = attributes_[inode->id()];
    if (attributes.version == version) attributes.trusted_size = answer.attr.size;
  }
  return answer.attr.size;
}

Result<std::string> SimKernel::Read(CoherentFs& fs, OpenFile& file) {
  const InodeId id = file.inode()->id();
  OCFSGW_ASSIGN_OR_RETURN(const uint64_t size, Size(fs, file.inode()));
  std::unique_lock guard(mutex_);
  changed_.wait(guard, [&] { return !pages_[id].locked; });
  if (pages_[id].uptodate) return pages_[id].bytes.substr(0, size);
  LockPage(guard, id);
  guard.unlock();
  std::string got;
  const Status status = fs.Read(file, 0, kPage, [&](std::span<const std::byte> bytes) {
    const std::lock_guard lock(mutex_);
    got.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    pages_[id].bytes = got;
    pages_[id].uptodate = true;
    UnlockPage(id);
  });
  if (!status.ok()) {
    guard.lock();
    UnlockPage(id);
    return status;
  }
  return got;
}

Status SimKernel::Write(CoherentFs& fs, OpenFile& file, const std::string& bytes) {
  const InodeId id = file.inode()->id();
  {
    std::unique_lock guard(mutex_);
    LockPage(guard, id);
  }
  coherence::Mutation change(fs.leases());
  const auto written = fs.Write(change, file, 0, std::as_bytes(std::span(bytes)), {.cached = true});
  const std::lock_guard lock(mutex_);
  Page& page = pages_[id];
  if (written.ok() && page.uptodate) {
    page.bytes.replace(0, std::min(bytes.size(), page.bytes.size()), bytes);
  }
  UnlockPage(id);
  return written.status();
}

void SimKernel::InvalidatePages(InodeId inode, std::vector<coherence::ByteRange> ranges,
                                std::function<void()> done) {
  const bool posted = notifiers_.Post([this, inode, ranges = std::move(ranges), done] {
    ForgetAttributes(inode);
    for (const auto& range : ranges) {
      if (range.begin >= kPage) continue;
      std::unique_lock guard(mutex_);
      LockPage(guard, inode);
      pages_[inode].uptodate = false;
      UnlockPage(inode);
    }
    done();
  });
  if (!posted) done();
}

}  // namespace ocfsgw::sim
