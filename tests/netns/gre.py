"""Enhanced GRE (RFC 2637 section 4): the raw socket of one namespace, and one tunnel of it."""
import errno
import socket
import struct

K, S, A, VERSION = 0x2000, 0x1000, 0x0080, 0x0001
PPP = 0x880B
PROTOCOL = socket.IPPROTO_GRE
_ACK_DELAY = 0.03
_BATCH = 64


def build(call_id, payload=b"", seq=None, ack=None):
    flags = K | VERSION | (S if seq is not None else 0) | (A if ack is not None else 0)
    out = struct.pack(">HHHH", flags, PPP, len(payload), call_id)
    for number in (seq, ack):
        if number is not None:
            out += struct.pack(">I", number & 0xFFFFFFFF)
    return out + payload


def parse(gre):
    """(call id, sequence, acknowledgment, payload); ValueError for what a server must not send."""
    if len(gre) < 8:
        raise ValueError(f"{len(gre)} octets")
    flags, protocol, length, call_id = struct.unpack(">HHHH", gre[:8])
    if flags & ~(S | A) != K | VERSION or protocol != PPP:
        raise ValueError(f"flags {flags:04x} protocol {protocol:04x}")
    at, numbers = 8, []
    for bit in (S, A):
        numbers.append(int.from_bytes(gre[at:at + 4], "big") if flags & bit else None)
        at += 4 if flags & bit else 0
    if len(gre) - at != length:
        raise ValueError(f"payload length {length}, {len(gre) - at} octets there")
    seq, ack = numbers
    if (seq is None) == bool(length) or (seq is None and ack is None):
        raise ValueError(f"S {seq is not None} A {ack is not None} with {length} octets")
    return call_id, seq, ack, gre[at:]


def ahead(a, b):
    """How far a is ahead of b on the 32-bit circle; negative when behind."""
    return ((a - b + 0x80000000) & 0xFFFFFFFF) - 0x80000000


def raw_socket(netns, source=None):
    with netns:
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, PROTOCOL)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    raw.setblocking(False)
    if source:
        raw.bind((source, 0))
    return raw


class Hub:
    """All GRE of one namespace: finds the tunnel of a packet by its destination and call id. Each address has ids of its
    own, and a server that does not know yet that a caller is gone still sends to its last one."""

    def __init__(self, loop, netns, report):
        self.loop, self.netns, self.report = loop, netns, report
        self.tunnels, self.ended, self.senders = {}, set(), {}
        self.socket = raw_socket(netns)
        loop.watch(self.socket, self.read)

    def sender(self, source):
        """A socket bound to the local address that the control connection uses."""
        if source not in self.senders:
            self.senders[source] = raw_socket(self.netns, source)
            # Only to send with: what arrives is read at the unbound socket.
            self.senders[source].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        return self.senders[source]

    def read(self):
        for _ in range(_BATCH):
            try:
                packet = self.socket.recv(65536)
            except BlockingIOError:
                return
            self.take(packet)

    def take(self, packet):
        header = (packet[0] & 15) * 4
        source, local = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
        if int.from_bytes(packet[2:4], "big") != len(packet):
            return self.report("GRE: IP length differs from the octets received")
        try:
            call_id, seq, ack, payload = parse(packet[header:])
        except ValueError as error:
            return self.report(f"GRE from {source}: {error}: {packet[header:][:24].hex()}")
        tunnel = self.tunnels.get((local, call_id))
        if tunnel:
            tunnel.receive(source, seq, ack, payload)
        elif (local, call_id) not in self.ended:
            self.report(f"GRE {source} -> {local} for call {call_id:#06x}, which nobody has")

    def close(self):
        for raw in (self.socket, *self.senders.values()):
            self.loop.forget(raw)
            raw.close()


class Tunnel:
    """Numbers of one call. `lossy` lines may lose and reorder: sequence numbers must then only
    be new, and a late packet is dropped as the Linux kernel's client does."""

    def __init__(self, hub, control, call_id, deliver, *,
                 first_seq=0, bare_acks=True, lossy=False):
        self.hub, self.report, self.deliver = hub, control.report, deliver
        self.server, self.local = control.server, control.source
        self.call_id, self.peer_call_id = call_id, None
        self.seq = first_seq            # of the next packet of ours
        self.sent = None                # highest number that was used
        self.bare_acks, self.lossy = bare_acks, lossy
        self.received = None            # highest sequence number seen
        self.owed = False               # it has not been acknowledged yet
        self.acked = None               # highest of ours that the server acknowledged
        self.late = self.data = self.bare = 0
        self.timer = None
        self.corked = None              # packets that wait for `uncork`
        self.key = self.local, call_id
        hub.tunnels[self.key] = self
        hub.ended.discard(self.key)

    def receive(self, source, seq, ack, payload):
        if source != self.server:
            return self.report(f"GRE from {source} in the call of {self.server}")
        if ack is not None:
            self.take_ack(ack, bare=seq is None)
        if seq is None:
            self.bare += 1
            return
        self.data += 1
        if self.in_order(seq):
            self.received, self.owed = seq, True
            self.deliver(payload)
            self.ack_later()

    def take_ack(self, ack, bare):
        if self.sent is None or ahead(ack, self.sent) > 0:
            self.report(f"ack {ack}, we have sent only up to {self.sent}")
        news = self.acked is None or ahead(ack, self.acked) > 0
        if not self.lossy and not news and (bare or ack != self.acked):
            self.report(f"{'bare ' if bare else ''}ack {ack} after {self.acked}")
        if news:
            self.acked = ack

    def in_order(self, seq):
        if self.received is None:
            if seq > 1 and not self.lossy:
                self.report(f"first sequence number {seq}")
            return True
        step = ahead(seq, self.received)
        if step != 1 and not self.lossy:
            self.report(f"sequence {seq} after {self.received}")
        self.late += step <= 0
        return step > 0

    def ack_later(self):
        if self.bare_acks and not self.timer:
            self.timer = self.hub.loop.after(_ACK_DELAY, self.ack_now)

    def ack_now(self):
        self.timer = None
        if self.owed and self.peer_call_id is not None:
            self.owed = False
            self.put(build(self.peer_call_id, ack=self.received))

    def send(self, payload):
        """One PPP frame with the next number, and the acknowledgment when one is owed."""
        self.put(self.numbered(payload))

    def numbered(self, payload):
        """The packet that `send` would put on the line; a test may keep it and send it late."""
        ack = self.received if self.owed else None
        self.owed = False
        packet = build(self.peer_call_id, payload, self.seq, ack)
        if self.sent is None or ahead(self.seq, self.sent) > 0:
            self.sent = self.seq
        self.seq = (self.seq + 1) & 0xFFFFFFFF
        return packet

    def uncork(self, order):
        """What was sent since `corked` became a list goes out, in the order of these indices."""
        packets, self.corked = self.corked, None
        for index in [*order, *range(len(order), len(packets))]:
            self.put(packets[index])

    def put(self, packet):
        if self.corked is not None:
            return self.corked.append(packet)
        try:
            self.hub.sender(self.local).sendto(packet, (self.server, 0))
        except OSError as error:
            # A full queue loses a packet, and so does a line that went away.
            if error.errno not in (errno.ENOBUFS, errno.EAGAIN, errno.ENETUNREACH,
                                   errno.EHOSTUNREACH, errno.EPROTO, errno.ENOPROTOOPT):
                raise

    def close(self):
        if self.timer:
            self.timer.cancel()
        if self.hub.tunnels.pop(self.key, None):
            self.hub.ended.add(self.key)
