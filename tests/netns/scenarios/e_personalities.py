"""Clients of the field, octet for octet (personality.py): each logs in, or is rightly refused."""
import time
from dataclasses import replace

import ppp
import pptp
from bed import LAN
from personality import (ANDROID, APPLE, MIKROTIK, PPPD, TP_LINK, WINDOWS, WINDOWS_9X,
                         WINDOWS_CLEAR, WINDOWS_MULTILINK, WITH_CALLS)
from suite import scenario


@scenario()
def personalities(bed, check):
    """Every client that encrypts: log in, ping both ways, end politely."""
    for personality in WITH_CALLS:
        with check(personality.name) as suite:
            began = time.monotonic()
            caller = bed.dial(personality=personality)
            suite.note = f"in after {time.monotonic() - began:.2f} s"
            assert not caller.link.repeats, f"{caller.link.repeats} requests had to be repeated"
            bed.assert_ping("c1", LAN)
            bed.assert_ping("lan", caller.address)
            caller.hang_up()


@scenario()
def windows(bed, check):
    """Windows 10: rejects, Naks and silences in detail."""
    caller = bed.caller(personality=WINDOWS_MULTILINK)
    traffic = watch(caller)
    with check("log-in"):
        caller.dial()
    with check("lcp-rejects"):
        assert traffic[ppp.LCP, ppp.REJECT] == [b"".join(WINDOWS_MULTILINK.lcp[4:])], \
            traffic[ppp.LCP, ppp.REJECT]
    with check("ccp-nak"):
        assert traffic[ppp.CCP, ppp.NAK] == [bytes.fromhex("120601000040")]
        assert len(traffic[ppp.CCP, ppp.REQUEST]) == 1, "CCP requested more than once"
        assert traffic[ppp.CCP, ppp.REQUEST] == [bytes.fromhex("120601000040")]
    with check("ipcp-values"):
        refused = b"".join(traffic.get((ppp.IPCP, ppp.REJECT), []))
        kinds = [o[0] for o in ppp.options(refused)]
        assert kinds == [130, 132], f"no WINS is configured; rejected {kinds}"
    with check("ipv6cp-protocol-reject"):
        assert caller.link.protocol_rejects == [ppp.IPV6CP], caller.link.protocol_rejects
    with check("identifications-silent"):
        assert not caller.link.code_rejects, caller.link.code_rejects
    with check("log-without-raw-octets"):
        raw = WINDOWS.identifications[2]
        with open(bed.server.log_path, "rb") as log:
            text = log.read()
        assert raw not in text and all(b in b"\n\t" or 32 <= b < 127 for b in text), \
            "the log has octets that are no text"
    with check("set-link-info-in-call"):
        for accm in (0, 0xFFFFFFFF, 0x12345678):
            caller.control.send(pptp.SLI, peer_call_id=caller.server_call_id, send_accm=accm,
                                receive_accm=accm)
        caller.control.echo()
        bed.assert_ping("c1", LAN)
    with check("wins"):
        caller.hang_up()


def watch(caller):
    """Everything that the server sends on the link, by protocol and code."""
    seen = {}
    receive = caller.receive

    def take(frame):
        protocol, data = ppp.split(frame, True, True)
        if protocol not in (ppp.IP, ppp.COMP):
            code, _, rest = ppp.split_packet(data)
            seen.setdefault((protocol, code), []).append(rest)
        receive(frame)
    caller.receive = take
    return seen


@scenario(wins=["192.168.1.5", "192.168.1.6"])
def windows_with_wins(bed, check):
    """All five IPCP options get their values when they are configured."""
    with check("values"):
        caller = bed.dial(personality=WINDOWS)
        values = [".".join(map(str, caller.link.ipcp.value(k))) for k in (129, 130, 131, 132)]
        assert values == ["192.168.77.1", "192.168.1.5", "192.168.77.2", "192.168.1.6"], values


@scenario(dns=["192.168.1.53"])
def one_name_server(bed, check):
    """With one DNS and no WINS the other options are rejected and the call opens."""
    with check("rejected"):
        caller = bed.dial(personality=WINDOWS)
        assert [o[0] for o in caller.link.ipcp.request] == [3, 129], caller.link.ipcp.request
        assert caller.link.ipcp.value(129) == bytes((192, 168, 1, 53))
        bed.assert_ping("c1", LAN)


