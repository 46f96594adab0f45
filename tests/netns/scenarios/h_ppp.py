"""LCP and the NCPs after the call is up: echoes, rejects, renegotiation, hostile options."""
from dataclasses import replace

import ppp
from bed import LAN
from personality import ACCM_NONE, MAGIC, PFC, PPPD, mru
from suite import scenario


@scenario()
def lcp_codes(bed, check):
    """Echo, Discard, Identification, Time-Remaining, unknown codes."""
    caller = bed.dial(tun=False)
    link = caller.link
    with check("echo-sizes"):
        for size in (0, 1, 4, 100, 1388):
            before = link.echo_replies
            link.echo(bytes(range(256))[:size] if size < 256 else b"e" * size)
            bed.loop.until(lambda: link.echo_replies > before, 3, f"Echo-Reply of {size} octets")
    with check("echo-with-a-lying-length"):
        received = caller.tunnel.data
        for claimed in (9, 100, 1400, 65535):
            length = claimed.to_bytes(2, "big")
            caller.tunnel.send(b"\xff\x03\xc0\x21\x09\x63" + length + link.magic)
        caller.tunnel.send(b"\xff\x03\xc0\x21\x09\x63\x00\x03" + link.magic)
        bed.loop.sleep(0.3)
        assert caller.tunnel.data == received, "an answer to a frame shorter than its length"
    with check("padding-ignored"):
        before, link.echoes[0x64] = link.echo_replies, b"pad"
        caller.tunnel.send(ppp.frame(ppp.LCP, ppp.packet(9, 0x64, link.magic + b"pad") + bytes(20)))
        bed.loop.until(lambda: link.echo_replies > before, 3, "Echo-Reply without the padding")
    with check("silent-codes"):
        received = caller.tunnel.data
        for code in (ppp.DISCARD, ppp.IDENTIFICATION, ppp.TIME_REMAINING):
            for size in (0, 4, 1392):
                link.lcp.send(code, 9, bytes(size))
        bed.loop.sleep(0.3)
        assert caller.tunnel.data == received and not link.code_rejects, "answered"
    with check("code-reject"):
        packet = ppp.packet(0x20, 7, b"unknown")
        link.send(ppp.LCP, packet)
        bed.loop.until(lambda: link.code_rejects, 3, "Code-Reject")
        assert link.code_rejects == [(ppp.LCP, packet)], link.code_rejects
    with check("reject-within-mru"):
        link.send(ppp.LCP, ppp.packet(0x21, 7, bytes(1480)))
        link.send(0x8057, ppp.packet(1, 7, bytes(1480)))      # the link checks the size
        bed.loop.until(lambda: len(link.code_rejects) > 1 and link.protocol_rejects, 3, "rejects")
    with check("wrong-answers-ignored"):
        for code in (ppp.ACK, ppp.NAK, ppp.REJECT, ppp.ECHO_REPLY):
            link.lcp.send(code, 0xEE, bytes.fromhex("010405dc"))
        link.echo()
        bed.loop.sleep(0.3)
        assert not caller.finished(), caller.finished()


@scenario()
def lcp_options(bed, check):
    """Hostile Configure-Requests: duplicates, full size, wrong lengths, extreme MRU."""
    requests = {
        "mru-0": mru(0) + PFC, "mru-1": mru(1), "mru-65535": mru(65535),
        "255-duplicates": mru(1400) * 255, "255-magics": b"\x05\x06abcd" * 200,
        "full-size-unknown": b"\x7f\xff" + bytes(253) + b"\x7e\xff" + bytes(253),
        "length-0": b"\x01\x00\x05\xdc", "length-1": b"\x01\x01", "beyond": b"\x01\x09\x05",
        "mru-of-5": b"\x01\x05\x05\xdc\x00", "empty": b"", "zero-magic": b"\x05\x06\0\0\0\0",
        "auth-for-us": bytes.fromhex("0304c023"), "quality": bytes.fromhex("0408c02500000064"),
        "vendor": bytes.fromhex("0006000000ff")}
    for name, data in requests.items():
        with check(name):
            caller = bed.caller("c1", tun=False)
            caller.connect()
            caller.place()
            caller.begin()
            caller.tunnel.send(ppp.frame(ppp.LCP, ppp.packet(ppp.REQUEST, 0x55, data)))
            caller.tunnel.send(ppp.frame(0x8057, bytes(1400)))
            bed.loop.sleep(0.05)
            bed.problems.clear()        # the caller did not send those by its own rules
            caller.drop()
    with check("good-one-after"):
        bed.dial("c2", "bob", tun=False)


