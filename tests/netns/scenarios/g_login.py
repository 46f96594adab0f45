"""MS-CHAPv2 at the door: wrong passwords, unknown names, back-off, duplicates, odd passwords."""
import re
import time
from dataclasses import replace

import mschap
import ppp
import pptp
from bed import CALLERS, LAN, WAN
from control import Control
from personality import PPPD, WINDOWS
from server import USERS
from suite import scenario

_EXTRA = ({"username": "cyril", "password": "пароль-Ж"},
          {"username": "emoji", "password": "p🔒w-long-enough"},
          {"username": "боб", "password": "plain-Pass1"},
          {"username": "blank", "password": " with blank and # "},
          {"username": "hashed", "nt_hash": "44ebba8d5312b8d611474411f56989ae"},
          {"username": "gone", "password": "gone-Pass1", "enabled": "0"})


def refused(bed, where, user, password, **keywords):
    """A failing log-in, its Failure text without the fresh challenge, and how long it took."""
    caller = bed.caller(where, user, password=password, tun=False, **keywords)
    began = time.monotonic()
    assert not caller.attempt(15), f"{user} got in with {password!r}"
    took = time.monotonic() - began
    assert caller.link.failure, f"no Failure: {caller.finished()}"
    text = re.sub(rb"C=[0-9A-Fa-f]{32}", b"C=", caller.link.failure_text)
    over = bed.loop.until(caller.finished, 10, "the end of the call after the Failure")
    caller.drop()
    return caller.link.failure, text, took, over


@scenario(backoff_failures=50)
def wrong_password(bed, check):
    """Wrong password, unknown and disabled user: the same answer, E=691 R=0."""
    with check("wrong-password") as suite:
        failure, wrong, _, over = refused(bed, "c1", "alice", "alice-Pass2")
        suite.note = over
        assert failure == (691, 0), wrong
    for name, user, password in (("unknown-user", "nobody", "x"), ("empty-name", "", "x"),
                                 ("empty-password", "alice", ""), ("case", "alice", "ALICE-Pass1"),
                                 ("long-name", "n" * 200, "x")):
        with check(name):
            failure, text, _, _ = refused(bed, "c1", user, password)
            assert text == wrong, f"{text!r}, a wrong password says {wrong!r}"
    with check("logged-without-secrets"):
        bed.server.wait_log("alice")
        for secret in ("alice-Pass1", "alice-Pass2"):
            assert secret not in bed.server.log()
    with check("right-one-after"):
        bed.dial("c1", "alice", tun=False)


@scenario(users=USERS + _EXTRA)
def passwords(bed, check):
    """UTF-8 passwords as Windows and pppd hash them, blanks, NT hashes, disabled accounts."""
    for user in _EXTRA[:4]:
        with check(user["username"]):
            caller = bed.dial("c1", user["username"], password=user["password"], tun=False)
            caller.hang_up()
    with check("cyril-as-pppd-hashes"):
        caller = bed.caller("c1", "cyril", tun=False)
        caller.connect()
        caller.place()
        caller.begin()
        caller.link.password16 = mschap.widened(_EXTRA[0]["password"])
        bed.loop.until(lambda: caller.link.up or caller.finished(), 10, "log in")
        assert caller.link.up, caller.link.failure_text
        caller.hang_up()
    with check("nt-hash"):
        caller = bed.dial("c1", "hashed", password="clientPass", tun=False)
        caller.hang_up()
    with check("disabled"):
        refused(bed, "c1", "gone", "gone-Pass1")


@scenario(backoff_failures=3, backoff_time=4)
def back_off(bed, check):
    """After some failures an address has to wait; others get in meanwhile."""
    with check("failures"):
        for number in range(4):
            refused(bed, "c1", ("alice", "nobody", "root", "admin")[number], f"wrong-{number}")
    with check("right-password-waits") as suite:
        caller = bed.caller("c1", "bob", tun=False)
        try:
            suite.note = "got in" if caller.attempt(3) else str(caller.link.failure)
        except Exception as error:
            suite.note = str(error)
        assert not (caller.link and caller.link.up), "bob got in from the address that has to wait"
        caller.drop()
    bed.problems.clear()            # how a connection is refused is not judged
    with check("other-address"):
        bed.dial("c2", "bob")
        bed.assert_ping("c2", LAN)
    with check("time-passes"):
        bed.loop.sleep(5)
        bed.dial("c1", "alice")
    with check("successes-do-not-count"):
        for _ in range(6):
            bed.dial("crowd", "carol", tun=False).hang_up()


@scenario()
def dictionary(bed, check):
    """Wrong passwords from a hundred addresses at once; a good caller gets in between."""
    small = bed.server.status("VmRSS")
    with check("attack") as suite:
        begun = sum(guess(bed, source) for source in CALLERS["crowd"][:100])
        suite.note = f"{begun} calls begun"
        bed.problems.clear()            # a refused call is an answer like any other
    with check("good-one"):
        bed.dial("c2", "alice", timeout=15)
        bed.assert_ping("c2", LAN)
    with check("memory") as suite:
        grown = bed.server.status("VmRSS") - small
        suite.note = f"{grown} KiB grown"
        assert grown < 256, suite.note


def guess(bed, source):
    """Begins a call with a wrong password; whether the server took the call."""
    caller = bed.caller("crowd", "bob", password="guess", source=source, tun=False)
    try:
        caller.connect()
        caller.place()
    except AssertionError:
        return False
    caller.begin()
    return True


