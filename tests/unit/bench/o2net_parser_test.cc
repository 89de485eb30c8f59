#include "bench/o2net_parser.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace ocfsgw::bench {
namespace {

using Bytes = std::vector<uint8_t>;

constexpr uint16_t kMessage = 0xfa55, kStatus = 0xfa56, kKeepRequest = 0xfa57;
constexpr uint16_t kCreate = 503, kConvert = 504, kAst = 505;

Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

void Put16(Bytes& bytes, size_t at, uint32_t value) {
  bytes[at] = static_cast<uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<uint8_t>(value);
}

void Put32(Bytes& bytes, size_t at, uint32_t value) {
  Put16(bytes, at, value >> 16);
  Put16(bytes, at + 2, value & 0xffff);
}

/// struct o2net_msg and its payload.
Bytes Frame(uint16_t magic, uint16_t type, Bytes payload = {}) {
  Bytes header(24);
  Put16(header, 0, magic);
  Put16(header, 2, static_cast<uint32_t>(payload.size()));
  Put16(header, 4, type);
  return std::move(header) + payload;
}

Bytes Part(const Bytes& bytes, size_t from, size_t to) {
  return {bytes.begin() + static_cast<ptrdiff_t>(from), bytes.begin() + static_cast<ptrdiff_t>(to)};
}

TEST(O2netStream, CountsRequestsByType) {
  O2netStream stream;
  O2netCounts counts;
  stream.Add(7,
             Frame(kMessage, kCreate, Bytes(72)) + Frame(kStatus, kCreate) + Frame(kKeepRequest, 0) +
                 Frame(kMessage, kAst, Bytes(9)) + Frame(kMessage, kCreate),
             counts);
  EXPECT_EQ(counts, (O2netCounts{{kCreate, 2}, {kAst, 1}}));
  EXPECT_EQ(Sum(counts), 3U);
  EXPECT_EQ(stream.gaps(), 0U);
}

TEST(O2netStream, SegmentsMayEndAnywhere) {
  const Bytes all =
      Frame(kMessage, kCreate, Bytes(30)) + Frame(kMessage, kAst) + Frame(kMessage, kConvert, Bytes(5));
  for (size_t cut = 1; cut < all.size(); ++cut) {
    O2netStream stream;
    O2netCounts counts;
    stream.Add(1, Part(all, 0, cut), counts);
    stream.Add(static_cast<uint32_t>(1 + cut), Part(all, cut, all.size()), counts);
    EXPECT_EQ(counts, (O2netCounts{{kCreate, 1}, {kConvert, 1}, {kAst, 1}})) << "cut at " << cut;
  }
}

TEST(O2netStream, OutOfOrderTwiceAndOverlapping) {
  Bytes all;
  for (int i = 0; i < 10; ++i) all = all + Frame(kMessage, kCreate, Bytes(26));  // 50 bytes each
  // 100 bytes before the number wraps.
  constexpr uint32_t kFirst = 0xffffffff - 99;
  O2netStream stream;
  O2netCounts counts;
  const auto add = [&](size_t from, size_t to) {
    stream.Add(kFirst + static_cast<uint32_t>(from), Part(all, from, to), counts);
  };
  add(0, 60);
  add(200, 310);  // early
  add(90, 120);   // earlier
  add(200, 310);  // again
  EXPECT_EQ(counts[kCreate], 1U) << "of the second there is only a part of the header";
  add(40, 95);    // overlaps on both sides
  add(110, 220);  // overlaps what waits
  EXPECT_EQ(counts[kCreate], 6U) << "310 bytes: six messages, and a part of a header";
  add(0, 310);  // old
  add(300, 500);
  EXPECT_EQ(counts[kCreate], 10U);
  EXPECT_EQ(stream.gaps(), 0U);
}

TEST(O2netStream, BeginsInTheMiddleOfAMessage) {
  const Bytes all =
      Frame(kMessage, kCreate, Bytes(50, 0xfa)) + Frame(kMessage, kAst, Bytes(10)) + Frame(kMessage, kAst);
  for (size_t cut = 1; cut <= 74; ++cut) {
    O2netStream stream;
    O2netCounts counts;
    stream.Add(5, Part(all, cut, all.size()), counts);
    EXPECT_EQ(counts, (O2netCounts{{kAst, 2}})) << "cut at " << cut;
  }
}

TEST(O2netStream, APayloadThatLooksLikeAMessageIsNone) {
  O2netStream stream;
  O2netCounts counts;
  stream.Add(0, Frame(kMessage, kCreate, Frame(kMessage, kAst)) + Frame(kMessage, kConvert), counts);
  EXPECT_EQ(counts, (O2netCounts{{kCreate, 1}, {kConvert, 1}}));
}

TEST(O2netStream, AMissingSegmentIsAGapAtTheEnd) {
  const Bytes all = Frame(kMessage, kCreate, Bytes(40)) + Frame(kMessage, kConvert, Bytes(40)) +
                    Frame(kMessage, kAst, Bytes(40)) + Frame(kMessage, kAst);
  O2netStream stream;
  O2netCounts counts;
  stream.Add(0, Part(all, 0, 64), counts);
  stream.Add(100, Part(all, 100, all.size()), counts);
  EXPECT_EQ(counts, (O2netCounts{{kCreate, 1}}));
  EXPECT_EQ(stream.gaps(), 0U) << "it may still come";
  stream.Finish(counts);
  EXPECT_EQ(counts, (O2netCounts{{kCreate, 1}, {kAst, 2}}));
  EXPECT_EQ(stream.gaps(), 1U);
}

TEST(O2netStream, WaitsForAMissingSegmentWithinABound) {
  O2netStream stream;
  O2netCounts counts;
  stream.Add(0, Frame(kMessage, kCreate), counts);
  uint32_t at = 24 + 24;  // one is missing
  const Bytes big = Frame(kMessage, kAst, Bytes(4000));
  for (size_t bytes = 0; bytes <= O2netStream::kPendingBytesMax; bytes += big.size()) {
    EXPECT_EQ(stream.gaps(), 0U);
    stream.Add(at, big, counts);
    at += static_cast<uint32_t>(big.size());
  }
  EXPECT_EQ(stream.gaps(), 1U);
  EXPECT_EQ(counts[kAst], O2netStream::kPendingBytesMax / big.size() + 1);
}

TEST(O2netTypes, HaveTheNamesOfTheKernel) {
  EXPECT_EQ(O2netTypeName(500), "master_request");
  EXPECT_EQ(O2netTypeName(503), "create_lock");
  EXPECT_EQ(O2netTypeName(505), "proxy_ast");
  EXPECT_EQ(O2netTypeName(507), "deref_lockres");
  EXPECT_EQ(O2netTypeName(513), "exit_domain");
  EXPECT_EQ(O2netTypeName(522), "deref_lockres_done");
  EXPECT_EQ(O2netTypeName(499), "type_499");
  EXPECT_EQ(O2netTypeName(523), "type_523");
}

/// An IPv4 packet with a TCP segment. `option_bytes` in both headers.
Bytes Ip(uint8_t from, uint8_t to, uint32_t seq, const Bytes& data, uint8_t flags = 0x10,
         size_t option_bytes = 0) {
  const size_t ip = 20 + option_bytes, tcp = 20 + option_bytes;
  Bytes packet(ip + tcp);
  packet[0] = static_cast<uint8_t>(0x40 | ip / 4);
  Put16(packet, 2, static_cast<uint32_t>(packet.size() + data.size()));
  packet[9] = 6;
  packet[15] = from;
  packet[19] = to;
  Put16(packet, ip, from == 1 ? 7777 : 40000);
  Put16(packet, ip + 2, to == 1 ? 7777 : 40000);
  Put32(packet, ip + 4, seq);
  packet[ip + 12] = static_cast<uint8_t>(tcp / 4 << 4);
  packet[ip + 13] = flags;
  return packet + data;
}

TEST(O2netParser, CountsBothDirectionsOfEachConnection) {
  O2netParser parser;
  parser.Packet(Ip(1, 2, 100, Frame(kMessage, kCreate)), true);
  parser.Packet(Ip(2, 1, 900, Frame(kMessage, kAst)), false);
  parser.Packet(Ip(1, 3, 100, Frame(kMessage, kCreate)), true);             // another peer, the same number
  parser.Packet(Ip(1, 2, 124, Frame(kMessage, kConvert), 0x18, 12), true);  // with options
  parser.Packet(Ip(1, 2, 124, Frame(kMessage, kConvert), 0x18, 12), true);  // sent again
  parser.Packet(Ip(2, 1, 924, {}), false);                                  // an acknowledgement
  parser.Finish();
  EXPECT_EQ(parser.sent(), (O2netCounts{{kCreate, 2}, {kConvert, 1}}));
  EXPECT_EQ(parser.received(), (O2netCounts{{kAst, 1}}));
  EXPECT_EQ(parser.packets(), 6U);
  EXPECT_EQ(parser.gaps(), 0U);
}

TEST(O2netParser, ANewConnectionBeginsWithItsHandshake) {
  constexpr uint8_t kSyn = 0x02;
  O2netParser parser;
  parser.Packet(Ip(1, 2, 5000, Frame(kMessage, kCreate)), true);
  parser.Packet(Ip(1, 2, 99, {}, kSyn), true);
  Bytes handshake(32);  // struct o2net_handshake
  handshake[7] = 11;    // O2NET_PROTOCOL_VERSION
  parser.Packet(Ip(1, 2, 100, handshake + Frame(kMessage, kAst)), true);
  parser.Finish();
  EXPECT_EQ(parser.sent(), (O2netCounts{{kCreate, 1}, {kAst, 1}}));
  EXPECT_EQ(parser.gaps(), 0U);
}

TEST(O2netParser, PaddingIsNoData) {
  O2netParser parser;
  parser.Packet(Ip(1, 2, 10, {}) + Bytes(6, 0xff), true);
  parser.Packet(Ip(1, 2, 10, Frame(kMessage, kCreate)), true);
  parser.Finish();
  EXPECT_EQ(parser.sent(), (O2netCounts{{kCreate, 1}}));
}

TEST(O2netParser, NothingIsReadBeyondAPacket) {
  const Bytes whole = Ip(1, 2, 10, Frame(kMessage, kCreate), 0x10, 8);
  for (size_t length = 0; length < whole.size(); ++length) {
    O2netParser parser;
    parser.Packet(Part(whole, 0, length), true);
    parser.Finish();
    EXPECT_EQ(Sum(parser.sent()), 0U) << length;
  }
  Bytes udp = whole;
  udp[9] = 17;
  O2netParser parser;
  parser.Packet(udp, true);
  EXPECT_EQ(parser.packets(), 0U);
}

}  // namespace
}  // namespace ocfsgw::bench
