"""IPv6 in the tunnel: addresses by router advertisements, packets both ways, and what must not
pass. The caller's kernel makes its addresses itself; the LAN host is the Internet as well."""
import os
import shutil
import struct
import subprocess
from dataclasses import replace

import ipv6
import ppp
from bed import LAN
from personality import PPPD_IPV6, WINDOWS
from suite import Skip, scenario

PREFIX = "fd12:3456:789a:77::"
ROUTER, LAN6, INTERNET = PREFIX + "1", "fd00:5::10", "2001:db8:1::1"
REFUSES = replace(PPPD_IPV6, name="refuses-ipv6cp", refuses=(ppp.IPV6CP,))


def build_lan(bed):
    """IPv6 between router and LAN host, and a network behind that."""
    bed.router.sysctl("net.ipv6.conf.all.forwarding", 1)
    bed.router.ip_batch(["addr replace fd00:5::1/64 dev br-lan nodad",
                         f"route replace ::/0 via {LAN6}"])
    bed.lan.ip_batch([f"addr replace {LAN6}/64 dev eth0 nodad",
                      f"addr replace {INTERNET}/128 dev lo nodad",
                      "route replace ::/0 via fd00:5::1"])


def dial(bed, where, user, personality=PPPD_IPV6):
    caller = bed.caller(where, user, personality=personality)
    caller.advertisements = []
    caller.taps.append(lambda way, packet: way == "in" and heard(caller, packet))
    return caller.dial(ipv6cp=True)


def heard(caller, packet):
    told = ipv6.advertisement(packet)
    if told:
        caller.advertisements.append((told, packet))


def address(bed, caller):
    """The address that the caller's kernel made of the advertisement."""
    def found():
        lines = caller.netns.ip("-6", "-o", "addr", "show", "dev", caller.tun.name, "scope",
                                "global").split()
        return next((word.split("/")[0] for word in lines if word.startswith(PREFIX[:-1])), None)
    return bed.loop.until(found, 5, "an address by router advertisement")


def ping(bed, where, to, **keywords):
    result = bed.spawn(where, ipv6.ping, to, **keywords).result(15)
    assert result["received"] == result["sent"] and not result["damaged"], f"{to}: {result}"


def captured(capture):
    """The IPv6 packets on a line."""
    capture.read()
    frames = [frame[14:] for _, _, frame in capture.frames if frame[12:14] == b"\x86\xdd"]
    return [found for found in map(ipv6.parse, frames) if found]


@scenario(ipv6_prefix=[PREFIX + "/64"])
def ipv6_slaac(bed, check):
    """Callers get addresses, DNS and routes by advertisement, and reach everything with them."""
    build_lan(bed)
    with check("log-in"):
        one = dial(bed, "c1", "alice")
        two = dial(bed, "c2", "bob", WINDOWS)       # IPV6CP before CCP, in one burst
    with check("advertisement") as suite:
        # The server may have looked at the router's routes before there was the one to the Internet.
        told = bed.loop.until(lambda: next((told for told, _ in one.advertisements
                                            if told.lifetime), None), 5, "a default router")
        assert told.right and told.flags == 0 and told.source == "fe80::1", told
        assert told.prefixes == [(PREFIX, 64, 0x40)], told
        assert told.routes == [PREFIX, "fd00:5::"], told
        assert told.dns == [ROUTER] and told.mtu == 1396 and told.lifetime == 1800, told
        suite.note = str(told)
    with check("address") as suite:
        mine, other = address(bed, one), address(bed, two)
        assert mine != other
        suite.note = f"{mine} {other}"
    with check("nothing-malformed") as suite:
        suite.note = tshark(bed, [packet for _, packet in one.advertisements])
    for name, to in (("router", ROUTER), ("router-on-link", f"fe80::1%{one.tun.name}"),
                     ("lan", LAN6), ("internet", INTERNET)):
        with check(f"ping-{name}"):
            ping(bed, "c1", to)
    with check("ping-back"):
        ping(bed, "lan", mine)
        ping(bed, "lan", other, source=INTERNET)
    with check("caller-to-caller"):
        ping(bed, "c1", other)
    with check("ipv4-beside-it"):
        bed.assert_ping("c1", LAN)
    for name, sender, receiver, to in (("up", "c1", "lan", INTERNET), ("down", "lan", "c1", mine)):
        with check(f"tcp-{name}"):
            bed.transfer(sender, receiver, to, 300_000)
    with check("largest-packet"):
        ping(bed, "lan", mine, size=1396)
        result = bed.spawn("lan", ipv6.ping, mine, count=2, size=1397, wait=0.5).result(10)
        assert result["mtu"] == 1396 and not result["received"], result
    with check("second-address"):
        bed.c1.ip_batch([f"addr add {PREFIX}5ec0 dev {one.tun.name} nodad"])
        ping(bed, "c1", LAN6, source=PREFIX + "5ec0")
        ping(bed, "lan", PREFIX + "5ec0")


