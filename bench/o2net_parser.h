#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <vector>

namespace ocfsgw::bench {

/// By type of message (DLM_*_MSG of fs/ocfs2/dlm/dlmcommon.h).
using O2netCounts = std::map<uint16_t, uint64_t>;

/// "convert_lock" and so on; "type_N" of one that o2dlm does not have.
std::string O2netTypeName(uint16_t type);
uint64_t Sum(const O2netCounts& counts);

/// The messages in one direction of one connection of OCFS2's interconnect (o2net). Requests are counted;
/// their answers (a status), keep-alives and the handshake are not. Puts TCP segments in order; what was sent
/// twice counts once. Begins wherever the first segment does: bytes are passed over until they look like the
/// header of a message (struct o2net_msg, fs/ocfs2/cluster/tcp_internal.h).
class O2netStream {
 public:
  /// What may wait for a missing segment. More than that, and the segment is given up.
  static constexpr size_t kPendingBytesMax = 1U << 20;

  /// `seq` is the sequence number of the first byte.
  void Add(uint32_t seq, std::span<const uint8_t> bytes, O2netCounts& counts);
  /// A new connection with the same addresses: its first byte has this number.
  void Restart(uint32_t seq);
  /// No more segments come: gives up those that are missing.
  void Finish(O2netCounts& counts);
  /// Segments given up: messages may be missing.
  uint64_t gaps() const { return gaps_; }

 private:
  static constexpr size_t kHeaderBytes = 24;

  void Consume(std::span<const uint8_t> bytes, O2netCounts& counts);
  void ReadHeader(O2netCounts& counts);
  void ConsumePending(O2netCounts& counts);
  void SkipGap();

  bool begun_ = false;
  uint32_t next_ = 0;                                 // sequence number
  std::map<uint64_t, std::vector<uint8_t>> pending_;  // by distance from begin_, so that it does not wrap
  uint64_t at_ = 0;                                   // the distance of next_
  size_t pending_bytes_ = 0;
  uint64_t gaps_ = 0;
  std::array<uint8_t, kHeaderBytes> header_{};
  size_t header_bytes_ = 0;
  size_t payload_left_ = 0;
};

/// All connections of a node's interconnect.
class O2netParser {
 public:
  /// An IPv4 packet, from its IP header on; anything that is no TCP segment is ignored.
  void Packet(std::span<const uint8_t> packet, bool outgoing);
  void Finish();

  const O2netCounts& sent() const { return sent_; }
  const O2netCounts& received() const { return received_; }
  uint64_t packets() const { return packets_; }
  uint64_t gaps() const;

 private:
  using Flow = std::tuple<uint32_t, uint32_t, uint32_t>;  // source, destination, both ports
  struct Direction {
    O2netStream stream;
    bool outgoing = false;
  };
  O2netCounts& CountsOf(const Direction& direction) { return direction.outgoing ? sent_ : received_; }

  std::map<Flow, Direction> flows_;
  O2netCounts sent_, received_;
  uint64_t packets_ = 0;
};

}  // namespace ocfsgw::bench
