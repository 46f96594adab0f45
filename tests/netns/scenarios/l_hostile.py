"""Everything hostile at once, on the real server, beside a good caller: the control connection, GRE,
PPP and MPPE, login storms. What the good caller notices of each attack is printed."""
import itertools
import random
import socket
import struct

import gre
import ip
import mppe
import ppp
import pptp
from bed import CALLERS, LAN, WAN
from control import Control
from personality import PFC, mru
from scenarios.c_line import wild
from scenarios.f_control import addressed, connect, silent
from scenarios.g_login import guess, half_way
from suite import scenario
from witness import Witness

_VICTIM = CALLERS["c2"][0]
_STARTS = pptp.build(pptp.SCCRQ)
_CALLS = pptp.build(pptp.OCRQ, call_id=0x2961)
_GROWTH = 256       # KiB that all of it together may leave behind


@scenario()
def matrix(bed, check):
    """The whole matrix of hostile input beside a good caller, which never stalls for a second."""
    witness, small = Witness(bed), bed.server.status("VmRSS")
    with check("quiet") as suite:
        bed.loop.sleep(1)
        suite.note = witness.verdict()
    for attack in (lengths, pairs_in_every_state, clears, resets, slow_readers, idle_sockets,
                   login_storm, guesses, ppp_lengths, options, gre_flags, gre_lengths,
                   gre_calls_guessed, gre_spoofed, coherency, replays, clear_text, random_octets):
        with check(attack.__name__.replace("_", "-")) as suite:
            count = attack(bed)
            suite.note = f"{count} inputs, {witness.verdict()}"
            assert bed.server.alive(), "the server died"
            for caller in list(bed.callers):
                caller.drop()
            bed.problems.clear()        # answers to nonsense are not judged here
    with check("memory") as suite:
        grown = bed.server.status("VmRSS") - small
        suite.note = f"{grown} KiB grown"
        assert grown < _GROWTH, suite.note
    with check("worst-stall") as suite:
        witness.end()
        suite.note = f"{witness.worst * 1000:.0f} ms"


# The control connection

def say(bed, octets, cut=None, started=False):
    """A stranger that connects, says this in one or two pieces and goes."""
    control = connect(bed)
    first = _STARTS if started else b""
    control.raw(first + octets[:cut])
    if cut is not None:
        control.raw(octets[cut:])
    bed.loop.turn(0)
    control.close()


def lengths(bed):
    """Types 0 to 16, with lengths that are right, wrong and absurd, cut in the middle."""
    count = 0
    for kind in range(17):
        right = pptp.TABLE[kind][1] if kind in pptp.TABLE else 16
        body = pptp.build(kind)[12:] if kind in pptp.TABLE else bytes(4)
        sizes = {0, 1, 8, 11, 12, 13, right - 1, right, right + 1, 220, 221, 1500, 32768, 65535}
        for size, cut, started in itertools.product(sizes, (None, 5, 12), (False, True)):
            octets = pptp.header(kind, size) + (body + bytes(64))[:max(0, size - 12)]
            say(bed, octets, cut, started)
            count += 1
    return count


def pairs_in_every_state(bed):
    """All ordered pairs of the 15 messages on a fresh connection, a started one, one with a call,
    and one whose call has LCP open."""
    count = 0
    for state in range(4):
        for first, second in itertools.product(pptp.TABLE, pptp.TABLE):
            control, reply = in_state(bed, state)
            for kind in (first, second):
                control.raw(addressed(kind, reply))
            bed.loop.turn(0)
            control.reset() if count % 2 else control.close()
            count += 1
    return count


def in_state(bed, state):
    """A connection in this state. On a busy machine the ones before it may not be closed yet, and
    then it is one too many of its address."""
    for _ in range(20):
        try:
            return begin(bed, state)
        except AssertionError:
            bed.loop.sleep(0.05)
    return begin(bed, state)


def begin(bed, state):
    control = connect(bed)
    reply = pptp.parse(pptp.build(pptp.OCRP, call_id=7, peer_call_id=7))
    if state == 1:
        control.raw(_STARTS)
    elif state > 1:
        control.start()
        reply = control.call(random.randrange(1, 65536))
    if state == 3:
        request = ppp.frame(ppp.LCP, ppp.packet(ppp.REQUEST, 1, PFC))
        bed.hub(bed.c1).sender(control.source).sendto(gre.build(reply.call_id, request, 0), (WAN, 0))
    return control, reply


def clears(bed):
    """Call-Clear and Call-Disconnect of the same call again and again, in one piece."""
    for kind, other in itertools.product((pptp.CCRQ, pptp.CDN), repeat=2):
        control, reply = in_state(bed, 2)
        control.raw(addressed(kind, reply) * 20 + addressed(other, reply) * 20)
        bed.loop.turn(0.01)
        control.close()
    return 160


