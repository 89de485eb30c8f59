#include "coherence/shared_read.h"

#include <algorithm>
#include <utility>

namespace ocfsgw::coherence {

bool SharedRead::StillHeld() const {
  return inode_->state.held() && inode_->state.epoch() == epoch_ && !leases_.Void(*inode_);
}

std::shared_ptr<const std::string> SharedRead::Await() {
  const TimePoint deadline = std::chrono::steady_clock::now() + leases_.config().recall_deadline;
  MutexLock lock(inode_->mutex);
  if (!StillHeld()) return nullptr;
  const std::shared_ptr<BlockRead> other = Join();
  if (other == nullptr) return nullptr;
  while (!other->ended && StillHeld()) {
    if (!inode_->changed.WaitUntil(inode_->mutex, deadline)) return nullptr;
  }
  return StillHeld() ? other->block : nullptr;
}

bool SharedRead::TryBegin() {
  MutexLock lock(inode_->mutex);
  return StillHeld() && Join() == nullptr;
}

std::shared_ptr<BlockRead> SharedRead::Join() {
  auto& reads = inode_->block_reads;
  const auto it = std::find_if(reads.begin(), reads.end(), [this](const auto& read) {
    return read->epoch == epoch_ && read->index == index_;
  });
  if (it != reads.end()) return *it;
  mine_ = std::make_shared<BlockRead>(epoch_, index_);
  reads.push_back(mine_);
  return nullptr;
}

void SharedRead::End(std::shared_ptr<const std::string> block) {
  if (mine_ == nullptr) return;
  MutexLock lock(inode_->mutex);
  mine_->block = std::move(block);
  mine_->ended = true;
  std::erase(inode_->block_reads, mine_);
  inode_->block_reads_ended.fetch_add(1);
  inode_->changed.NotifyAll();
  mine_ = nullptr;
}

}  // namespace ocfsgw::coherence