@scenario()
def silent_calls(bed, check):
    """Calls that never log in keep nobody out."""
    with check("all-slots-taken") as suite:
        taken = 0
        for source in CALLERS["crowd"][:8]:
            for _ in range(8):
                control = Control(bed.loop, bed.crowd, WAN, bed.report, source)
                control.raw(pptp.build(pptp.SCCRQ) + pptp.build(pptp.OCRQ, call_id=7))
                taken += 1
        bed.loop.sleep(0.3)
        suite.note = f"{taken} calls from 8 addresses"
        bed.problems.clear()
    with check("good-one-gets-in"):
        bed.dial("c1", "alice")
        bed.assert_ping("c1", LAN)


@scenario()
def duplicate_replace(bed, check):
    """One call per account: the new one replaces the old."""
    with check("replaced"):
        old = bed.dial("c1", "alice")
        new = bed.dial("c2", "alice")
        bed.loop.until(old.finished, 5, "the old call's end")
        bed.assert_ping("c2", LAN)
        assert not new.finished()


@scenario(duplicate="refuse")
def duplicate_refuse(bed, check):
    """One call per account: the new one is refused while the old one lives."""
    with check("refused"):
        old = bed.dial("c1", "alice")
        assert not bed.caller("c2", "alice").attempt(10), "two calls"
        assert not old.finished()
        bed.assert_ping("c1", LAN)
    with check("free-again"):
        old.hang_up()
        bed.dial("c2", "alice")


@scenario(duplicate="allow")
def duplicate_allow(bed, check):
    """Several calls per account when that is allowed."""
    with check("both"):
        one, two = bed.dial("c1", "alice"), bed.dial("c2", "alice")
        assert one.address != two.address
        bed.assert_ping("c1", two.address)
        bed.assert_ping("c2", one.address)


@scenario(pool="192.168.77.10-192.168.77.11",
          users=[*USERS[:2], {"username": "dave", "password": "dave-Pass1"}])
def pool_exhausted(bed, check):
    """No address left: the caller is refused, and gets in when one is free again."""
    with check("third-refused") as suite:
        one = bed.dial("c1", "alice", tun=False)
        bed.dial("c2", "bob", tun=False)
        third = bed.caller("crowd", "dave", tun=False)
        assert not third.attempt(10)
        suite.note = str(third.link.failure or third.finished())
        third.drop()
    with check("free-again"):
        one.hang_up()
        bed.dial("crowd", "dave", tun=False)


@scenario()
def odd_responses(bed, check):
    """Responses with lying lengths and long names, PAP, EAP: nobody gets in, nothing breaks."""
    with check("value-sizes"):
        for size in (0, 1, 16, 48, 50, 255):
            odd_response(bed, bytes((size,)) + bytes(size) + b"alice")
    with check("names"):
        for name in (b"", b"a" * 255, b"a" * 1300, b"al\0ice", b"\xff\xfe", b"%s%n", b"\\", b"\n"):
            odd_response(bed, b"\x31" + bytes(49) + name)
    with check("cut-short"):
        for size in (0, 1, 30, 49):
            odd_response(bed, (b"\x31" + bytes(49))[:size])
    with check("other-protocols"):
        caller = half_way(bed)
        caller.link.send(ppp.PAP, ppp.packet(1, 1, b"\x05alice\x0balice-Pass1"))
        for size in (0, 1, 100, 1400):
            caller.link.send(ppp.EAP, ppp.packet(2, 1, bytes(size)))
        bed.loop.until(lambda: ppp.EAP in caller.link.protocol_rejects, 3, "Protocol-Reject of EAP")
        assert ppp.PAP in caller.link.protocol_rejects
        assert not caller.link.authenticated
        caller.drop()
    with check("ncp-before-authentication"):
        caller = half_way(bed)
        caller.link.send(ppp.IPCP, ppp.packet(1, 1, b"\x03\x06\0\0\0\0"))
        caller.link.send(ppp.CCP, ppp.packet(1, 1, b"\x12\x06\x01\0\0\x40"))
        bed.loop.sleep(0.3)
        caller.drop()
    with check("good-one-after"):
        bed.dial("c2", "bob", tun=False)


def half_way(bed):
    """A caller that was challenged and keeps silent."""
    caller = bed.caller("c1", "alice", personality=replace(WINDOWS, link_info=()), tun=False)
    caller.connect()
    caller.place()
    caller.begin()
    caller.link.challenged = lambda identifier, data: setattr(
        caller.link, "challenge", (identifier, data[1:17], bytes(16)))
    bed.loop.until(lambda: caller.link.challenge, 5, "Challenge")
    return caller


def odd_response(bed, data):
    caller = half_way(bed)
    caller.link.failed = lambda data: None
    caller.link.send(ppp.CHAP, ppp.packet(ppp.RESPONSE, caller.link.challenge[0], data))
    bed.loop.sleep(0.02)
    assert not caller.link.authenticated
    caller.drop()


@scenario()
def repeated_response(bed, check):
    """A Response that comes twice is answered twice with the same Success."""
    with check("success-again"):
        caller = bed.dial(personality=PPPD)
        _, value, peer = caller.link.challenge
        flags = b"\0"
        caller.link.send(ppp.CHAP, ppp.packet(
            ppp.RESPONSE, caller.link.challenge[0],
            b"\x31" + peer + bytes(8) + caller.link.response + flags + b"alice"))
        bed.loop.sleep(0.3)
        assert not caller.finished(), caller.finished()
        bed.assert_ping("c1", LAN)
