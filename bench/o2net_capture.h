#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "bench/o2net_parser.h"

namespace ocfsgw::bench {

/// Takes a copy of the packets that this node sends and receives on a network interface with a TCP port, from
/// Open on (packet(7); needs CAP_NET_RAW). The kernel keeps up to kBufferBytes of them until Drain().
/// Not thread-safe.
class O2netCapture {
 public:
  /// 20 000 messages and more. Without CAP_NET_ADMIN what net.core.rmem_max allows.
  static constexpr int kBufferBytes = 64 << 20;

  /// kSystem: no such interface, or no right to capture.
  static Result<O2netCapture> Open(const std::string& interface, uint16_t port);
  O2netCapture(O2netCapture&& other) noexcept;
  O2netCapture& operator=(O2netCapture&&) = delete;
  ~O2netCapture();

  /// Gives the packets that are there to the parser; does not wait for more. kSystem.
  Status Drain(O2netParser& parser);
  /// Packets that found no room since the last call.
  Result<uint64_t> Lost();

 private:
  explicit O2netCapture(int fd) : fd_(fd), packet_(1U << 18) {}
  int fd_;
  std::vector<uint8_t> packet_;
};

}  // namespace ocfsgw::bench
