"""A whole call: control connection, tunnel, link, and a TUN in the caller's namespace."""
import fcntl
import itertools
import os
import random
import struct

import gre
import ipv6
import ppp
import pptp
from control import Control
from link import Link
from personality import PPPD

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 1, 0x1000
_BATCH = 64
_numbers = itertools.count()


class Tun:
    """The caller's side of the tunnel as its kernel sees it."""

    def __init__(self, loop, netns, address, mtu, routes, on_packet, identifier=None):
        self.loop, self.name, self.on_packet = loop, f"tun{next(_numbers)}", on_packet
        self.netns = netns
        with netns:
            self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            request = struct.pack("16sH22x", self.name.encode(), _IFF_TUN | _IFF_NO_PI)
            fcntl.ioctl(self.fd, _TUNSETIFF, request)
        lines = [f"addr add {address}/32 dev {self.name}",
                 f"link set {self.name} mtu {mtu} up",
                 *(f"route replace {route} dev {self.name}" for route in routes)]
        self.versions = (4, 6) if identifier else (4,)
        if identifier:
            self.prepare_ipv6()
            lines.append(f"addr add {ipv6.link_local(identifier)}/64 dev {self.name} nodad")
        netns.ip_batch(lines)
        loop.watch(self.fd, self.read)

    def prepare_ipv6(self):
        """As pppd leaves it to the kernel: addresses by router advertisements."""
        for name, value in (("addr_gen_mode", 1), ("accept_ra", 2),
                            ("router_solicitation_delay", 0)):
            self.netns.sysctl(f"net.ipv6.conf.{self.name}.{name}", value)

    def read(self):
        for _ in range(_BATCH):
            try:
                packet = os.read(self.fd, 65536)
            except BlockingIOError:
                return
            if packet[0] >> 4 in self.versions:
                self.on_packet(packet)

    def write(self, packet):
        os.write(self.fd, packet)

    def close(self):
        self.loop.forget(self.fd)
        os.close(self.fd)