@scenario()
def nak_loops(bed, check):
    """A peer that never agrees is given up in bounded time and packets."""
    for name, code in (("naks-for-ever", ppp.NAK), ("rejects-authentication", ppp.REJECT)):
        with check(name) as suite:
            caller = bed.caller("c1", tun=False)
            caller.connect()
            caller.place()
            caller.begin()
            caller.link.lcp.review = disagree(code)
            caller.link.lcp.answered = lambda *_: None
            bed.loop.until(caller.finished, 20, "the end")
            suite.note = f"{caller.link.lcp.requests_seen} requests, {caller.finished()}"
            bed.problems.clear()
            caller.drop()


def disagree(code):
    answers = {ppp.NAK: bytes.fromhex("0304c023")}

    def review(option):
        if option[0] != 3:
            return ppp.ACK, option
        return code, answers.get(code, option)
    return review


@scenario()
def renegotiation(bed, check):
    """A caller begins LCP anew on an open call: authenticates again and goes on."""
    caller = bed.dial()
    with check("lcp-again"):
        address = caller.address
        caller.link.renegotiate()
        bed.loop.until(lambda: caller.link.up or caller.finished(), 10, "open again")
        assert caller.link.up, caller.finished()
        assert caller.address == address, f"{caller.address}, it was {address}"
    with check("data-after"):
        bed.assert_ping("c1", LAN)


@scenario(lcp_echo_interval=1, lcp_echo_failures=2)
def lcp_echo(bed, check):
    """The server's LCP Echo: an idle caller that answers stays, a silent one is freed."""
    with check("asked-and-stays"):
        caller = bed.dial("c1", tun=False)
        bed.loop.until(lambda: caller.link.echo_requests >= 4, 10, "four Echo-Requests")
        assert not caller.finished()
    with check("silent-one-goes") as suite:
        caller.link.answers_echo = caller.tunnel.bare_acks = False
        bed.loop.until(caller.finished, 10, "the end of a silent call")
        suite.note = caller.finished()
    with check("address-is-free"):
        caller.drop()
        bed.dial("c1", "alice")
        bed.assert_ping("c1", LAN)


@scenario()
def ipcp_options(bed, check):
    """IPCP: VJ refused, a wished address refused, the old way of two addresses, closing IPCP."""
    with check("wished-address"):
        wish = replace(PPPD, ipcp=(bytes.fromhex("0306c0a84d63"),))      # 192.168.77.99
        caller = bed.dial(personality=wish)
        bed.assert_ping("c1", LAN)
        caller.hang_up()
    with check("foreign-address"):
        wish = replace(PPPD, ipcp=(bytes.fromhex("030608080808"),))
        caller = bed.dial(personality=wish)
        assert caller.address.startswith("192.168.77."), caller.address
        bed.assert_ping("c1", LAN)
        caller.hang_up()
    with check("vj-and-ip-addresses"):
        wish = replace(PPPD, ipcp=(bytes.fromhex("010a0000000000000000"),
                                   bytes.fromhex("0206002d0f01"), b"\x03\x06\0\0\0\0"))
        caller = bed.dial(personality=wish)
        bed.assert_ping("c1", LAN)
        caller.hang_up()
    with check("accm-and-long-lcp"):
        many = replace(PPPD, lcp=(mru(1400), ACCM_NONE, MAGIC, PFC, b"\x09\x04\x12\x34",
                                  b"\x0b\x06abcd", b"\x13\x03\x00"))
        caller = bed.dial(personality=many)
        caller.hang_up()
    with check("ipcp-closed-by-caller"):
        # The end of an NCP is no reason to end the link (RFC 1661 section 3.7).
        caller = bed.dial()
        caller.link.ipcp.send(ppp.TERM_REQUEST, 0x42)
        bed.loop.until(lambda: caller.link.ipcp.closed, 3, "IPCP Terminate-Ack")
        caller.link.echo()
        bed.loop.until(lambda: caller.link.echo_replies == 2, 3, "LCP Echo-Reply")
    with check("ipcp-opened-again"):
        caller.link.ipcp.restart()
        bed.loop.until(lambda: caller.link.up or caller.finished(), 8, "IPCP open again")
        bed.assert_ping("c1", LAN)
