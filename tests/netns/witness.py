"""A good caller in a process of its own, whose traffic goes on while others attack: what it notices
is what a user would notice. Every packet that it sends into the LAN comes back; a stall is the
longest time without one."""
import contextlib
import select
import socket
import struct
import time
from types import SimpleNamespace

import gre
import ip
from bed import LAN, WAN
from caller import Caller
from loop import Loop

_PORT = 7           # echo (RFC 862)
_PACE = 0.02        # seconds between packets
_DATA = bytes(400)


def mirror(listening):
    """Sends every UDP packet back until it is killed."""
    while True:
        data, peer = listening.recvfrom(65536)
        listening.sendto(data, peer)


def witness(signals, user, password):
    """Dials, says so, and plays until the other end of `signals` closes or says "?": then the
    figures since the last time."""
    loop, problems = Loop(), []
    # This process is in its namespace already.
    here = contextlib.nullcontext()
    hub = gre.Hub(loop, here, problems.append)
    bed = SimpleNamespace(loop=loop, callers=[], report=problems.append, routes=[], mtu=1400,
                          port=1723, hub=lambda netns: hub)
    caller = Caller(bed, here, WAN, user, password, tun=False)
    caller.dial(10)
    seen = Seen(caller)
    seen.begin()
    signals.sendall(b"!")
    while select.select([signals], [], [], 0)[0] == []:
        seen.turn(loop)
    while signals.recv(1):
        signals.sendall(struct.pack(">ddII", *seen.figures()))
        seen.begin()
        while select.select([signals], [], [], 0)[0] == []:
            seen.turn(loop)
    return {"problems": problems, "over": caller.finished()}


class Seen:
    def __init__(self, caller):
        self.caller, self.number = caller, 0
        caller.on_ip = caller.link.on_ip = self.came_back

    def begin(self):
        """Counts anew. A packet that is under way now counts as one of the time before."""
        self.last = self.due = time.monotonic()
        self.stall = self.late = 0.0
        self.sent = self.back = 0

    def turn(self, loop):
        """One packet, and its time. When this process did not get to run, that is its own stall
        and not the server's."""
        self.caller.send_ip(ip.udp(self.caller.address, LAN, 7777, _PORT,
                                   struct.pack(">I", self.number) + _DATA))
        self.number += 1
        self.sent += 1
        self.due = time.monotonic() + _PACE
        while (left := self.due - time.monotonic()) > 0:
            loop.turn(left)
        own = time.monotonic() - self.due
        self.late = max(self.late, own)
        if own > _PACE:
            self.last += own
        self.stall = max(self.stall, time.monotonic() - self.last)

    def came_back(self, packet):
        self.back += 1
        now = time.monotonic()
        self.stall = max(self.stall, now - self.last)
        self.last = now

    def figures(self):
        return self.stall, self.late, self.sent, self.back


class Witness:
    """The other end of `witness`, in the bed."""

    def __init__(self, bed, where="c2", user="bob"):
        self.bed = bed
        with bed.lan:
            echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            echo.bind((LAN, _PORT))
        bed.spawn("lan", mirror, echo)
        self.signals, theirs = socket.socketpair()
        self.task = bed.spawn(where, witness, theirs, user, f"{user}-Pass1")
        self.signals.setblocking(False)
        bed.loop.until(lambda: self.read(1) or self.task.done, 15, "the good caller")
        if self.task.done:
            self.task.result()
        self.worst = 0.0

    def read(self, count):
        try:
            return self.signals.recv(count)
        except BlockingIOError:
            return b""

    def ask(self):
        """(worst stall, own lateness, packets sent, packets that came back) since the last time."""
        self.signals.send(b"?")
        octets = b""

        def whole():
            nonlocal octets
            octets += self.read(24 - len(octets))
            return len(octets) == 24 or self.task.done
        self.bed.loop.until(whole, 10, "the good caller's figures")
        if self.task.done:
            raise AssertionError(f"the good caller ended: {self.task.result()}")
        stall, late, sent, back = struct.unpack(">ddII", octets)
        self.worst = max(self.worst, stall)
        return stall, late, sent, back

    def verdict(self):
        """The figures as a note; raises when the good caller suffered."""
        stall, late, sent, back = self.ask()
        note = f"stall {stall * 1000:.0f} ms, {back} of {sent} packets back"
        assert stall < 1.0 + late, f"{note}, own lateness {late * 1000:.0f} ms"
        # Some are still under way when the figures are asked for.
        assert back >= sent * 0.9 - 5, note
        return note

    def end(self):
        self.signals.close()
        result = self.task.result()
        # What it was told in answer to frames that others forged in its name is no fault.
        wrong = [p for p in result["problems"] if "returns what we did not send" not in p]
        assert not wrong and not result["over"], result
