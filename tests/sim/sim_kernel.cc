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

Result<std::string> SimKernel::Read(CoherentFs& fs, OpenFile& file) {
  const InodeId id = file.inode()->id();
  OCFSGW_ASSIGN_OR_RETURN(const coherence::FileAttr attr, fs.GetAttr(file.inode()));
  std::unique_lock guard(mutex_);
  changed_.wait(guard, [&] { return !pages_[id].locked; });
  if (pages_[id].uptodate) return pages_[id].bytes.substr(0, attr.size);
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
