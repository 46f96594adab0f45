"""Traffic from a child process inside a namespace (netns.Task); results are plain data."""
import errno
import hashlib
import os
import select
import socket
import struct
import time

import ip

_IP_MTU_DISCOVER, _DO, _DONT = 10, 2, 0
_IP_MTU = 14


def ping(destination, count=3, size=64, df=False, interval=0.05, wait=2.0, source=None):
    """`size` is that of the whole inner IP packet. Tells how many came back, and the
    MTU that the path announced when a packet was too large."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    if source:
        sock.bind((source, 0))
    sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _DO if df else _DONT)
    sock.connect((destination, 0))
    result = {"sent": count, "received": 0, "damaged": 0, "mtu": None}
    for seq in range(count):
        ping_once(sock, seq, os.urandom(size - 28), wait, result)
        time.sleep(interval)
    return result


def ping_once(sock, seq, data, wait, result):
    identifier = os.getpid() & 0xFFFF
    echo = struct.pack(">BBHHH", 8, 0, 0, identifier, seq) + data
    echo = echo[:2] + struct.pack(">H", ip.checksum(echo)) + echo[4:]
    try:
        sock.send(echo)
    except OSError as error:
        return too_big(sock, error, result)
    deadline = time.monotonic() + wait
    while (left := deadline - time.monotonic()) > 0 and select.select([sock], [], [], left)[0]:
        try:
            reply = ip.parse(sock.recv(65536)).payload
        except OSError as error:
            return too_big(sock, error, result)
        if reply[0] == 3 and reply[1] == 4:
            result["mtu"] = int.from_bytes(reply[6:8], "big")
            return
        if reply[0] == 0 and reply[4:8] == struct.pack(">HH", identifier, seq):
            result["received"] += 1
            result["damaged"] += reply[8:] != data
            return


def too_big(sock, error, result):
    if error.errno != errno.EMSGSIZE:
        raise error
    result["mtu"] = sock.getsockopt(socket.IPPROTO_IP, _IP_MTU)


def knock(destination, port):
    """What becomes of a TCP connection."""
    with socket.socket() as sock:
        sock.settimeout(2)
        try:
            sock.connect((destination, port))
            return "open"
        except ConnectionRefusedError:
            return "refused"
        except TimeoutError:
            return "silence"


def icmp(destination, message):
    """Sends an ICMP message as it is."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        sock.sendto(message, (destination, 0))


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def listener(netns, address, port=0):
    """A listening socket inside a namespace, to hand to `sink` or `source`."""
    with netns:
        sock = socket.socket(family(address))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        sock.listen()
    return sock


def block(size, seed=b"block"):
    """Octets that both ends can make."""
    return hashlib.shake_256(seed).digest(size)


def sink(listening, size):
    """Takes one connection to its end; whether the data is what `source` sends."""
    with listening:
        listening.settimeout(30)
        peer, _ = listening.accept()
    peer.settimeout(30)
    digest, count = hashlib.sha256(), 0
    while octets := peer.recv(65536):
        digest.update(octets)
        count += len(octets)
    peer.close()
    right = hashlib.sha256(block(size)).hexdigest()
    return {"octets": count, "right": digest.hexdigest() == right}


def source(destination, port, size, mss=None):
    """Sends `size` octets and waits until the other end has read them all."""
    with socket.socket(family(destination)) as sock:
        sock.settimeout(30)
        if mss:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, mss)
        began = time.monotonic()
        sock.connect((destination, port))
        sock.sendall(block(size))
        sock.shutdown(socket.SHUT_WR)
        sock.recv(1)
        return {"seconds": time.monotonic() - began}


def blast(destination, size, seconds):
    """UDP datagrams to port 9 for so long; the seconds and how many the kernel took."""
    data, count, began = bytes(size), 0, time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((destination, 9))
        while time.monotonic() < began + seconds:
            for _ in range(32):
                try:
                    count += sock.send(data) > 0
                except OSError:
                    pass            # a full queue, or a port that nobody has
    return [time.monotonic() - began, count]


class Mailbox:
    """A UDP socket inside a namespace, read by the bed's own loop: what came, in which order."""

    def __init__(self, loop, netns, address, port=0):
        self.loop, self.letters = loop, []
        with netns:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind((address, port))
        self.socket.setblocking(False)
        self.address, self.port = self.socket.getsockname()
        loop.watch(self.socket, self.read)

    def read(self):
        while True:
            try:
                self.letters.append(self.socket.recv(65536))
            except BlockingIOError:
                return

    def send(self, destination, port, data):
        self.socket.sendto(data, (destination, port))

    def close(self):
        self.loop.forget(self.socket)
        self.socket.close()
