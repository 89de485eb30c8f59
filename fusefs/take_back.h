#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "fusefs/shared_state.h"

namespace ocfsgw::fusefs {

/// Takes everything back that the kernel keeps of a mount that is not served any more, over its open
/// connections: once those are cut, cached attributes and pages can be used for ever and cannot be taken
/// back.
///
/// While the object lives, every request gets ENOTCONN, so that no page stays locked by one. Used by one
/// thread. Requests that were read before through this very descriptor and not answered stay unanswered: they
/// may hold up the invalidations until the connection is cut.
class TakeBack {
 public:
  /// `session_fds`, by connection, -1 for those that are not there (the others become non-blocking), and
  /// `grants` outlive the object; nobody else reads requests.
  TakeBack(const std::array<int, kConnectionsMax>& session_fds, const GrantSlots& grants);
  /// Waits for the invalidations: let them be done, or cut the connection first.
  ~TakeBack();
  TakeBack(const TakeBack&) = delete;
  TakeBack& operator=(const TakeBack&) = delete;

  /// Starts to invalidate: attributes of all inodes, then pages of all. Call once. Without a thread to be had
  /// only the attributes, and Wait says no at once: cut the connection then.
  void Start();
  /// Whether all is done within `limit` from now.
  bool Wait(std::chrono::milliseconds limit) EXCLUDES(mutex_);
  /// Inodes taken back so far.
  uint64_t inodes() const { return inodes_.load(); }

 private:
  void AnswerRequests();
  void InvalidateAttributes();
  void InvalidatePages();
  /// False if the connection is cut, or there is none.
  bool Invalidate(const Grant& grant, int64_t offset) const;

  const std::array<int, kConnectionsMax> session_fds_;
  const GrantSlots& grants_;
  std::atomic<bool> stop_{false};
  std::atomic<uint32_t> next_{0};    // slot whose pages nobody has begun with
  std::atomic<uint64_t> inodes_{0};  // whose pages were there to be taken back
  std::thread answers_;
  std::thread attributes_;  // starts the others when it is done

  Mutex mutex_;
  CondVar changed_;
  size_t running_ GUARDED_BY(mutex_) = 0;
};

/// Identifies what is mounted at `path`; 0 if that cannot be told. Does not ask the daemon of what is mounted
/// there.
uint64_t MountId(const std::string& path);
/// Cuts the connection of the mount `id` and takes it away from `path`, with what is mounted below, if that
/// is what is there.
void UnmountDead(const std::string& path, uint64_t id);

/// The minor number of the device of what is mounted at `path`, by which AbortConnection knows it; 0 if it
/// cannot be told. Does not ask its daemon.
uint32_t DeviceOf(const std::string& path);
/// Cuts the connection that `session_fd` (-1: there is none) is open on, whose mount, on `device`, cannot be
/// reached by a path any more. Where FuseControl cannot, the connection ends when its last descriptor is
/// closed.
void AbortConnection(int session_fd, uint32_t device);

}  // namespace ocfsgw::fusefs
