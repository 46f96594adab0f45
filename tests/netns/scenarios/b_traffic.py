"""A call's everyday life: ping and TCP in every direction, MTU, MSS, several WAN addresses."""
from dataclasses import replace

import ip
import pptp
from bed import GATEWAY, LAN, WAN, WAN2, WAN3
from personality import PPPD, WIDE, WINDOWS
from suite import scenario

_SIZE = 1_000_000


@scenario()
def ping_and_tcp(bed, check):
    """Two callers and a LAN host: ping and TCP in every direction."""
    with check("log-in"):
        one, two = bed.dial("c1", "alice"), bed.dial("c2", "bob")
        assert one.address != two.address
    with check("addresses") as suite:
        in_pool(one.address)
        in_pool(two.address)
        assert one.link.gateway == GATEWAY, one.link.gateway
        dns = [one.link.ipcp.value(k) for k in (129, 131)]
        assert dns == [bytes((192, 168, 77, 1)), bytes((192, 168, 77, 2))], dns
        suite.note = f"{one.address} {two.address}"
    with check("names"):
        assert pptp.text(one.sccrp.host) == b"pptp-server", one.sccrp.host
        assert one.link.server_name == b"pptp-server", one.link.server_name
    with check("device"):
        told = bed.router.ip("-o", "addr", "show", "dev", "pptps0")
        assert f"inet {GATEWAY}" in told, told
        assert " mtu 1400 " in bed.router.ip("-o", "link", "show", "dev", "pptps0")
    for name, where, to in (("caller-to-server", "c1", GATEWAY), ("caller-to-lan", "c1", LAN),
                            ("lan-to-caller", "lan", one.address),
                            ("caller-to-caller", "c1", two.address)):
        with check(f"ping-{name}"):
            bed.assert_ping(where, to)
    for name, sender, receiver, address in (
            ("caller-to-lan", "c1", "lan", LAN), ("lan-to-caller", "lan", "c1", one.address),
            ("caller-to-caller", "c1", "c2", two.address)):
        with check(f"tcp-{name}") as suite:
            seconds = bed.transfer(sender, receiver, address, _SIZE)
            suite.note = f"{_SIZE * 8 / seconds / 1e6:.0f} Mbit/s"
    with check("everything-acknowledged"):
        for caller in (one, two):
            bed.loop.until(lambda: caller.tunnel.acked == caller.tunnel.seq - 1, 3,
                           f"ack of {caller.tunnel.seq - 1}")
    with check("hang-up"):
        one.hang_up()
        bed.assert_ping("c2", LAN)
    with check("fixed-address"):
        carol = bed.dial("c1", "carol")
        assert carol.address == "192.168.77.50", carol.address
        bed.assert_ping("lan", carol.address)


def in_pool(address):
    net, last = address.rsplit(".", 1)
    assert net == "192.168.77" and 10 <= int(last) <= 99, address


@scenario(mtu=1456)
def mtu_edge(bed, check):
    """Inner packets of 1400, 1456 and 1457 octets; nothing fragments outside."""
    wan = bed.capture("router", "wan")
    caller = bed.dial("c1", personality=WIDE)
    for size in (1400, 1456):
        for name, where, to in (("up", "c1", LAN), ("down", "lan", caller.address)):
            with check(f"{size}-{name}"):
                bed.assert_ping(where, to, size=size, df=True)
    with check("1457-df-told"):
        result = bed.ping("lan", caller.address, size=1457, df=True, count=1)
        assert result["mtu"] == 1456, result
    with check("1457-fragments-inside"):
        bed.assert_ping("lan", caller.address, size=1457)
    with check("caller-may-exceed") as suite:
        big = ip.udp(caller.address, LAN, 7, 7, bytes(1457 - 28))
        caller.send_ip(big)
        bed.assert_ping("c1", LAN)
    with check("small-mru-df-told"):
        small = bed.dial("c2", "bob", personality=PPPD)     # MRU 1400: 1396 inside
        result = bed.ping("lan", small.address, size=1400, df=True, count=1)
        assert result["mtu"] == 1396, result
        bed.assert_ping("lan", small.address, size=1396, df=True)
    with check("small-mru-without-df"):
        # RFC 1661 section 6.1: a peer takes 1500 octets whatever MRU it asked for.
        small.link.takes_more = True
        bed.assert_ping("lan", small.address, size=1450)
        small.link.takes_more = False
    with check("small-mru-tcp"):
        bed.transfer("lan", "c2", small.address, 200_000)
    with check("tcp-full-size"):
        bed.transfer("lan", "c1", caller.address, 300_000)
        bed.transfer("c1", "lan", LAN, 300_000)
    with check("no-outer-fragment") as suite:
        packets = wan.packets(ip.GRE)
        largest = max(p.length for p in packets)
        assert packets and not any(p.fragment for p in packets)
        assert 1496 <= largest <= 1500 and not wan.dropped(), largest
        suite.note = f"{len(packets)} packets, largest {largest}"


