"""MPPE (RFC 3078) of the test caller: one object per direction, strict about what it opens."""
import hashlib

from mschap import Rc4

FLUSHED, BIT_B, BIT_C, ENCRYPTED = 0x8000, 0x4000, 0x2000, 0x1000
COUNT = 0x0FFF
_SALT = {40: b"\xd1\x26\x9e", 56: b"\xd1", 128: b""}
_PAD1, _PAD2 = bytes(40), b"\xf2" * 40


class Incoherent(Exception):
    """A frame that does not continue the stream (RFC 3078 sections 8.1 and 8.2)."""


def derive(start, current):
    """GetNewKeyFromSHA (RFC 3079 section 3.3)."""
    interim = hashlib.sha1(start + _PAD1 + current + _PAD2).digest()[:len(start)]
    return interim


def reduce(key, bits):
    salt = _SALT[bits]
    return salt + key[len(salt):]


class Mppe:
    """`on_flush` is what a FLUSHED frame means in stateful mode outside the change at
    count 255: 'change' the key (Linux) or 'restart' RC4 with it (RFC 3078 section 8.2, FreeBSD)."""

    def __init__(self, start, bits, stateless=True, on_flush="change"):
        self.start, self.bits, self.stateless, self.on_flush = start, bits, stateless, on_flush
        self.key = reduce(derive(start, start), bits)
        self.count = 0              # of the next frame
        self.stream = Rc4(self.key)
        self.flush_next = False     # sender: a Reset-Request came
        self.lost = False           # receiver: frames are missing, wait for FLUSHED

    def change(self):
        interim = derive(self.start, self.key)
        self.key = reduce(Rc4(interim).apply(interim), self.bits)
        self.stream = Rc4(self.key)

    def seal(self, plain):
        count, flags = self.count, ENCRYPTED
        self.count = (count + 1) & COUNT
        if self.stateless or count & 0xFF == 0xFF:
            flags |= FLUSHED
            self.change()
        elif self.flush_next:
            flags |= FLUSHED
            self.flushed()
        self.flush_next = False
        return (flags | count).to_bytes(2, "big") + self.stream.apply(plain)

    def flushed(self):
        if self.on_flush == "change":
            self.change()
        else:
            self.stream = Rc4(self.key)

    def open(self, frame):
        """The clear text of a 00fd frame's information field, or Incoherent."""
        if len(frame) < 3:
            raise Incoherent(f"{len(frame)} octets are no MPPE frame")
        head = int.from_bytes(frame[:2], "big")
        if not head & ENCRYPTED or head & (BIT_B | BIT_C):
            raise Incoherent(f"MPPE header {head:04x}: D must be set, B and C clear")
        step = self.open_stateless if self.stateless else self.open_stateful
        step(head & COUNT, bool(head & FLUSHED))
        return self.stream.apply(frame[2:])

    def open_stateless(self, count, flushed):
        if not flushed:
            raise Incoherent("a stateless frame without FLUSHED")
        ahead = (count - self.count) & COUNT
        if ahead > COUNT // 2:
            raise Incoherent(f"count {count} is late, {self.count} is next")
        for _ in range(ahead + 1):
            self.change()
        self.count = (count + 1) & COUNT

    def open_stateful(self, count, flushed):
        ahead = (count - self.count) & COUNT
        if not flushed:
            if ahead or self.lost:
                self.lost = True
                raise Incoherent(f"count {count}, expected {self.count}")
        else:
            self.catch_up(count, ahead)
        self.count = (count + 1) & COUNT

    def catch_up(self, count, ahead):
        """The key changes of lost frames with count 255, then this frame's own."""
        for passed in range(self.count, self.count + ahead):
            if passed & 0xFF == 0xFF:
                self.change()
        if count & 0xFF == 0xFF:
            self.change()
        else:
            self.flushed()
        self.lost = False
