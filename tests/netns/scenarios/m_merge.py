"""Segments that the server hands to the kernel as one packet arrive as their sender made them."""
import ip
from bed import LAN
from personality import WIDE
from suite import scenario

_SIZE = 1_500_000
_SYN = 2


@scenario(command=("env", "-u", "PPTP_SERVER_PLAIN_TUN"))
def merged_segments(bed, check):
    """Real TCP: the kernel gets large packets, the LAN sees every segment octet by octet."""
    largest = compare(bed, check)
    with check("merged") as suite:
        assert largest > 4000, f"the largest packet into the kernel has {largest} octets"
        suite.note = f"up to {largest} octets"


@scenario(command=("env", "PPTP_SERVER_PLAIN_TUN=1"))
def plain_segments(bed, check):
    """The same without large packets, as on a kernel that takes none."""
    largest = compare(bed, check)
    with check("not-merged"):
        assert largest <= 1400, largest


def compare(bed, check):
    """Octets of the largest packet that came out of the TUN device."""
    lan, tun = bed.capture("lan", "eth0"), bed.capture("router", "pptps0")
    one, two = bed.dial("c1", personality=WIDE), bed.dial("c2", "bob")
    sent = {one.address: [], two.address: []}
    for caller in (one, two):
        caller.taps.append(lambda way, packet: way == "out" and sent[ip.parse(packet).source].append(packet))
    with check("one-connection"):
        bed.transfer("c1", "lan", LAN, _SIZE)
    with check("both-callers"):
        bed.transfer("c2", "lan", LAN, _SIZE // 2)
        bed.transfer("lan", "c1", one.address, _SIZE // 2)
    with check("segments") as suite:
        assert not lan.dropped()
        for address, packets in sent.items():
            packets = [essence(p) for p in packets if is_segment(p)]
            seen = [essence(p) for p in lan.octets() if is_segment(p) and ip.parse(p).source == address]
            assert packets and seen == packets, f"{address}: {len(packets)} sent, {len(seen)} seen"
            suite.note = f"{len(packets)} segments of {address}"
    tun.read()
    bed.captures.remove(tun)    # the device goes before the scenario's end
    tun.close()
    return max(len(frame) for _, _, frame in tun.frames)


def is_segment(packet):
    fields = ip.parse(packet)
    return fields is not None and fields.protocol == ip.TCP and not fields.payload[13] & _SYN


def essence(packet):
    """All but what a router changes: time to live, and the IP header's checksum with it."""
    return packet[:8] + packet[9:10] + packet[12:int.from_bytes(packet[2:4], "big")]
