#!/usr/bin/python3 -IS
"""Runs a command in this node and counts the lock manager's messages that the node sends and receives meanwhile.

  messages.py 'CMD'

Prints what CMD prints, then the line "messages N packets P TYPE=n ...": N requests of the o2dlm domains on the interconnect
(answers, keep-alives and acknowledgements are no messages), P packets of that connection. Exits with CMD's status, or with
4 if packets were lost. The kernel keeps the packets until CMD is done, so that counting costs no time while it runs.
"""
import collections, ctypes, os, socket, struct, subprocess, sys

PORT = 7777                 # of o2net, as node-main.sh configures it
O2NET_MSG, O2NET_STATUS, O2NET_KEEPALIVE = 0xFA55, 0xFA56, (0xFA57, 0xFA58)     # fs/ocfs2/cluster/tcp_internal.h
HEADER = 24                 # struct o2net_msg
NAMES = {500: "master_request", 502: "assert_master", 503: "create_lock", 504: "convert_lock", 505: "proxy_ast",
         506: "unlock_lock", 507: "deref_lockres", 508: "migrate_request", 509: "mig_lockres", 522: "deref_done"}
SO_RCVBUFFORCE, SOL_PACKET, PACKET_STATISTICS, PACKET_OUTGOING = 33, 263, 6, 4
BUFFER_BYTES = 96 << 20


def filter_port():
    """tcpdump -ddd 'tcp port 7777' for IPv4 without options: struct sock_fprog."""
    code = [(0x28, 0, 0, 12), (0x15, 0, 7, 0x0800), (0x30, 0, 0, 23), (0x15, 0, 5, 6), (0x28, 0, 0, 34),
            (0x15, 2, 0, PORT), (0x28, 0, 0, 36), (0x15, 0, 1, PORT), (6, 0, 0, 0x40000), (6, 0, 0, 0)]
    raw = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
    return raw, struct.pack("HP", len(code), ctypes.addressof(raw))


def drain(sock):
    while True:
        try:
            yield sock.recv(1 << 18, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return


def count(frames):
    flows, counts, packets = collections.defaultdict(dict), collections.Counter(), 0
    for frame in frames:
        packets += 1
        tcp = 14 + (frame[14] & 15) * 4
        data = frame[tcp + (frame[tcp + 12] >> 4) * 4:14 + struct.unpack_from(">H", frame, 16)[0]]
        if data:
            flows[frame[26:34] + frame[tcp:tcp + 4]].setdefault(struct.unpack_from(">I", frame, tcp + 4)[0], data)
    for flow in flows.values():          # in sequence order; what was sent twice falls on the same key
        stream, expected = bytearray(), None
        for seq in sorted(flow):
            stream += flow[seq] if expected is None or seq >= expected else flow[seq][expected - seq:]
            expected = max(expected or 0, seq + len(flow[seq]))
        at = 0
        while at + HEADER <= len(stream):
            magic, length, kind = struct.unpack_from(">HHH", stream, at)
            if magic == O2NET_MSG:
                counts[NAMES.get(kind, f"type_{kind}")] += 1
                at += HEADER + length
            elif magic == O2NET_STATUS or magic in O2NET_KEEPALIVE:
                at += HEADER
            else:                        # the capture began in the middle of a message
                at += 1
    return packets, counts


def main(command):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
    code, program = filter_port()
    sock.setsockopt(socket.SOL_SOCKET, 26, program)                    # SO_ATTACH_FILTER
    sock.bind(("eth0", 3))                                             # ETH_P_ALL
    status = subprocess.run(["/bin/bash", "-c", command], stdin=subprocess.DEVNULL).returncode
    packets, counts = count(list(drain(sock)))
    lost = struct.unpack("II", sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
    del code
    print(f"messages {sum(counts.values())} packets {packets}", *(f"{k}={v}" for k, v in counts.most_common()), flush=True)
    if lost:
        print(f"messages.py: {lost} packets were lost", file=sys.stderr)
        return 4
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
