#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>

#include "fusefs/mount_options.h"

namespace ocfsgw::fusefs {

/// Connections to the kernel that a gateway has at most: number 0 is that of the mount, the others are those
/// of its fast trees.
inline constexpr size_t kConnectionsMax = 1 + kFastTreesMax;

/// A node id that the kernel knows by a connection.
struct Grant {
  uint32_t connection = 0;
  uint64_t ino = 0;  ///< Given out one after the other from 1 on: the upper byte is never used.

  uint64_t Packed() const { return uint64_t{connection} << 56 | ino; }
  static Grant Unpacked(uint64_t packed) {
    return {static_cast<uint32_t>(packed >> 56), packed & ((uint64_t{1} << 56) - 1)};
  }
};

/// What the kernel knows, a packed Grant per slot, 0 in empty ones. Written by the gateway, read by the
/// guardian when nobody writes any more.
struct GrantSlots {
  /// 32 MiB of address space; memory is taken as slots are used.
  static constexpr uint32_t kCapacity = 4 << 20;
  std::atomic<uint32_t> used{0};  ///< Slots from here on have always been empty.
  std::array<std::atomic<uint64_t>, kCapacity> slots{};
};

/// What a gateway leaves to its guardian, in memory that both have mapped: made anew for each gateway. All
/// members may be written by one process while the other reads.
struct SharedState {
  enum Phase : uint32_t {
    kStarting,  ///< Not mounted, or not all set up.
    kServing,   ///< The beats advance.
    kStopping,  ///< All leases have been given back.
  };
  enum Beat : uint32_t { kRecallBeat, kTimerBeat, kBeats };

  std::atomic<uint32_t> phase{kStarting};
  /// Advanced by the thread that receives recalls, and by the one that runs timers.
  std::array<std::atomic<uint64_t>, kBeats> beats{};
  /// The descriptors of /dev/fuse while mounted, by connection; else -1.
  std::array<std::atomic<int>, kConnectionsMax> session_fds{};
  /// Minor numbers of the fast trees' devices, by connection, for AbortConnection.
  std::array<std::atomic<uint32_t>, kConnectionsMax> devices{};
  std::atomic<uint64_t> mount_id{0};  ///< MountId of what is mounted.
  std::atomic<int> slot{-1};          ///< Of the cache directory, once taken.
  uint64_t dead_mount = 0;            ///< Of what the next one replaces; set like those below.
  int preferred_slot = -1;            ///< The slot of the last one, -1 for none; set like those below.
  pid_t guardian = 0;                 ///< Set before the gateway starts, like `restarts`.
  uint32_t restarts = 0;              ///< How often a gateway has been started again before this one.
  GrantSlots grants;

  /// Maps a new one, zeroed, shared with the children to come; null if there is no address space for it.
  static SharedState* Map();
  static void Unmap(SharedState* state);
};

/// Two beats of a gateway that serves come within this time if it is healthy.
inline constexpr int kBeatMs = 200;

}  // namespace ocfsgw::fusefs
