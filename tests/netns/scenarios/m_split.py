"""Large TCP packets that the server reads from the TUN device reach the caller as the segments that the kernel would
have made of them."""
import os
import shutil
import struct
import subprocess

import ip
from bed import LAN
from scenarios.p_ipv6 import PREFIX, address, build_lan, dial
from suite import Skip, scenario

_SIZE, _MTU = 1_500_000, 1400
_FIN, _SYN, _PSH, _CWR = 1, 2, 8, 0x80
_CHECK = ["-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]


@scenario(command=("env", "-u", "PPTP_SERVER_PLAIN_TUN"), ipv6_prefix=[PREFIX + "/64"])
def large_reads(bed, check):
    """Real TCP of both versions of IP to a caller: large packets come out of the kernel, and every segment is right."""
    largest = compare(bed, check)
    with check("large") as suite:
        assert largest > 4000, f"the largest packet from the kernel has {largest} octets"
        suite.note = f"up to {largest} octets"


@scenario(command=("env", "PPTP_SERVER_PLAIN_TUN=reads"), ipv6_prefix=[PREFIX + "/64"])
def plain_reads(bed, check):
    """The same while the kernel splits, which proves what is expected of us."""
    largest = compare(bed, check)
    with check("not-large"):
        assert largest <= _MTU, largest


def compare(bed, check):
    """Octets of the largest packet that came out of the TUN device."""
    build_lan(bed)
    tun, seen = bed.capture("router", "pptps0"), []
    one = dial(bed, "c1", "alice")
    mine = address(bed, one)
    one.taps.append(lambda way, packet: way == "in" and seen.append(packet))
    begin = len(tun.frames)
    for name, sender, to in (("lan", "lan", one.address), ("router", "router", one.address), ("ipv6", "lan", mine),
                             ("ipv6-router", "router", mine)):
        with check(name):
            bed.transfer(sender, "c1", to, _SIZE)
    with check("both-ways"):
        up = bed.begin_transfer("c1", "lan", LAN, _SIZE)
        bed.transfer("lan", "c1", one.address, _SIZE)
        up()
    with check("without-data"):      # single packets whose checksum is left to us
        bed.assert_ping("router", one.address)
        bed.transfer("router", "c1", mine, 1)
    with check("segments") as suite:
        assert not tun.dropped()
        read = [frame for _, outgoing, frame in tun.frames[begin:] if outgoing and is_segment(frame)]
        got = [packet for packet in seen if is_segment(packet)]
        size = {}
        for packet in got:
            size[flow(packet)] = max(size.get(flow(packet), 1), len(packet) - headers(packet))
        expected = [segment for packet in read for segment in split(packet, size[flow(packet)])]
        lost = lost_of(expected, got)
        assert len(got) > 4 * _SIZE // _MTU and lost < len(got) / 10, f"{len(got)} segments, {lost} lost"
        suite.note = f"{len(got)} segments of {len(read)} packets, {lost} lost"
    with check("tshark") as suite:
        suite.note = tshark(bed, seen)
    bed.captures.remove(tun)    # the device goes before the scenario's end
    tun.close()
    return max(map(len, read))


def is_segment(packet):
    """One of TCP but no SYN, in which the MSS is changed."""
    head = head_of(packet)
    return packet[9 if head == 20 else 6] == ip.TCP and not packet[head + 13] & _SYN


def head_of(packet):
    """Octets of the IP header."""
    return 20 if packet[0] >> 4 == 4 else 40


def headers(packet):
    """Octets of the IP and the TCP header."""
    return head_of(packet) + (packet[head_of(packet) + 12] >> 4) * 4


def flow(packet):
    """Addresses and ports."""
    head = head_of(packet)
    return packet[12 if head == 20 else 8:head + 4]


def split(packet, size):
    """The segments of `size` octets of data, with all checksums made anew."""
    head, start = head_of(packet), headers(packet)
    count = max(1, -(-(len(packet) - start) // size))
    for number in range(count):
        one = bytearray(packet[:start] + packet[start + number * size:][:size])
        tcp = len(one) - head
        if head == 20:
            identifier = int.from_bytes(packet[4:6], "big") + number & 0xFFFF
            one[2:6] = struct.pack(">HH", len(one), identifier)
            one[10:12] = bytes(2)
            one[10:12] = struct.pack(">H", ip.checksum(one[:20]))
            pseudo = one[12:20] + struct.pack(">HH", ip.TCP, tcp)
        else:
            one[4:6] = struct.pack(">H", tcp)
            pseudo = one[8:40] + struct.pack(">II", tcp, ip.TCP)
        sequence = int.from_bytes(packet[head + 4:head + 8], "big") + number * size & 0xFFFFFFFF
        one[head + 4:head + 8] = struct.pack(">I", sequence)
        one[head + 13] &= 0xFF if number + 1 == count else ~(_FIN | _PSH) & 0xFF
        one[head + 13] &= 0xFF if number == 0 else ~_CWR & 0xFF
        one[head + 16:head + 18] = bytes(2)
        one[head + 16:head + 18] = struct.pack(">H", ip.checksum(pseudo + one[head:]))
        yield bytes(one)


def lost_of(expected, got):
    """How many of the expected segments are missing; all others must be there, in order. (A server that has too little
    time drops some.)"""
    rest, lost = iter(expected), 0
    for at, one in enumerate(got):
        for other in rest:
            if other == one:
                break
            lost += 1
        else:
            raise AssertionError(f"{len(got)} segments for {len(expected)}; nobody sent the one at {at}, {one[:72].hex()}")
    return lost + len(list(rest))


def tshark(bed, packets):
    """What Wireshark thinks of their checksums."""
    if not shutil.which("tshark"):
        raise Skip("tshark is not installed")
    path = os.path.join(bed.directory, "inner.pcap")
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        for packet in packets:
            file.write(struct.pack("<IIII", 0, 0, len(packet), len(packet)) + packet)
    count = {}
    for status in ("bad", "good"):
        words = [f"{field}.checksum.status == {['bad', 'good'].index(status)}" for field in ("ip", "tcp", "udp", "icmpv6")]
        done = subprocess.run(["tshark", "-r", path, "-n", *_CHECK, "-Y", " or ".join(words), "-T", "fields", "-e",
                               "frame.number"], text=True, capture_output=True, check=True)
        count[status] = len(done.stdout.splitlines())
    assert not count["bad"] and count["good"] > 4 * _SIZE // _MTU, count
    return f"{count['good']} right"
