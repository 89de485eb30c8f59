#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "base/status.h"

namespace ocfsgw::coherence {

/// What a READ has asked the page store for: one block of a file.
struct BlockRequest {
  Duration at{};  ///< Since the recording began.
  InodeId inode;
  BlockIndex index;
  uint32_t bytes = 0;  ///< Of the whole block: cache::kBlockBytes, or fewer at the end of the file.
};

struct RequestBatch {
  std::vector<BlockRequest> requests;
  uint64_t dropped = 0;  ///< Requests that came after these, and found no room.
};

/// Keeps what READs ask for until somebody who records it takes it. Thread-safe; no call blocks.
///
/// 1. Requests are taken in the order in which they were noted, each once; their times never go back.
/// 2. No more than `requests_max` are kept. Those that find no room are dropped and counted.
/// 3. Whoever notes a request waits for nobody who takes them, but for the exchange of two pointers.
/// 4. There is one recording at a time; while there is none no memory is taken.
class RequestRecorder {
 public:
  /// 2.5 MiB; twice that while a batch is on its way.
  static constexpr size_t kRequestsMax = size_t{1} << 16;

  explicit RequestRecorder(const Clock& clock, size_t requests_max = kRequestsMax)
      : clock_(clock), requests_max_(requests_max) {}

  /// kBusy: there is a recording already.
  Status Start();
  /// What has not been taken is forgotten.
  void Stop();

  /// Does nothing while there is no recording. `bytes`: of the whole block.
  void Note(InodeId inode, BlockIndex index, uint64_t bytes) {
    if (recording_.load(std::memory_order_relaxed)) Keep(inode, index, bytes);
  }
  /// Puts what has been noted since the last call into `batch`, whose memory is used again.
  void Take(RequestBatch& batch);

 private:
  void Keep(InodeId inode, BlockIndex index, uint64_t bytes);

  const Clock& clock_;
  const size_t requests_max_;
  /// Written under mutex_; relaxed, since whoever sees it late misses a request or is told so under mutex_.
  std::atomic<bool> recording_{false};
  Mutex mutex_;
  TimePoint started_ GUARDED_BY(mutex_);
  std::vector<BlockRequest> kept_ GUARDED_BY(mutex_);  // never grows beyond what is reserved
  uint64_t dropped_ GUARDED_BY(mutex_) = 0;
};

}  // namespace ocfsgw::coherence