def resets(bed):
    """RST behind each message, and in the middle of it."""
    count = 0
    for kind, state in itertools.product(pptp.TABLE, range(4)):
        for cut in (None, 11, 15):
            control, reply = in_state(bed, state)
            control.raw(addressed(kind, reply)[:cut])
            control.reset()
            count += 1
    return count


def slow_readers(bed):
    """Peers that ask for echoes and never read the answers."""
    socks = []
    for source in CALLERS["crowd"][:20]:
        sock = silent(bed, source)
        sock.setblocking(False)
        socks.append(sock)
        try:
            sock.send(_STARTS)
            for _ in range(200):
                sock.send(pptp.build(pptp.ECHORQ, identifier=1) * 64)
        except OSError:
            pass                        # its buffers are full, or the server has had enough
    bed.loop.sleep(0.5)
    for sock in socks:
        sock.close()
    return 20


def idle_sockets(bed):
    """A thousand connections that say nothing."""
    socks = [silent(bed, source) for source in CALLERS["crowd"][:125] for _ in range(8)]
    bed.loop.sleep(0.5)
    for sock in socks:
        sock.close()
    return len(socks)


# Logins

def login_storm(bed):
    """Calls that begin at once from a hundred addresses and get no further than LCP."""
    storm, count = [], 0
    for source in CALLERS["crowd"][:100]:
        for _ in range(5):
            control = Control(bed.loop, bed.crowd, WAN, bed.report, source)
            control.raw(_STARTS + _CALLS)
            storm.append(control)
            count += 1
        bed.loop.turn(0)
    bed.loop.sleep(0.5)
    for control in storm:
        control.reset()
    return count


def guesses(bed):
    """Wrong passwords from many addresses at once."""
    begun = sum(guess(bed, source) for source in CALLERS["crowd"][:60])
    bed.loop.sleep(0.5)
    return begun


# PPP

def ppp_lengths(bed):
    """LCP, PAP, CHAP, EAP, CCP and IPCP with lengths that lie, before and during the login."""
    caller, count = half_way(bed), 0
    identifier = caller.link.challenge[0]
    for protocol in (ppp.LCP, ppp.PAP, ppp.CHAP, ppp.EAP, ppp.CCP, ppp.IPCP, 0x8057, 0x8235):
        for code, length in itertools.product((0, 1, 2, 5, 9, 255),
                                              (0, 3, 4, 5, 63, 64, 65, 1400, 65535)):
            information = bytes((code, 7)) + struct.pack(">H", length) + bytes(range(60))
            caller.tunnel.send(ppp.frame(protocol, information))
            count += 1
        bed.loop.turn(0)
    for size in (0, 1, 15, 48, 49, 50, 255):        # Value-Size of a Response, names of all sizes
        for rest in (0, 1, 49, 300, 1300):
            data = bytes((size,)) + bytes(rest)
            caller.link.send(ppp.CHAP, ppp.packet(ppp.RESPONSE, identifier, data))
            count += 1
    bed.loop.sleep(0.1)
    return count


def options(bed):
    """Configure-Requests with 255 duplicates, of full size, with extreme values, on fresh calls."""
    requests = [mru(0), mru(65535), mru(1400) * 255, b"\x05\x06abcd" * 200, b"\x7f\x02" * 255,
                b"\x7f\xff" + bytes(253) + b"\x7e\xff" + bytes(253), b"\x01\x00", b"\x01\x01",
                b"\x03\x05\xc2\x23\x81" * 250, bytes(1400), b"\xff" * 1400]
    count = 0
    for octets in requests:
        caller = bed.caller("c1", tun=False)
        caller.connect()
        caller.place()
        caller.begin()
        for code in range(1, 16):
            packet = ppp.packet(code, code, octets[:1480])
            for protocol in (ppp.LCP, ppp.CCP, ppp.IPCP):
                caller.tunnel.send(ppp.frame(protocol, packet))
                count += 1
        bed.loop.turn(0.01)
        caller.drop()
    return count


# GRE

def attacker(bed):
    """An open call of the attacker's own, and a packet of it that was never sent."""
    caller = bed.dial("c1", tun=False)
    packet = caller.tunnel.numbered(ppp.frame(ppp.LCP, ppp.packet(ppp.DISCARD, 1, bytes(4))))
    return caller, packet


def put_all(bed, put, packets):
    """Sends them with a breath in between, so that the server's buffer is not all that is tried."""
    count = 0
    for packet in packets:
        put(packet)
        count += 1
        if count % 256 == 0:
            bed.loop.turn(0)
    bed.loop.sleep(0.1)
    return count


