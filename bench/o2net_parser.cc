#include "bench/o2net_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace ocfsgw::bench {
namespace {

// fs/ocfs2/cluster/tcp_internal.h
constexpr uint16_t kMessage = 0xfa55, kStatus = 0xfa56, kKeepRequest = 0xfa57, kKeepResponse = 0xfa58;
constexpr size_t kPayloadMax = 4096 - 24;  // O2NET_MAX_PAYLOAD_BYTES

// fs/ocfs2/dlm/dlmcommon.h, from DLM_MASTER_REQUEST_MSG on
constexpr uint16_t kFirstType = 500;
constexpr const char* kTypes[] = {
    "master_request", "unused_501",        "assert_master",     "create_lock",     "convert_lock",
    "proxy_ast",      "unlock_lock",       "deref_lockres",     "migrate_request", "mig_lockres",
    "query_join",     "assert_joined",     "cancel_join",       "exit_domain",     "master_requery",
    "lock_request",   "reco_data_done",    "begin_reco",        "finalize_reco",   "query_region",
    "query_nodeinfo", "begin_exit_domain", "deref_lockres_done"};

uint16_t Be16(std::span<const uint8_t> bytes, size_t at) {
  return static_cast<uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

uint32_t Be32(std::span<const uint8_t> bytes, size_t at) {
  return uint32_t{Be16(bytes, at)} << 16 | Be16(bytes, at + 2);
}

}  // namespace

std::string O2netTypeName(uint16_t type) {
  if (type < kFirstType || type >= kFirstType + std::size(kTypes)) return fmt::format("type_{}", type);
  return kTypes[type - kFirstType];
}

uint64_t Sum(const O2netCounts& counts) {
  return std::accumulate(counts.begin(), counts.end(), uint64_t{0},
                         [](uint64_t sum, const auto& count) { return sum + count.second; });
}

void O2netStream::Add(uint32_t seq, std::span<const uint8_t> bytes, O2netCounts& counts) {
  if (bytes.empty()) return;
  if (!begun_) {
    begun_ = true;
    next_ = seq;
  }
  const auto ahead = static_cast<int32_t>(seq - next_);  // sequence numbers wrap
  if (ahead > 0) {
    std::vector<uint8_t>& kept = pending_[at_ + static_cast<uint32_t>(ahead)];
    if (kept.size() < bytes.size()) {
      pending_bytes_ += bytes.size() - kept.size();
      kept.assign(bytes.begin(), bytes.end());
    }
    while (pending_bytes_ > kPendingBytesMax) {
      SkipGap();
      ConsumePending(counts);
    }
    return;
  }
  const size_t old = static_cast<uint32_t>(-static_cast<int64_t>(ahead));
  if (old >= bytes.size()) return;
  Consume(bytes.subspan(old), counts);
  ConsumePending(counts);
}

void O2netStream::Restart(uint32_t seq) {
  const uint64_t gaps = gaps_;
  *this = O2netStream();
  gaps_ = gaps;
  begun_ = true;
  next_ = seq;
}

void O2netStream::Finish(O2netCounts& counts) {
  while (!pending_.empty()) {
    SkipGap();
    ConsumePending(counts);
  }
}

void O2netStream::SkipGap() {
  const uint64_t missing = pending_.begin()->first - at_;
  at_ += missing;
  next_ += static_cast<uint32_t>(missing);
  header_bytes_ = payload_left_ = 0;
  ++gaps_;
}

void O2netStream::ConsumePending(O2netCounts& counts) {
  while (!pending_.empty() && pending_.begin()->first <= at_) {
    const auto [at, bytes] = std::move(*pending_.begin());
    pending_.erase(pending_.begin());
    pending_bytes_ -= bytes.size();
    const uint64_t old = at_ - at;
    if (old < bytes.size()) Consume(std::span(bytes).subspan(old), counts);
  }
}

void O2netStream::Consume(std::span<const uint8_t> bytes, O2netCounts& counts) {
  next_ += static_cast<uint32_t>(bytes.size());
  at_ += bytes.size();
  while (!bytes.empty()) {
    const size_t wanted = payload_left_ > 0 ? payload_left_ : kHeaderBytes - header_bytes_;
    const size_t taken = std::min(wanted, bytes.size());
    if (payload_left_ > 0) {
      payload_left_ -= taken;
    } else {
      std::copy_n(bytes.begin(), taken, header_.begin() + static_cast<ptrdiff_t>(header_bytes_));
      header_bytes_ += taken;
      if (header_bytes_ == kHeaderBytes) ReadHeader(counts);
    }
    bytes = bytes.subspan(taken);
  }
}

void O2netStream::ReadHeader(O2netCounts& counts) {
  const uint16_t magic = Be16(header_, 0), length = Be16(header_, 2), type = Be16(header_, 4),
                 padding = Be16(header_, 6);
  header_bytes_ = 0;
  if (magic == kMessage && length <= kPayloadMax && padding == 0) {
    ++counts[type];
    payload_left_ = length;
  } else if (magic != kStatus && magic != kKeepRequest && magic != kKeepResponse) {
    std::copy(header_.begin() + 1, header_.end(), header_.begin());  // not a header: look one byte further
    header_bytes_ = kHeaderBytes - 1;
  }
}

void O2netParser::Packet(std::span<const uint8_t> packet, bool outgoing) {
  constexpr size_t kIpBytes = 20, kTcpBytes = 20;
  constexpr uint8_t kTcp = 6, kSyn = 0x02;
  if (packet.size() < kIpBytes || packet[0] >> 4 != 4 || packet[9] != kTcp) return;
  const size_t tcp = size_t{packet[0] & 0xfU} * 4;
  // The link may have padded a short packet; one that the network card is to split may not tell its length.
  const size_t total = Be16(packet, 2);
  if (total != 0 && total < packet.size()) packet = packet.first(total);
  if (packet.size() < tcp + kTcpBytes) return;
  const size_t data = tcp + size_t{packet[tcp + 12]} / 16 * 4;
  if (packet.size() < data) return;
  ++packets_;
  const uint32_t seq = Be32(packet, tcp + 4);
  Direction& direction = flows_[{Be32(packet, 12), Be32(packet, 16), Be32(packet, tcp)}];
  direction.outgoing = outgoing;
  if (packet[tcp + 13] & kSyn) {
    direction.stream.Restart(seq + 1);
  } else {
    direction.stream.Add(seq, packet.subspan(data), CountsOf(direction));
  }
}

void O2netParser::Finish() {
  for (auto& [flow, direction] : flows_) direction.stream.Finish(CountsOf(direction));
}

uint64_t O2netParser::gaps() const {
  return std::accumulate(flows_.begin(), flows_.end(), uint64_t{0},
                         [](uint64_t sum, const auto& flow) { return sum + flow.second.stream.gaps(); });
}

}  // namespace ocfsgw::bench
