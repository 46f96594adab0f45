"""IPv4, UDP and TCP octets: packets that a kernel would not send, and what captures hold."""
import socket
import struct
from types import SimpleNamespace

ICMP, TCP, UDP, GRE = 1, 6, 17, 47


def checksum(octets):
    octets += b"\0" * (len(octets) & 1)
    total = sum(struct.unpack(f">{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(source, destination, protocol, payload, df=True, identifier=0, ttl=64):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), identifier,
                       0x4000 if df else 0, ttl, protocol, 0,
                       socket.inet_aton(source), socket.inet_aton(destination))
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def udp(source, destination, sport, dport, data, **keywords):
    payload = struct.pack(">HHHH", sport, dport, 8 + len(data), 0) + data   # 0: no checksum
    return packet(source, destination, UDP, payload, **keywords)


def parse(octets):
    """Addresses, fragment fields and payload; None when it is no whole IPv4 packet."""
    if len(octets) < 20 or octets[0] >> 4 != 4:
        return None
    header, length = (octets[0] & 15) * 4, int.from_bytes(octets[2:4], "big")
    if length > len(octets) or header < 20:
        return None
    fragment = int.from_bytes(octets[6:8], "big")
    return SimpleNamespace(
        length=length, protocol=octets[9], source=socket.inet_ntoa(octets[12:16]),
        destination=socket.inet_ntoa(octets[16:20]), df=bool(fragment & 0x4000),
        fragment=bool(fragment & 0x3FFF), payload=octets[header:length])


def mss(octets):
    """The MSS of a TCP SYN, or None."""
    found = parse(octets)
    if not found or found.protocol != TCP or found.fragment or not found.payload[13] & 2:
        return None
    options = found.payload[20:(found.payload[12] >> 4) * 4]
    while options and options[0]:
        length = 1 if options[0] == 1 else options[1]
        if options[0] == 2:
            return int.from_bytes(options[2:4], "big")
        options = options[length:]
    return None