@scenario()
def mikrotik(bed, check):
    """IPCP 30 ms after CCP is held until CCP is open, not terminated."""
    with check("held"):
        began = time.monotonic()
        caller = bed.dial(personality=MIKROTIK)
        assert time.monotonic() - began < 2 and not caller.link.repeats, "had to ask again"
        bed.assert_ping("c1", LAN)
        caller.hang_up()
    with check("ipcp-first"):
        # IPCP arrives half a second before CCP does.
        late = replace(MIKROTIK, ncps=(("ipcp", 0.0), ("ccp", 0.5)))
        bed.dial(personality=late)
        bed.assert_ping("c1", LAN)


@scenario(login_timeout=5)
def no_encryption(bed, check):
    """MPPE is required: a caller without it is told so and logged so."""
    with check("windows-protocol-reject"):
        caller = bed.caller(personality=WINDOWS_CLEAR)
        assert not caller.attempt(8), "got in without encryption"
        assert "LCP Terminate-Request" in caller.link.ended, caller.link.ended
        bed.server.wait_log(r"(?i)203\.0\.113\.11: ended.*MPPE")
        caller.drop()
    with check("tp-link-refused"):
        caller = bed.caller("c2", "bob", personality=TP_LINK)
        assert not caller.attempt(8), "got in without encryption"
        bed.server.wait_log(r"(?i)203\.0\.113\.12: ended.*MPPE")
        caller.drop()
    with check("good-one-beside"):
        bed.dial("c2", "carol")
        bed.assert_ping("c2", LAN)


@scenario(mppe="optional")
def tp_link(bed, check):
    """A client that repeats `mppe with nothing` for ever keeps its clear call."""
    with check("log-in"):
        caller = bed.dial(personality=TP_LINK)
        bed.assert_ping("c1", LAN)
    with check("stays"):
        bed.loop.stays(lambda: not caller.finished(), 3, f"ended: {caller.finished()}")
        bed.assert_ping("c1", LAN)
    with check("answers-not-multiplied") as suite:
        ccp = caller.link.ccp
        suite.note = f"{ccp.answers} answers, {ccp.attempts} requests"
        assert ccp.requests_seen <= 20, f"{ccp.requests_seen} requests of the server"


@scenario()
def flags_4(bed, check):
    """Response with Flags=4 (Windows 9x): Success has no message."""
    with check("success-without-message"):
        bed.dial(personality=WINDOWS_9X)        # the link checks it
        bed.assert_ping("c1", LAN)
    with check("any-flags"):
        for flags in (1, 0x80, 0xFF):
            caller = bed.dial("c2", "bob", personality=replace(PPPD, chap_flags=flags))
            caller.hang_up()


@scenario()
def acsp(bed, check):
    """Apple's ACSP (8235) gets a Protocol-Reject, and so does every unknown protocol."""
    with check("protocol-reject"):
        caller = bed.dial(personality=APPLE)
        assert caller.link.protocol_rejects == [ppp.ACSP], caller.link.protocol_rejects
    with check("others"):
        for protocol in (0x8031, 0x802B, 0x8057, 0xC02B, 0xC025, 0x80FB, 0x8053):
            before = len(caller.link.protocol_rejects)
            caller.link.send(protocol, ppp.packet(1, 9, bytes(8)))
            bed.loop.until(lambda: len(caller.link.protocol_rejects) > before, 3,
                           f"Protocol-Reject of {protocol:04x}")
            assert caller.link.protocol_rejects[-1] == protocol
    with check("android"):
        bed.dial("c2", "bob", personality=ANDROID)
        bed.assert_ping("c2", LAN)


@scenario()
def domain_prefix(bed, check):
    """DOMAIN\\user: the account is what stands after the last backslash."""
    for form in ("OFFICE\\{user}", "a.b.example\\{user}", "A\\B\\{user}", "{user}"):
        with check(form.replace("\\", "-").format(user="alice")):
            caller = bed.dial(personality=replace(PPPD, chap_name=form))
            caller.hang_up()
