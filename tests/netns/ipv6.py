"""IPv6 octets and pings (RFC 8200, RFC 4443, RFC 4861): what a kernel would not send, and what the
server's router advertisements say."""
import errno
import os
import select
import socket
import struct
import time
from types import SimpleNamespace

import ip

TCP, UDP, ICMPV6 = 6, 17, 58
ADVERTISEMENT = 134
_IPV6_MTU_DISCOVER, _IPV6_MTU, _DO = 23, 24, 2


def text(octets):
    return socket.inet_ntop(socket.AF_INET6, octets)


def octets(address):
    return socket.inet_pton(socket.AF_INET6, address)


def link_local(identifier):
    return text(bytes.fromhex("fe80000000000000") + identifier)


def packet(source, destination, next_header, payload, hops=64):
    return (struct.pack(">IHBB", 6 << 28, len(payload), next_header, hops)
            + octets(source) + octets(destination) + payload)


def udp(source, destination, sport, dport, data, hops=64):
    payload = struct.pack(">HHHH", sport, dport, 8 + len(data), 0) + data
    return packet(source, destination, UDP, sealed(source, destination, UDP, payload, 6), hops)


def icmp(source, destination, message, hops=255):
    payload = sealed(source, destination, ICMPV6, message, 2)
    return packet(source, destination, ICMPV6, payload, hops)


def sealed(source, destination, protocol, payload, at):
    """With the checksum at its place."""
    pseudo = octets(source) + octets(destination) + struct.pack(">II", len(payload), protocol)
    total = ip.checksum(pseudo + payload)
    return payload[:at] + struct.pack(">H", total) + payload[at + 2:]


def parse(data):
    """Addresses and payload; None when it is no whole IPv6 packet."""
    if len(data) < 40 or data[0] >> 4 != 6:
        return None
    length = int.from_bytes(data[4:6], "big")
    if 40 + length > len(data):
        return None
    return SimpleNamespace(next_header=data[6], hops=data[7], source=text(data[8:24]),
                           destination=text(data[24:40]), payload=data[40:40 + length])


def advertisement(data):
    """What a router advertisement says; None when it is none."""
    found = parse(data)
    if not found or found.next_header != ICMPV6 or found.payload[0] != ADVERTISEMENT:
        return None
    message, told = found.payload, SimpleNamespace(prefixes=[], dns=[], mtu=None, routes=[])
    pseudo = data[8:40] + struct.pack(">II", len(message), ICMPV6)
    told.right = ip.checksum(pseudo + message) == 0 and found.hops == 255
    told.source, told.flags = found.source, message[5]
    told.lifetime = int.from_bytes(message[6:8], "big")
    at = 16
    while at < len(message):
        option = message[at:at + message[at + 1] * 8]
        if option[0] == 3:
            told.prefixes.append((text(option[16:32]), option[2], option[3]))
        elif option[0] == 5:
            told.mtu = int.from_bytes(option[4:8], "big")
        elif option[0] == 24:
            told.routes.append(text(option[8:16] + bytes(8)))
        elif option[0] == 25:
            told.dns += [text(option[n:n + 16]) for n in range(8, len(option), 16)]
        at += len(option)
    return told


def ping(destination, count=3, size=104, interval=0.05, wait=2.0, source=None):
    """`size` is that of the whole inner packet. Tells how many came back, and the MTU that the
    path announced when a packet was too large."""
    sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _DO)
    if source:
        sock.bind((source, 0))
    sock.connect(socket.getaddrinfo(destination, 0, socket.AF_INET6)[0][4])
    result = {"sent": count, "received": 0, "damaged": 0, "mtu": None}
    for seq in range(count):
        ping_once(sock, seq, os.urandom(size - 48), wait, result)
        time.sleep(interval)
    return result


def ping_once(sock, seq, data, wait, result):
    identity = struct.pack(">HH", os.getpid() & 0xFFFF, seq)
    deadline = time.monotonic() + wait
    try:
        sock.send(b"\x80\0\0\0" + identity + data)      # the kernel does the checksum
        while (left := deadline - time.monotonic()) > 0 and select.select([sock], [], [], left)[0]:
            reply = sock.recv(65536)
            if reply[0] == 129 and reply[4:8] == identity:
                result["received"] += 1
                result["damaged"] += reply[8:] != data
                return
    except OSError as error:
        if error.errno != errno.EMSGSIZE:
            raise
        result["mtu"] = sock.getsockopt(socket.IPPROTO_IPV6, _IPV6_MTU)
