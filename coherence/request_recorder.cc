#include "coherence/request_recorder.h"

#include <utility>

namespace ocfsgw::coherence {

Status RequestRecorder::Start() {
  std::vector<BlockRequest> room;
  room.reserve(requests_max_);
  MutexLock lock(mutex_);
  if (recording_.load(std::memory_order_relaxed)) {
    return {StatusCode::kBusy, "somebody is recording this mount already"};
  }
  kept_.swap(room);
  dropped_ = 0;
  started_ = clock_.Now();
  recording_.store(true, std::memory_order_relaxed);
  return Status::Ok();
}

void RequestRecorder::Stop() {
  std::vector<BlockRequest> freed_outside;
  MutexLock lock(mutex_);
  recording_.store(false, std::memory_order_relaxed);
  kept_.swap(freed_outside);
}

void RequestRecorder::Take(RequestBatch& batch) {
  batch.requests.clear();
  batch.requests.reserve(requests_max_);
  MutexLock lock(mutex_);
  if (recording_.load(std::memory_order_relaxed)) kept_.swap(batch.requests);
  batch.dropped = std::exchange(dropped_, 0);
}

void RequestRecorder::Keep(InodeId inode, BlockIndex index, uint64_t bytes) {
  MutexLock lock(mutex_);
  if (!recording_.load(std::memory_order_relaxed)) return;
  if (kept_.size() == requests_max_) {
    ++dropped_;
    return;
  }
  kept_.push_back({clock_.Now() - started_, inode, index, static_cast<uint32_t>(bytes)});
}

}  // namespace ocfsgw::coherence
