"""The path's MTU changes in the middle of a call: announced by ICMP, in silence, as a hole that
swallows what is long, and as a lie."""
import struct

import gre
import ip
import traffic
from bed import LAN, WAN
from behind import FAR, behind, narrow, nft, wide
from suite import scenario

_SIZE = 1_500_000
_INNER = 1396            # octets of the largest packet for a caller whose MRU is pppd's 1400
_MORE_FRAGMENTS, _DONT_FRAGMENT = 0x2000, 0x4000
_HOLE = """
table ip hole {
  chain forward { type filter hook forward priority 0; meta length > 1300 drop; }
}
"""
_NO_ICMP = """
table ip hole {
  chain output { type filter hook output priority 0; icmp type destination-unreachable drop; }
}
"""


def both_ways(bed, caller, size=_SIZE):
    """TCP down and up, one after the other: Mbit/s as text."""
    down = bed.transfer("lan", "far", caller.address, size)
    up = bed.transfer("far", "lan", LAN, size)
    assert down < 10 and up < 10, f"{down:.1f} s down, {up:.1f} s up"
    return f"{size * 8 / down / 1e6:.0f} Mbit/s down, {size * 8 / up / 1e6:.0f} up"


def flags(capture, source=WAN):
    """The fragment fields of GRE packets from `source` (RFC 791 section 3.1)."""
    found = [packet for packet in capture.octets()
             if packet[9] == gre.PROTOCOL and packet[12:16] == bytes(map(int, source.split(".")))]
    return [int.from_bytes(packet[6:8], "big") for packet in found]


def whole(bed, caller):
    """The largest inner packet passes unharmed both ways, and one octet more is refused with the
    right MTU: what the path can carry is no business of the TUN device."""
    for where, to in (("lan", caller.address), ("far", LAN)):
        bed.assert_ping(where, to, size=_INNER)
    larger = bed.ping("lan", caller.address, count=1, size=_INNER + 1, df=True)
    assert larger["mtu"] == _INNER, larger


@scenario()
def path_mtu(bed, check):
    """A path that turns narrow and wide again under a call stalls nothing for good."""
    with behind(bed):
        caller = bed.dial("far", source=FAR, lossy=True)
        with check("wide") as suite:
            suite.note = both_ways(bed, caller)
        with check("narrow") as suite:
            narrow(bed, 1300)
            seen = bed.capture("far", "eth0")
            suite.note = both_ways(bed, caller)
            fields = flags(seen)
            assert any(field & _MORE_FRAGMENTS for field in fields), "no fragments at 1300 octets"
            assert not any(field & _DONT_FRAGMENT for field in fields), "DF on our packets"
            seen.close()
            whole(bed, caller)
        with check("wide-again") as suite:
            wide(bed)
            suite.note = both_ways(bed, caller)
            whole(bed, caller)
        with check("narrow-without-a-word") as suite:
            # The caller's kernel sets DF and hears of nothing: up it is stuck while that lasts.
            bed.far.ip("route", "flush", "cache")
            nft(bed.hop, _NO_ICMP)
            narrow(bed, 1300)
            up = bed.begin_transfer("far", "lan", LAN, _SIZE)
            seconds = bed.transfer("lan", "far", caller.address, _SIZE)
            assert seconds < 10, f"{seconds:.1f} s down"
            bed.assert_ping("far", LAN)
            wide(bed)
            nft(bed.hop, "flush ruleset")
            suite.note = f"{seconds:.1f} s down meanwhile, {up(20):.1f} s up with the stall"
            whole(bed, caller)
        with check("hole") as suite:
            ends = [bed.begin_transfer("lan", "far", caller.address, 8 * _SIZE),
                    bed.begin_transfer("far", "lan", LAN, 8 * _SIZE)]
            bed.loop.sleep(0.3)
            nft(bed.hop, _HOLE)
            bed.loop.sleep(2)
            # Each packet finds the keys of 64 lost ones at most, so the first of these may be lost too.
            short = bed.ping("far", LAN, count=20, wait=0.2)
            assert short["received"] > 10, short
            nft(bed.hop, "flush ruleset")
            suite.note = "more than 3 s of it: " + ", ".join(f"{end(30):.1f} s" for end in ends)
            whole(bed, caller)
        caller.drop()


def fragmentation_needed(caller, mtu):
    """ICMP "fragmentation needed" (RFC 1191 section 4) about a packet of the call."""
    header = gre.build(caller.call_id, bytes(1400), 1)
    about = ip.packet(WAN, caller.control.source, ip.GRE, header)[:28]
    message = struct.pack(">BBHHH", 3, 4, 0, 0, mtu) + about
    return message[:2] + struct.pack(">H", ip.checksum(message)) + message[4:]


@scenario()
def forged_mtu(bed, check):
    """Whoever claims that the path to a caller is narrow changes nothing: no fragments, no loss."""
    caller = bed.dial("c1")
    for mtu in (68, 576, 1300):
        with check(f"claim-{mtu}"):
            bed.spawn("c2", traffic.icmp, WAN, fragmentation_needed(caller, mtu)).result(5)
            seen = bed.capture("c1", "wan")
            bed.assert_ping("lan", caller.address, size=_INNER)
            bed.transfer("lan", "c1", caller.address, 300_000)
            fields = flags(seen)
            assert len(fields) > 200 and not any(fields), f"fragment fields {set(fields)}"
            seen.close()
