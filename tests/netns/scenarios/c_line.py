"""Lines that lose, reorder and double packets, and packets that must not be taken."""
import itertools
import time
from dataclasses import replace

import gre
import ip
import mppe
import ppp
import traffic
from bed import CALLERS, LAN, WAN
from personality import PPPD
from suite import scenario


def sealed(caller, text, to, source=None):
    """The GRE packet of the next inner UDP packet of this call, not sent yet."""
    inner = ip.udp(source or caller.address, LAN, 5000, to.port, text)
    held = []
    caller.tunnel.corked = held
    caller.link.send_ip(inner)
    caller.tunnel.corked = None
    return held[0]


def expect(bed, box, letters, seconds=0.4):
    """Exactly these letters, in this order, soon, and nothing more for a while."""
    began, arrived = time.monotonic(), box.letters
    try:
        while len(arrived) < len(letters) and time.monotonic() - began < 2:
            bed.loop.turn(0.02)
        bed.loop.sleep(seconds)
        assert arrived == letters, f"{arrived} arrived, {letters} was right"
    finally:
        box.letters = []


@scenario()
def reorder(bed, check):
    """Late packets: in order within the limit, never beyond it; duplicates arrive once."""
    caller = bed.dial()
    box = traffic.Mailbox(bed.loop, bed.lan, LAN)
    put = caller.tunnel.put
    with check("swapped"):
        a, b, c = (sealed(caller, t, box) for t in (b"a", b"b", b"c"))
        for packet in (a, c, b):
            put(packet)
        expect(bed, box, [b"a", b"b", b"c"])
    with check("reversed-five"):
        packets = [sealed(caller, b"%d" % n, box) for n in range(5)]
        for packet in [packets[0], *reversed(packets[1:])]:
            put(packet)
        expect(bed, box, [b"0", b"1", b"2", b"3", b"4"])
    with check("beyond-the-limit"):
        a, b, c = (sealed(caller, t, box) for t in (b"d", b"e", b"f"))
        put(a)
        put(c)
        expect(bed, box, [b"d", b"f"], 1.5)
        put(b)
        bed.loop.sleep(0.3)
        assert not box.letters, f"{box.letters} arrived 1.5 s late"
    with check("a-packet-lost"):
        sealed(caller, b"lost", box)
        put(sealed(caller, b"next", box))
        expect(bed, box, [b"next"])
    with check("duplicate"):
        a, b = (sealed(caller, t, box) for t in (b"g", b"h"))
        for packet in (a, a, b, a, b):
            put(packet)
        expect(bed, box, [b"g", b"h"])
    for lost in (100, 300, 2000):
        with check(f"{lost}-lost") as suite:
            suite.note = f"packet {after_loss(bed, caller, box, lost)} arrives"
    with check("goes-on"):
        bed.assert_ping("c1", LAN)
    with check("5000-lost") as suite:
        # More than the coherency count can say (RFC 3078 section 3.1): only the GRE number tells.
        suite.note = f"packet {after_loss(bed, caller, box, 5000)} arrives"


