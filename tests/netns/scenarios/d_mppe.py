"""MPPE in its kinds: strengths, stateless and stateful, resets, and what must be refused."""
from dataclasses import replace

import ip
import ppp
import traffic
from bed import LAN
from personality import APPLE, PPPD, WINDOWS
from scenarios.c_line import expect, sealed
from suite import scenario


def asks(bits, stateless=True, on_flush="change", base=PPPD):
    option = ppp.mppe_option(bits, stateless)
    return replace(base, name=f"{bits}-{'stateless' if stateless else 'stateful'}", ccp=option,
                   mppe=(option,), on_flush=on_flush)


@scenario(mppe_min_bits=40, mppe_stateful=1)
def mppe_kinds(bed, check):
    """40, 56 and 128 bit, stateless and stateful, past the key change of every 256 packets."""
    for bits in (40, 56, 128):
        for stateless in (True, False):
            personality = asks(bits, stateless)
            with check(personality.name):
                caller = bed.dial(personality=personality)
                assert (caller.link.tx.bits, caller.link.tx.stateless) == (bits, stateless)
                bed.transfer("c1", "lan", LAN, 500_000)
                bed.transfer("lan", "c1", caller.address, 500_000)
                caller.hang_up()


@scenario(mppe_min_bits=40, mppe_stateful=1)
def stateful_reset(bed, check):
    """A packet lost in stateful mode: Reset-Request, FLUSHED, for both readings of the RFC."""
    for on_flush, like in (("change", "linux"), ("restart", "freebsd")):
        caller = bed.dial(personality=asks(128, False, on_flush), lossy=True)
        box = traffic.Mailbox(bed.loop, bed.lan, LAN)
        with check(f"{like}-lost-upwards"):
            sealed(caller, b"lost", box)
            before = caller.link.reset_requests
            caller.tunnel.put(sealed(caller, b"probe", box))
            bed.loop.until(lambda: caller.link.reset_requests > before, 3, "Reset-Request")
            box.letters.clear()
            for text in (b"after", b"later"):
                caller.tunnel.put(sealed(caller, text, box))
            expect(bed, box, [b"after", b"later"])
        with check(f"{like}-lost-downwards"):
            lose_one(caller)
            bed.ping("c1", LAN, count=2, wait=0.5)
            bed.loop.until(lambda: caller.link.incoherent, 3, "a gap seen")
            bed.loop.sleep(0.3)
            bed.assert_ping("c1", LAN)
        with check(f"{like}-long"):
            bed.transfer("c1", "lan", LAN, 400_000)
            bed.transfer("lan", "c1", caller.address, 400_000)
        caller.hang_up()


def lose_one(caller):
    """The next data frame from the server gets lost on its way."""
    deliver = caller.tunnel.deliver

    def lose(frame):
        if ppp.split(frame, True, True)[0] == ppp.COMP:
            caller.tunnel.deliver = deliver
        else:
            deliver(frame)
    caller.tunnel.deliver = lose


@scenario(lcp_echo_interval=1)
def mppe_refused(bed, check):
    """Callers that offer less than 128 bit stateless do not get in, and nothing goes in clear."""
    for personality in (asks(40), asks(56), asks(128, False), asks(40, base=WINDOWS)):
        with check(personality.name):
            caller = bed.caller(personality=replace(personality, restart=1.0))
            assert not caller.attempt(15), "got in"
            caller.drop()
    with check("good-one-beside"):
        bed.dial("c2", "bob")
        bed.assert_ping("c2", LAN)


@scenario(mppe="optional")
def mppe_optional(bed, check):
    """With `mppe optional` a caller may go without, and one who wants it has it."""
    with check("with"):
        caller = bed.dial()
        bed.assert_ping("c1", LAN)
        caller.hang_up()
    with check("without"):
        clear = replace(APPLE, name="clear", encrypts=False, refuses=(0x80FD,), extra=(),
                        ncps=(("ipcp", 0.0),))
        bed.dial("c2", "bob", personality=clear)
        bed.assert_ping("c2", LAN)
        bed.assert_ping("lan", bed.callers[-1].address)


@scenario(mppe="off")
def mppe_off(bed, check):
    """With `mppe off` nothing is encrypted and CCP is refused."""
    with check("clear"):
        clear = replace(PPPD, name="clear", encrypts=False, ncps=(("ipcp", 0.0),),
                        ipcp_waits=False)
        bed.dial(personality=clear)
        bed.assert_ping("c1", LAN)


@scenario()
def ccp_reopened(bed, check):
    """A strengthless or repeated CCP request on an open call does not weaken it."""
    caller = bed.dial(personality=PPPD)
    box = traffic.Mailbox(bed.loop, bed.lan, LAN)
    with check("weaker-request"):
        # 40 bit asked of an open 128-bit call: whatever the answer, it is no Ack.
        caller.link.ccp.closed, answers = True, []
        caller.link.ccp.receive = lambda code, identifier, data: answers.append((code, data))
        caller.link.send(ppp.CCP, ppp.packet(ppp.REQUEST, 0x77, bytes.fromhex("120601000020")))
        bed.loop.sleep(0.5)
        assert (ppp.ACK, bytes.fromhex("120601000020")) not in answers, "40 bit acknowledged"
    with check("nothing-clear-after-it"):
        caller.link.send(ppp.IP, ip.udp(caller.address, LAN, 5000, box.port, b"clear"))
        bed.loop.sleep(0.3)
        assert not box.letters, "clear text taken"