class Caller:
    """`dial` does it all; a test may also take the steps one by one. What the server does wrong
    is in `problems` of the bed by way of `report`."""

    def __init__(self, bed, netns, server, user="alice", password="alice-Pass1", *,
                 personality=PPPD, source=None, lossy=False, tun=True, control=None,
                 routes=None):
        self.bed, self.netns, self.server, self.loop = bed, netns, server, bed.loop
        self.user, self.password, self.personality = user, password, personality
        self.source, self.lossy, self.wants_tun = source, lossy, tun
        self.routes = bed.routes if routes is None else routes
        self.control, self.tunnel, self.link, self.tun = control, None, None, None
        self.inner, self.taps, self.early = [], [], []
        self.keep_inner = not tun
        bed.callers.append(self)

    def report(self, text):
        self.bed.report(f"{self.personality.name}/{self.user}: {text}")

    # Steps of a call

    def connect(self):
        self.control = Control(self.loop, self.netns, self.server, self.report, self.source,
                               port=self.bed.port)
        self.sccrp = self.control.start(**self.personality.sccrq)

    def place(self):
        """OCRQ, and the tunnel that its reply describes."""
        self.call_id = random.randrange(1, 0x10000)
        self.tunnel = gre.Tunnel(
            self.bed.hub(self.netns), self.control, self.call_id, self.receive,
            first_seq=self.personality.first_seq, bare_acks=self.personality.bare_acks,
            lossy=self.lossy)
        reply = self.control.call(self.call_id, **self.personality.ocrq)
        self.server_call_id = self.tunnel.peer_call_id = reply.call_id
        self.link_info("call")
        self.control.listeners.append(self.notified)

    def begin(self):
        """PPP starts; returns at once."""
        self.link = Link(self.loop, self.personality, self.user, self.password,
                         self.tunnel.send, self.report, self.on_ip, self.lossy)
        self.link.hooks["open"] = lambda: self.link_info("open")
        if self.personality.swaps_first:
            self.link.hooks["authenticated"] = self.cork
            self.link.hooks["pipelined"] = lambda: self.tunnel.uncork([1, 0])
        self.link.start()
        early, self.early = self.early, []
        for frame in early:
            self.link.receive(frame)

    def cork(self):
        self.tunnel.corked = []

    def link_info(self, moment):
        for when, accm in self.personality.link_info:
            if when == moment:
                self.control.send(pptp.SLI, peer_call_id=self.server_call_id,
                                  send_accm=accm, receive_accm=accm)

    def notified(self, message):
        if message.kind == pptp.CDN and message.call_id == self.server_call_id:
            self.link.end(f"CDN result {message.result}")

    def receive(self, frame):
        """The server's first frame may overtake its OCRP."""
        if self.link:
            self.link.receive(frame)
        else:
            self.early.append(frame)

    def finished(self):
        """Why the call is over, or None."""
        if self.link.ended:
            return self.link.ended
        return f"connection {self.control.closed}" if self.control.closed else None

    def attempt(self, timeout=10):
        """Dials and waits for an open network or the end; True when it is open."""
        if not self.control:
            self.connect()
        self.place()
        self.begin()
        self.loop.until(lambda: self.link.up or self.link.failure or self.finished(), timeout,
                        f"{self.personality.name}/{self.user}: log in")
        return self.link.up and not self.link.failure

    def dial(self, timeout=10, ipv6cp=False):
        if not self.attempt(timeout):
            raise AssertionError(f"{self.personality.name}/{self.user} did not get in: "
                                 f"failure {self.link.failure}, {self.finished()}")
        if ipv6cp:
            self.loop.until(lambda: self.link.ipv6cp.open, timeout, "IPV6CP")
        if self.wants_tun:
            self.open_tun()
        return self

    def open_tun(self):
        identifier = self.link.ipv6cp.identifier_of_ours if self.link.ipv6cp.open else None
        self.tun = Tun(self.loop, self.netns, self.address, self.mtu, self.routes, self.send_ip,
                       identifier)

    @property
    def address(self):
        return self.link.address

    @property
    def mtu(self):
        """What a client's kernel takes: the server's MRU less MPPE and its own protocol field."""
        mru = self.link.lcp.value(1)
        mru = int.from_bytes(mru, "big") if mru else 1500
        return min(mru - 4, self.bed.mtu)

    # Data

    def send_ip(self, packet):
        for tap in self.taps:
            tap("out", packet)
        if self.link and self.link.up:
            self.link.send_ip(packet, ppp.IP if packet[0] >> 4 == 4 else ppp.IPV6)

    def on_ip(self, packet):
        for tap in self.taps:
            tap("in", packet)
        at, head = (2, 0) if packet[0] >> 4 == 4 else (4, 40)
        if int.from_bytes(packet[at:at + 2], "big") + head != len(packet):
            return self.report(f"inner packet of {len(packet)} octets: {packet[:20].hex()}")
        if self.tun:
            self.tun.write(packet)
        if self.keep_inner:
            self.inner.append(packet)

    # Ends

    def clear(self, timeout=5):
        """Call-Clear-Request; the answer names the call as the server does."""
        self.control.send(pptp.CCRQ, call_id=self.call_id)
        note = self.control.expect(pptp.CDN, timeout=timeout)
        if note.call_id != self.server_call_id:
            self.report(f"CDN for call {note.call_id:#x}, the server's is {self.server_call_id:#x}")
        return note

    def hang_up(self, timeout=5):
        """The polite end: LCP Terminate, Call-Clear-Request, StopCCRQ."""
        self.link_info("end")
        if not self.link.ended:
            self.link.hang_up("done")
            self.loop.until(lambda: self.link.lcp.closed or self.control.closed, timeout,
                            "LCP Terminate-Ack")
        if not self.control.find(pptp.CDN):
            self.clear(timeout)
        self.control.stop(timeout)
        self.drop()

    def drop(self):
        """Everything of ours goes, without a word."""
        for part in (self.tun, self.tunnel, self.control):
            if part:
                part.close()
        if self.link:
            self.link.end("dropped")
        self.tun = None
        if self in self.bed.callers:
            self.bed.callers.remove(self)