def gre_flags(bed):
    """Every value of the sixteen flag bits."""
    caller, packet = attacker(bed)
    return put_all(bed, caller.tunnel.put,
                   (flags.to_bytes(2, "big") + packet[2:] for flags in range(0x10000)))


def gre_lengths(bed):
    """Every length of packet, with payload lengths that agree and that lie."""
    caller, packet = attacker(bed)

    def packets():
        for size in range(1465):
            yield (packet + bytes(1500))[:size]
            yield packet[:4] + size.to_bytes(2, "big") + (packet[6:] + bytes(1500))[:size]
            yield packet[:4] + b"\xff\xff" + packet[6:]
    return put_all(bed, caller.tunnel.put, packets())


def gre_calls_guessed(bed):
    """Every Call ID there can be, from an address that has a call of its own."""
    caller, packet = attacker(bed)
    return put_all(bed, caller.tunnel.put,
                   (packet[:6] + call.to_bytes(2, "big") + packet[8:] for call in range(0x10000)
                    if call != caller.server_call_id))


def spoofing(bed):
    """Sends GRE in the good caller's name."""
    with bed.c1:
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    raw.connect((WAN, 0))
    return lambda packet: raw.send(ip.packet(_VICTIM, WAN, ip.GRE, packet))


def gre_spoofed(bed):
    """Every Call ID there can be in the good caller's name, with all kinds of frames: one of them
    is the right one."""
    put, dice = spoofing(bed), random.Random(1)
    frames = [lambda: ppp.frame(ppp.COMP, struct.pack(">H", 0x9000 | dice.randrange(4096))
                                + dice.randbytes(60)),
              lambda: ppp.frame(ppp.IP, ip.udp("192.168.77.10", LAN, 1, 9, b"forged")),
              lambda: dice.randbytes(40),
              lambda: b""]
    packets = (gre.build(call, frame(), dice.randrange(1 << 32))
               for frame in frames for call in range(0x10000))
    return put_all(bed, put, packets)


def coherency(bed):
    """Counts of MPPE that jump by every distance, wild ones and such of the good caller's."""
    caller, _ = attacker(bed)
    frames = (wild(caller, step) for step in range(1, 4096))
    return put_all(bed, caller.tunnel.send, frames)


def replays(bed):
    """A whole session played again while it lives, after it, backwards, and in a new call."""
    caller = bed.caller("c1", tun=False)
    recorded = []
    caller.connect()
    caller.place()
    put = caller.tunnel.put
    caller.tunnel.put = lambda packet: (recorded.append(packet), put(packet))
    caller.begin()
    bed.loop.until(lambda: caller.link.up, 10, "open")
    for number in range(200):
        caller.send_ip(ip.udp(caller.address, LAN, 1, 9, b"%d" % number))
    count = put_all(bed, put, recorded) + put_all(bed, put, reversed(recorded))
    caller.hang_up()
    count += put_all(bed, put, recorded)
    again = bed.dial("c1", tun=False)
    renamed = [p[:6] + again.server_call_id.to_bytes(2, "big") + p[8:] for p in recorded]
    return count + put_all(bed, again.tunnel.put, renamed)


def clear_text(bed):
    """Clear and half clear packets in an encrypted call: none reaches the LAN."""
    caller, _ = attacker(bed)
    box = []
    with bed.lan:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((LAN, 0))
    sock.setblocking(False)
    inner = ip.udp(caller.address, LAN, 1, sock.getsockname()[1], b"clear")
    bits = (0, mppe.FLUSHED, 0x2000, 0x4000, mppe.FLUSHED | 0x2000)
    frames = [ppp.frame(ppp.IP, inner), ppp.frame(ppp.IP, inner, True, True),
              *(ppp.frame(ppp.COMP, (b | caller.link.tx.count).to_bytes(2, "big") + b"\0\x21" + inner)
                for b in bits)]
    count = put_all(bed, caller.tunnel.send, frames * 50)
    try:
        box.append(sock.recv(2048))
    except BlockingIOError:
        pass
    sock.close()
    assert not box, "clear text reached the LAN"
    return count


def random_octets(bed):
    """Random octets on TCP 1723 and IP protocol 47."""
    dice = random.Random(2)
    caller, packet = attacker(bed)
    count = put_all(bed, caller.tunnel.put,
                    (packet[:8] + dice.randbytes(dice.randrange(200)) for _ in range(5000)))
    for number in range(300):
        say(bed, dice.randbytes(dice.randrange(1, 400)), started=bool(number % 2))
    return count + 300
