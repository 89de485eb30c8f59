#include "cache/write_queue.h"

#include <cassert>
#include <utility>

namespace ocfsgw::cache {
namespace {
constexpr size_t kTakenMax = 1024;  // bounds the tombstones in a batch
}  // namespace

void WriteQueue::Add(QueuedWrite write) {
  assert(writes_.empty() || writes_.rbegin()->first < write.sequence);
  if (!write.is_tombstone()) {
    assert(HasRoom(write.bytes->size()));
    bytes_ += write.bytes->size();
    ++records_;
  }
  writes_.emplace_hint(writes_.end(), write.sequence, std::move(write));
}

const QueuedWrite* WriteQueue::Find(Sequence sequence) const {
  const auto it = writes_.find(sequence);
  return it == writes_.end() ? nullptr : &it->second;
}

void WriteQueue::Remove(Sequence sequence) {
  const auto it = writes_.find(sequence);
  if (it == writes_.end()) {
    return;
  }
  if (!it->second.is_tombstone()) {
    bytes_ -= it->second.bytes->size();
    --records_;
  }
  writes_.erase(it);
}

std::vector<QueuedWrite> WriteQueue::Take(uint64_t bytes) {
  std::vector<QueuedWrite> taken;
  uint64_t taken_bytes = 0;
  for (auto& [sequence, write] : writes_) {
    const uint64_t length = write.is_tombstone() ? 0 : write.bytes->size();
    if (!taken.empty() && (taken_bytes + length > bytes || taken.size() == kTakenMax)) {
      break;
    }
    taken_bytes += length;
    write.in_flight = true;
    taken.push_back(write);
  }
  return taken;
}

std::vector<QueuedWrite> WriteQueue::TakeRecordsOut() {
  std::vector<QueuedWrite> records;
  for (auto it = writes_.begin(); it != writes_.end();) {
    if (it->second.is_tombstone()) {
      it->second.in_flight = false;
      ++it;
    } else {
      records.push_back(std::move(it->second));
      it = writes_.erase(it);
    }
  }
  bytes_ = 0;
  records_ = 0;
  return records;
}

}  // namespace ocfsgw::cache
