"""Real TCP and pings between two namespaces. Every octet of a transfer is compared."""
import os
import select
import socket
import struct
import threading
import time

BLOCK = os.urandom(1 << 20)
PATIENCE = struct.pack('ll', 30, 0)


def connection(sender, receiver, address, source=None):
    """Both ends of a TCP connection from one namespace to `address` in the other."""
    with receiver:
        listener = socket.create_server((address, 0))
    with sender:
        out = socket.socket()
        if source:
            out.bind((source, 0))
    out.connect(listener.getsockname())
    into, _ = listener.accept()
    listener.close()
    # A timeout of Python's own would make MSG_WAITALL return early.
    out.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, PATIENCE)
    into.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, PATIENCE)
    return out, into


def transfer(sender, receiver, address, mebibytes, source=None):
    """Sends so much, and compares it; seconds until the last octet was taken."""
    out, into = connection(sender, receiver, address, source)
    feeder = threading.Thread(target=feed, args=(out, mebibytes))
    began = time.monotonic()
    feeder.start()
    with into:
        count = take(into)
    seconds = time.monotonic() - began
    feeder.join()
    if count != mebibytes:
        raise RuntimeError(f'{count} of {mebibytes} MiB arrived')
    return seconds


def feed(out, mebibytes):
    with out:
        for _ in range(mebibytes):
            out.sendall(BLOCK)


def take(into):
    """Reads to the end, and compares every octet; the number of blocks."""
    room, count = memoryview(bytearray(len(BLOCK))), 0
    while length := into.recv_into(room, len(room), socket.MSG_WAITALL):
        if length != len(BLOCK) or room != BLOCK:
            raise RuntimeError('what arrived is not what was sent')
        count += 1
    return count


class Stream:
    """`with Stream(...)`: TCP as fast as it goes meanwhile. What is asked for is where it goes, as for `transfer`."""

    def __init__(self, *ends):
        self.out, self.into = connection(*ends)
        self.threads = [threading.Thread(target=self.send), threading.Thread(target=self.receive)]
        self.octets = 0

    def __enter__(self):
        self.began = time.monotonic()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self.began
        for end in (self.out, self.into):
            end.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()
        self.out.close()
        self.into.close()

    def speed(self):
        """MB/s, once it is over."""
        return self.octets / self.seconds / 1e6

    def send(self):
        try:
            while True:
                self.out.sendall(BLOCK)
        except OSError:
            pass    # the end

    def receive(self):
        room = bytearray(1 << 18)
        try:
            while length := self.into.recv_into(room):
                self.octets += length
        except OSError:
            pass    # the end


def pings(space, address, count, pause=0.01, source=None):
    """Round-trip times in milliseconds; None for one that does not come back in a second."""
    with space:
        echo = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    if source:
        echo.bind((source, 0))
    echo.connect((address, 0))
    times = []
    for number in range(count):
        began = time.monotonic()
        echo.send(request(number))
        times.append(wait_for(echo, number, began))
        time.sleep(pause)
    echo.close()
    return times


def request(number):
    words = struct.pack('>BBHHH', 8, 0, 0, os.getpid() & 0xffff, number) + bytes(56)
    total = sum(struct.unpack(f'>{len(words) // 2}H', words))
    total = (total & 0xffff) + (total >> 16)
    return words[:2] + struct.pack('>H', ~(total + (total >> 16)) & 0xffff) + words[4:]


def wait_for(echo, number, began):
    while (left := began + 1 - time.monotonic()) > 0 and select.select([echo], [], [], left)[0]:
        reply = echo.recv(2048)[20:]
        if reply[0] == 0 and reply[4:8] == struct.pack('>HH', os.getpid() & 0xffff, number):
            return (time.monotonic() - began) * 1000
    return None