@scenario()
def mss_clamp(bed, check):
    """The MSS of SYN packets is clamped in both directions, never raised."""
    lan = bed.capture("lan", "eth0")
    caller = bed.dial("c1", personality=PPPD)
    inner = []
    caller.taps.append(lambda way, packet: way == "in" and inner.append(packet))
    with check("caller-to-lan"):
        # The caller's kernel would choose a small MSS by itself: this SYN asks for too much.
        caller.send_ip(syn(caller.address, LAN, 1460))
        seen = bed.loop.until(lambda: syns(lan.octets(), caller.address), 3, "SYN on the LAN")
        assert seen == [1356], f"MSS {seen} on the LAN"
    with check("lan-to-caller"):
        bed.transfer("lan", "c1", caller.address, 10_000)
        seen = syns(inner, LAN)
        assert seen and set(seen) == {1356}, f"MSS {seen} in the tunnel"
    with check("small-stays"):
        inner.clear()
        bed.transfer("lan", "c1", caller.address, 10_000, mss=500)
        assert 500 in syns(inner, LAN), syns(inner, LAN)
    with check("checksum-right"):
        packets = [p for p in map(ip.parse, inner) if p.protocol == ip.TCP]
        assert packets and all(tcp_right(p) for p in packets)


def syn(source, destination, mss):
    tcp = (b"\x30\x39\x00\x09" + bytes(4) + bytes(4) + b"\x60\x02\x20\x00" + bytes(4)
           + b"\x02\x04" + mss.to_bytes(2, "big"))
    total = ip.checksum(pseudo(source, destination, len(tcp)) + tcp)
    tcp = tcp[:16] + total.to_bytes(2, "big") + tcp[18:]
    return ip.packet(source, destination, ip.TCP, tcp)


def pseudo(source, destination, length):
    return ip.packet(source, destination, 0, b"")[12:20] + b"\0\6" + length.to_bytes(2, "big")


def tcp_right(p):
    return ip.checksum(pseudo(p.source, p.destination, len(p.payload)) + p.payload) == 0


def syns(packets, source):
    found = ((ip.parse(p), ip.mss(p)) for p in packets)
    return [mss for fields, mss in found if mss and fields.source == source]


@scenario()
def wan_addresses(bed, check):
    """A server with several addresses answers from the one that was dialled."""
    for address in (WAN, WAN2, WAN3):
        with check(address):
            # The caller's tunnel takes nothing from another source than the one it dialled.
            caller = bed.dial("c1", server=address)
            bed.assert_ping("c1", LAN)
            caller.hang_up()
    with check("two-at-once"):
        bed.dial("c1", "alice", server=WAN2)
        bed.dial("c2", "bob", server=WAN3)
        bed.assert_ping("c1", LAN)
        bed.assert_ping("c2", LAN)


@scenario(listen=[WAN2])
def one_listener(bed, check):
    """With one listen address the others are closed."""
    with check("listens-there"):
        bed.dial("c1", server=WAN2)
        bed.assert_ping("c1", LAN)
    with check("closed-elsewhere"):
        try:
            bed.caller("c2", "bob", server=WAN).connect()
        except ConnectionRefusedError:
            return
        raise AssertionError(f"{WAN} accepts")


@scenario()
def first_sequence(bed, check):
    """The peer's first GRE sequence number may be 0, 1 or anything."""
    for first in (0, 1, 7, 0xFFFFFFFE):
        with check(f"{first:#x}"):
            caller = bed.dial("c1", personality=replace(PPPD, first_seq=first))
            bed.assert_ping("c1", LAN)      # 0xfffffffe: wraps during the log-in
            caller.hang_up()
    with check("zero-twice"):
        # Some broken clients number their first two packets 0: the second is lost by that.
        again = replace(WINDOWS, restart=1.0)
        caller = bed.caller("c1", personality=again, lossy=True)
        caller.connect()
        caller.place()
        caller.begin()
        caller.tunnel.seq = 0
        bed.loop.until(lambda: caller.link.up or caller.finished(), 15, "log in")
        assert caller.link.up, caller.finished()