def after_loss(bed, caller, box, lost):
    """How many packets after a gap it takes until one arrives: the work for each is bounded, so
    a large gap takes some, but never more than this."""
    for _ in range(lost):
        sealed(caller, b"lost", box)
    for number in range(1, 3 + lost // 50):
        caller.tunnel.put(sealed(caller, b"after", box))
        bed.loop.sleep(0.05)
        if box.letters:
            box.letters = []
            return number
    raise AssertionError(f"{number} packets after the gap, and none arrives")


@scenario()
def bad_line(bed, check):
    """5 % loss, 10 % reorder, 2 % duplicates: log in, ping, TCP both ways."""
    bed.bad_line("c1", loss=0.05, reorder=0.10, duplicate=0.02, seed=7)
    personality = replace(PPPD, restart=0.5)
    with check("log-in") as suite:
        caller, suite.note = redial(bed, personality)
        caller.open_tun()
    with check("ping") as suite:
        result = bed.ping("c1", LAN, count=40, wait=0.6, interval=0)
        suite.note = f"{result['received']} of {result['sent']}"
        assert result["received"] >= 28 and not result["damaged"], result
    for name, sender, receiver, to in (("up", "c1", "lan", LAN),
                                       ("down", "lan", "c1", caller.address)):
        with check(f"tcp-{name}") as suite:
            seconds = bed.transfer(sender, receiver, to, 200_000)
            suite.note = f"{200_000 * 8 / seconds / 1e6:.1f} Mbit/s"
    with check("good-again"):
        bed.good_line("c1")
        bed.loop.sleep(0.6)
        bed.assert_ping("c1", LAN)


@scenario()
def heavy_loss(bed, check):
    """20 % loss: a caller that redials gets in."""
    bed.bad_line("c1", loss=0.20, reorder=0.10, seed=11)
    with check("log-in") as suite:
        _, suite.note = redial(bed, replace(PPPD, restart=1.0))


def redial(bed, personality):
    """As a user's dialler does on a bad line: again until a call opens, for a minute."""
    began = time.monotonic()
    for number in itertools.count(1):
        caller = bed.caller(personality=personality, lossy=True)
        if caller.attempt(35):
            return caller, f"call {number}, after {time.monotonic() - began:.1f} s"
        caller.drop()
        assert time.monotonic() - began < 60, f"{number} calls in a minute, none opened"


_LOSSES = 12


@scenario(users=[{"username": f"user{n}", "password": f"user{n}-Pass1"}
                 for n in range(2 * _LOSSES)])
def one_lost(bed, check):
    """Each packet of a log-in lost once, in either direction: the call still opens."""
    callers = {}
    for number in range(_LOSSES):
        for way, user in (("down", number), ("up", _LOSSES + number)):
            callers[way, number] = losing(bed, f"user{user}", way, number)
    for (way, number), caller in callers.items():
        with check(f"{way}-{number}") as suite:
            suite.note = f"lost {caller.lost}"
            bed.loop.until(lambda: caller.link.up or caller.finished(), 12, suite.note)
            assert caller.link.up, f"{suite.note}: {caller.finished()}"


def losing(bed, user, way, number):
    """A caller whose data packet of this number is lost in this direction."""
    source = CALLERS["crowd"][number]
    caller = bed.caller("crowd", user, source=source, lossy=True, tun=False)
    caller.lost, counter = "nothing", itertools.count()
    caller.connect()

    def passes(frame):
        if next(counter) != number:
            return True
        protocol, information = ppp.split(frame, True, True)
        caller.lost = f"{protocol:04x} {information[:1].hex()}"
        return False
    caller.place()
    deliver, numbered = caller.tunnel.deliver, caller.tunnel.send
    if way == "down":
        caller.tunnel.deliver = lambda frame: passes(frame) and deliver(frame)
    else:
        caller.tunnel.send = lambda frame: (numbered if passes(frame)
                                            else caller.tunnel.numbered)(frame)
    caller.begin()
    return caller


@scenario()
def not_taken(bed, check):
    """GRE of strangers, spoofed inner sources and clear text reach nobody."""
    caller = bed.dial("c1")
    bed.dial("c2", "bob")
    box = traffic.Mailbox(bed.loop, bed.lan, LAN)
    with check("right-call-id-wrong-source"):
        packet = sealed(caller, b"stolen", box)
        bed.hub(bed.c2).sender("203.0.113.12").sendto(packet, (WAN, 0))
        bed.loop.sleep(0.3)
        assert not box.letters, "taken from another address"
        caller.tunnel.put(packet)
        expect(bed, box, [b"stolen"])
    with check("wrong-call-id"):
        packet = sealed(caller, b"nobody", box)
        wrong = caller.server_call_id ^ 0x0100
        caller.tunnel.put(packet[:6] + wrong.to_bytes(2, "big") + packet[8:])
        bed.loop.sleep(0.2)
        assert not box.letters
        caller.tunnel.put(packet)
        expect(bed, box, [b"nobody"])
    for name, source in (("of-the-pool", "192.168.77.77"), ("of-another-caller", "192.168.77.11"),
                         ("of-the-lan", "192.168.1.77"), ("of-the-server", "192.168.77.1"),
                         ("foreign", "8.8.8.8"), ("zero", "0.0.0.0"), ("loopback", "127.0.0.1"),
                         ("broadcast", "255.255.255.255")):
        with check(f"spoofed-source-{name}"):
            assert source != caller.address
            caller.tunnel.put(sealed(caller, b"spoofed", box, source))
            caller.tunnel.put(sealed(caller, b"honest", box))
            expect(bed, box, [b"honest"], 0.2)
    with check("clear-text"):
        inner = ip.udp(caller.address, LAN, 5000, box.port, b"clear")
        for frame in (ppp.frame(ppp.IP, inner), ppp.frame(ppp.IP, inner, True, True)):
            caller.tunnel.send(frame)
        clear = mppe.FLUSHED | caller.link.tx.count         # D is not set
        caller.tunnel.send(ppp.frame(ppp.COMP, clear.to_bytes(2, "big") + b"\x00\x21" + inner))
        caller.link.send_ip(ip.udp(caller.address, LAN, 5000, box.port, b"sealed"))
        expect(bed, box, [b"sealed"])
    with check("goes-on"):
        bed.assert_ping("c1", LAN)
        bed.assert_ping("c2", LAN)


@scenario()
def unreachable(bed, check):
    """A caller's host that refuses GRE, or is gone: the others do not notice."""
    caller = bed.dial("c1")
    bed.dial("c2", "bob")
    with check("protocol-unreachable"):
        caller.tunnel.close()
        bed.hubs.pop(bed.c1.name).close()       # its kernel answers GRE with ICMP from now on
        assert not bed.ping("lan", caller.address, count=5, wait=0.1)["received"]
        bed.assert_ping("c2", LAN)
    with check("host-unreachable"):
        bed.c1.ip_batch(["link set wan down"])
        bed.router.ip_batch(["neigh flush dev wan"])
        bed.ping("lan", caller.address, count=30, wait=0.1)
        bed.assert_ping("c2", LAN)
    bed.c1.ip_batch(["link set wan up"])
    with check("back-again"):
        caller.drop()
        bed.dial("c1")
        bed.assert_ping("c1", LAN)


@scenario()
def bad_gre(bed, check):
    """GRE octets that no client sends: dropped, the call goes on."""
    caller = bed.dial("c1")
    box = traffic.Mailbox(bed.loop, bed.lan, LAN)
    with check("gre-flags"):
        good = sealed(caller, b"x", box)
        for flags in range(0, 0x10000, 0x77):
            if flags & 0xEF7F != 0x2001:
                caller.tunnel.put(flags.to_bytes(2, "big") + good[2:])
        bed.loop.sleep(0.3)
        assert not box.letters, "taken with wrong flags"
        caller.tunnel.put(good)
        expect(bed, box, [b"x"])
    with check("gre-lengths"):
        good = sealed(caller, b"y", box)
        for size in range(len(good)):
            caller.tunnel.put(good[:size])
        caller.tunnel.put(good[:4] + b"\xff\xff" + good[6:])
        bed.loop.sleep(0.2)
        assert not box.letters, "taken although cut short"
        caller.tunnel.put(good + bytes(9))      # longer than its payload: padding is allowed
        expect(bed, box, [b"y"])
    with check("gre-ack-of-the-future"):
        caller.tunnel.put(gre.build(caller.server_call_id, ack=caller.tunnel.seq + 1000))
        bed.assert_ping("c1", LAN)


def wild(caller, step):
    """An MPPE frame of nonsense whose count is so far ahead."""
    head = mppe.FLUSHED | mppe.ENCRYPTED | (caller.link.tx.count + step) & mppe.COUNT
    return ppp.frame(ppp.COMP, head.to_bytes(2, "big") + bytes(60))


@scenario()
def bad_frames(bed, check):
    """MPPE and inner octets that no client sends: dropped at a bounded price, the call goes on."""
    caller = bed.dial("c1")
    box = traffic.Mailbox(bed.loop, bed.lan, LAN)
    with check("mppe-count-jumps"):
        for step in (1, 2, 255, 2047, 4000, 4095):
            caller.tunnel.send(wild(caller, step))
            caller.link.send_ip(ip.udp(caller.address, LAN, 1, box.port, b"%d" % step))
        bed.loop.sleep(0.5)
        bed.assert_ping("c1", LAN)
    with check("cost-of-jumps-bounded") as suite:
        before = bed.server.cpu()
        for _ in range(2000):
            caller.tunnel.send(wild(caller, 4000))
        bed.assert_ping("c1", LAN)
        used = bed.server.cpu() - before
        suite.note = f"{used * 1e6 / 2000:.0f} us per packet"
        assert used < 2, f"{used} s for 2000 packets"
    bed.loop.sleep(1)                   # that took all that a call may spend on keys in a second
    with check("inner-protocols"):
        for protocol in (ppp.IPV6, ppp.COMP, ppp.LCP, 0x0001, 0x0023, 0x00FB):
            caller.link.send_ip(bytes(64), protocol)
        bed.assert_ping("c1", LAN)
        bed.problems.clear()            # a Protocol-Reject of these is right, silence as well
    with check("inner-lengths"):
        for size in (0, 1, 19, 20, 27):
            caller.link.send_ip(ip.udp(caller.address, LAN, 1, box.port, b"")[:size])
        long = bytearray(ip.udp(caller.address, LAN, 1, box.port, b"long"))
        long[2:4] = b"\xff\xff"
        box.letters = []
        caller.link.send_ip(bytes(long))
        bed.assert_ping("c1", LAN)
        assert not box.letters
    with check("ppp-garbage"):
        for octets in (b"", b"\xff", b"\xff\x03", b"\xff\x03\xc0", b"\xff\x03\xc0\x21", b"\x00",
                       b"\x00\x00\x00", b"\xff\x03\x00\xfd", b"\xff\x03\x00\xfd\x90",
                       b"\xff\x03\x00\xfd\x90\x00", bytes(1400), b"\xff" * 1400):
            caller.tunnel.send(octets)
        bed.assert_ping("c1", LAN)
        bed.problems.clear()            # what it rejects of this is its own choice
