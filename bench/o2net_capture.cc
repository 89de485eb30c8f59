#include "bench/o2net_capture.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace ocfsgw::bench {
namespace {

/// Only IPv4, TCP, not a later fragment, from or to the port. Offsets count from the IP header.
Status AttachFilter(int fd, uint16_t port) {
  constexpr uint32_t kProtocol = static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_PROTOCOL);
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, kProtocol),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 9),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 7),
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 5, 0),
      BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
      BPF_STMT(BPF_LD | BPF_H | BPF_IND, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 3, 0),
      BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, 0x40000),
  };
  const sock_fprog program = {.len = std::size(code), .filter = code};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) {
    return Status::LastErrno("packet filter");
  }
  return Status::Ok();
}

}  // namespace

Result<O2netCapture> O2netCapture::Open(const std::string& interface, uint16_t port) {
  // Protocol 0: nothing is captured before the filter is there and bind() names the interface.
  const int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return Status::LastErrno("packet socket");
  O2netCapture capture(fd);
  const unsigned index = if_nametoindex(interface.c_str());
  if (index == 0) return Status::LastErrno("interface " + interface);
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kBufferBytes, sizeof kBufferBytes) != 0 &&
      setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kBufferBytes, sizeof kBufferBytes) != 0) {
    return Status::LastErrno("capture buffer");
  }
  OCFSGW_RETURN_IF_ERROR(AttachFilter(fd, port));
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);  // ETH_P_IP would not show what is sent
  address.sll_ifindex = static_cast<int>(index);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return Status::LastErrno("interface " + interface);
  }
  return capture;
}

O2netCapture::O2netCapture(O2netCapture&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), packet_(std::move(other.packet_)) {}

O2netCapture::~O2netCapture() {
  if (fd_ >= 0) close(fd_);
}

Status O2netCapture::Drain(O2netParser& parser) {
  for (;;) {
    sockaddr_ll from{};
    socklen_t length = sizeof from;
    const ssize_t bytes = recvfrom(fd_, packet_.data(), packet_.size(), MSG_DONTWAIT,
                                   reinterpret_cast<sockaddr*>(&from), &length);
    if (bytes >= 0) {
      parser.Packet(std::span(packet_).first(static_cast<size_t>(bytes)),
                    from.sll_pkttype == PACKET_OUTGOING);
    } else if (errno == EAGAIN) {
      return Status::Ok();
    } else if (errno != EINTR) {
      return Status::LastErrno("capture");
    }
  }
}

Result<uint64_t> O2netCapture::Lost() {
  tpacket_stats stats{};
  socklen_t length = sizeof stats;
  if (getsockopt(fd_, SOL_PACKET, PACKET_STATISTICS, &stats, &length) != 0) {
    return Status::LastErrno("capture statistics");
  }
  return uint64_t{stats.tp_drops};
}

}  // namespace ocfsgw::bench