def tshark(bed, packets):
    """What Wireshark makes of inner packets."""
    if not shutil.which("tshark"):
        raise Skip("tshark is not installed")
    path = os.path.join(bed.directory, "inner.pcap")
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        for packet in packets:
            file.write(struct.pack("<IIII", 0, 0, len(packet), len(packet)) + packet)
    read = ["tshark", "-r", path, "-n"]
    bad = subprocess.run([*read, "-Y", "_ws.malformed or _ws.expert.severity >= 0x00600000"],
                         text=True, capture_output=True).stdout
    assert not bad, bad
    fields = ["icmpv6.opt.prefix", "icmpv6.opt.rdnss", "icmpv6.opt.mtu", "icmpv6.checksum.status"]
    done = subprocess.run([*read, "-T", "fields", *(w for f in fields for w in ("-e", f))],
                          text=True, capture_output=True)
    line = done.stdout.splitlines()[0].split("\t")
    assert line[0].startswith(PREFIX) and line[1:] == [ROUTER, "1396", "1"], line
    return " ".join(line)


@scenario(ipv6_prefix=[PREFIX + "/64"])
def ipv6_hostile(bed, check):
    """Forged sources, floods and lies reach neither the LAN nor another caller."""
    build_lan(bed)
    one, two = dial(bed, "c1", "alice"), dial(bed, "c2", "bob")
    mine, other = address(bed, one), address(bed, two)
    ping(bed, "c1", LAN6)
    ping(bed, "c2", LAN6)
    lan, inner = bed.capture("lan", "eth0"), []
    two.taps.append(lambda way, packet: way == "in" and inner.append(packet))
    local = ipv6.link_local(one.link.ipv6cp.identifier_of_ours)
    with check("forged-sources"):
        for number, source in enumerate((other, ROUTER, PREFIX, LAN6, INTERNET, local, "::",
                                         "fe80::1", "ff02::1", "fd12:3456:789a:78::5")):
            for to in (LAN6, other):
                one.send_ip(ipv6.udp(source, to, 7, 9000 + number, b"forged"))
        quiet(bed, one, lan, inner, b"forged")
    with check("lying-lengths"):
        good = ipv6.udp(mine, LAN6, 7, 9100, b"lying ")
        for at, value in ((4, 1), (5, 200), (0, 0x40), (7, 0)):
            one.send_ip(good[:at] + bytes((value,)) + good[at + 1:])
        for length in (1, 39, 40, len(good) - 1):
            one.send_ip(good[:length])
        one.send_ip(ipv6.packet(mine, LAN6, 0, b""))       # a jumbogram
        quiet(bed, one, lan, inner, b"lying")
    with check("router-flood") as suite:
        flood = b"\x86" + bytes(3) + b"\x40\0\x07\x08" + bytes(8)
        for _ in range(500):
            one.send_ip(ipv6.icmp(local, "ff02::1", flood))
            one.send_ip(ipv6.icmp(local, other, flood))
        quiet(bed, one, lan, inner, flood[4:])
        suite.note = f"{bed.server.log().count('acts as an IPv6 router')} line"
        assert bed.server.log().count("acts as an IPv6 router") == 1
    with check("multicast"):
        for to in ("ff02::fb", "ff05::1:3", "ff0e::1", "ff02::2"):
            one.send_ip(ipv6.udp(mine, to, 5353, 5353, b"multicast"))
        quiet(bed, one, lan, inner, b"multicast")
    with check("still-alive"):
        ping(bed, "c1", LAN6)
        ping(bed, "c1", other)
        bed.assert_ping("c1", LAN)
    with check("silent-kernel"):
        # What the router's own kernel says on its device (solicitations, groups) reaches nobody.
        kernel = [p for p in map(ipv6.parse, inner) if p.source.startswith("fe80:")
                  and p.source != "fe80::1"]
        assert not kernel, kernel


def quiet(bed, caller, lan, inner, mark):
    """Once a later ping went through, nothing with `mark` may have come anywhere."""
    ping(bed, "c1", LAN6)
    leaked = [p for p in captured(lan) if mark in p.payload]
    leaked += [p for p in map(ipv6.parse, inner) if p and mark in p.payload]
    assert not leaked, leaked


@scenario(ipv6_prefix=[PREFIX + "/64"], ipv6_dns=["2001:db8::53", "router"])
def ipv6_refused(bed, check):
    """Whoever refuses IPv6 keeps IPv4; whoever hangs up frees the address."""
    build_lan(bed)
    with check("protocol-reject"):
        caller = bed.dial("c1", "alice", personality=REFUSES)
        bed.assert_ping("c1", LAN)
        bed.loop.sleep(3)
        assert not caller.finished() and not caller.link.ipv6cp.open
        bed.assert_ping("lan", caller.address)
        caller.hang_up()
    with check("dns"):
        caller = dial(bed, "c1", "alice")
        told, _ = bed.loop.until(lambda: caller.advertisements, 5, "an advertisement")[-1]
        assert told.dns == ["2001:db8::53", ROUTER], told
    with check("terminated"):
        ping(bed, "c1", LAN6, source=address(bed, caller))
        caller.link.ipv6cp.send(ppp.TERM_REQUEST, 77)
        bed.loop.until(lambda: caller.link.ipv6cp.closed, 5, "Terminate-Ack")
        bed.assert_ping("c1", LAN)
        assert not caller.finished()


@scenario(serve=False)
def ipv6_switched_off(bed, check):
    """A router without IPv6 serves IPv4 and says once why."""
    bed.router.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
    try:
        bed.serve(ipv6_prefix=[PREFIX + "/64"])
        with check("told") as suite:
            lines = [line for line in bed.server.log().splitlines() if "IPv6" in line]
            assert len(lines) == 1 and "disable_ipv6" in lines[0], lines
            suite.note = lines[0]
        with check("ipv4"):
            caller = bed.dial("c1", "alice", personality=PPPD_IPV6)
            bed.assert_ping("c1", LAN)
            assert caller.link.protocol_rejects == [ppp.IPV6CP], caller.link.protocol_rejects
    finally:
        bed.router.sysctl("net.ipv6.conf.default.disable_ipv6", 0)


@scenario(ipv6_prefix=["auto"])
def ipv6_assigned(bed, check):
    """With `auto` the prefix is what somebody, such as netifd, gives to the device; it may change."""
    build_lan(bed)
    with check("none-yet"):
        caller = bed.dial("c1", "alice", personality=PPPD_IPV6)
        assert caller.link.protocol_rejects == [ppp.IPV6CP], caller.link.protocol_rejects
        caller.hang_up()
    with check("assigned"):
        bed.router.ip_batch([f"addr add {ROUTER}/64 dev pptps0"])
        bed.loop.sleep(1.5)
        caller = dial(bed, "c1", "alice")
        ping(bed, "c1", LAN6, source=address(bed, caller))
    with check("another-prefix"):
        caller.advertisements.clear()
        bed.router.ip_batch([f"addr del {ROUTER}/64 dev pptps0",
                             "addr add fd12:3456:789a:78::1/64 dev pptps0"])
        told = bed.loop.until(
            lambda: next((t for t, _ in caller.advertisements
                          if "fd12:3456:789a:78::" in t.routes), None), 5, "an advertisement")
        assert told.prefixes[0][0] == "fd12:3456:789a:78::", told
    with check("another-networks"):
        bed.router.ip_batch(["addr del fd12:3456:789a:78::1/64 dev pptps0",
                             "addr add fd00:5::1/64 dev pptps0"])
        bed.server.wait_log("fd00:5::/64, which is another network's")
        bed.assert_ping("c1", LAN)
