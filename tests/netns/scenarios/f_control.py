"""The control connection (RFC 2637 sections 2, 3): splits, wrong messages, states, keep-alive."""
import errno
import random
import socket

import pptp
from bed import CALLERS, LAN, WAN
from control import Control
from suite import scenario

_STARTS = pptp.build(pptp.SCCRQ)
_CALLS = pptp.build(pptp.OCRQ, call_id=0x2961)


def connect(bed, where="c1", source=None):
    return Control(bed.loop, bed.spaces[where], WAN, bed.report, source)


def answered(bed, control):
    bed.loop.until(lambda: control.find(pptp.OCRP) or control.closed, 5, "OCRP")
    reply = control.find(pptp.OCRP)
    assert reply and reply.result == 1 and reply.peer_call_id == 0x2961, control.closed
    control.close()


def survives(bed):
    """A good caller's whole life, after something bad."""
    caller = bed.dial("c2", "bob", tun=False)
    caller.hang_up()


@scenario()
def splits(bed, check):
    """SCCRQ and OCRQ cut at every octet, and octet by octet."""
    both = _STARTS + _CALLS
    with check("every-split") as suite:
        for begin in range(1, len(both), 4):
            pairs = [(connect(bed), cut) for cut in range(begin, min(begin + 4, len(both)))]
            for control, cut in pairs:
                control.raw(both[:cut])
            bed.loop.sleep(0.005)
            for control, cut in pairs:
                control.raw(both[cut:])
            for control, _ in pairs:
                answered(bed, control)
        suite.note = f"{len(both) - 1} splits"
    with check("octet-by-octet"):
        control = connect(bed)
        for octet in both:
            control.raw(bytes((octet,)))
            bed.loop.turn(0.001)
        answered(bed, control)
    with check("all-at-once"):
        control = connect(bed)
        control.raw(_STARTS + pptp.build(pptp.ECHORQ, identifier=7) + _CALLS)
        answered(bed, control)


def in_step(bed, control):
    """After something wrong the connection is closed, or still understands an Echo-Request."""
    try:
        control.echo(timeout=3)
    except AssertionError:
        return control.closed
    finally:
        control.close()
    return "in step"


@scenario()
def wrong_messages(bed, check):
    """Bad cookie, wrong lengths, unknown types: the connection ends or stays in step."""
    for name, octets in wrong_starts():
        with check(f"first-{name}"):
            control = connect(bed)
            control.raw(octets)
            control.expect_closed(timeout=5)
    for name, octets in wrong_later():
        with check(f"later-{name}") as suite:
            control = connect(bed)
            control.start()
            control.raw(octets)
            suite.note = in_step(bed, control)
    with check("good-one-after"):
        survives(bed)


def wrong_starts():
    body = _STARTS[12:]
    yield "magic", pptp.header(1, 156, magic=0x1A2B3C4E) + body
    yield "message-type", pptp.header(1, 156, message=2) + body
    yield "length-0", pptp.header(1, 0) + body
    yield "length-11", pptp.header(1, 11) + body
    yield "length-12", pptp.header(1, 12) + body
    yield "http", b"GET / HTTP/1.1\r\nHost: router\r\n\r\n" * 8
    yield "type-0", pptp.header(0, 156) + body
    yield "zeros", bytes(156)
    yield "ones", b"\xff" * 156


def wrong_later():
    for kind in pptp.TABLE:
        yield f"type-{kind}-length-12", pptp.header(kind, 12)
        right = pptp.build(kind)
        yield f"type-{kind}-short", pptp.header(kind, len(right) - 4) + right[12:-4]
        yield f"type-{kind}-long", pptp.header(kind, len(right) + 4) + right[12:] + bytes(4)
    for kind in (0, 16, 0x1234, 0xFFFF):
        yield f"unknown-type-{kind}", pptp.header(kind, 16) + bytes(4)
    yield "length-65535", pptp.header(pptp.ECHORQ, 65535) + bytes(65523)


@scenario()
def states(bed, check):
    """Messages out of their state: second SCCRQ, other version, calls before the start."""
    with check("second-sccrq"):
        control = connect(bed)
        control.start()
        control.raw(_STARTS)
        bed.loop.until(lambda: control.closed or control.find(pptp.SCCRP, pptp.STOPRQ), 3,
                       "an answer to the second SCCRQ")
        again = control.find(pptp.SCCRP)
        assert not again or again.result == 3, f"result {again.result}, 3: channel exists"
        control.close()
    with check("version-0x0200"):
        control = connect(bed)
        control.send(pptp.SCCRQ, version=0x0200)
        reply = control.expect(pptp.SCCRP)
        assert reply.result == 5 and reply.version == 0x0100, vars(reply)
        control.expect_closed()
    with check("ocrq-before-sccrq"):
        control = connect(bed)
        control.raw(_CALLS)
        bed.loop.until(lambda: control.closed, 5, "closed")
        assert not control.find(pptp.OCRP) or control.find(pptp.OCRP).result != 1
    with check("all-pairs") as suite:
        suite.note = f"{pairs(bed)} pairs"
    with check("good-one-after"):
        survives(bed)


def pairs(bed):
    """Every ordered pair of the 15 messages, with a call open; the server must only survive."""
    count = 0
    for first in pptp.TABLE:
        for second in pptp.TABLE:
            control = connect(bed)
            control.start()
            reply = control.call(random.randrange(1, 65536))
            for kind in (first, second):
                control.raw(addressed(kind, reply))
            bed.loop.turn(0.002)
            control.reset() if count % 2 else control.close()
            count += 1
        # Answers to what no client sends may be refusals of any kind: not judged here.
        bed.problems.clear()
        assert bed.server.alive(), f"died at {pptp.name(first)}"
    return count


def addressed(kind, reply):
    """A message of this type about the call that `reply` opened."""
    names = pptp.TABLE[kind][3].split()
    fields = {}
    if "peer_call_id" in names:
        fields["peer_call_id"] = reply.call_id
    if "call_id" in names:
        fields["call_id"] = reply.peer_call_id
    return pptp.build(kind, **fields)


@scenario()
def calls(bed, check):
    """Two calls on one connection; Call-Clear answers with the server's own call id."""
    with check("two-calls"):
        one = bed.dial("c1", "alice", tun=False)
        two = bed.caller("c1", "bob", control=one.control, tun=False).dial()
        assert one.server_call_id != two.server_call_id and one.address != two.address
    with check("clear-one"):
        note = one.clear()
        assert (note.result, note.error) == (4, 0), f"CDN result {note.result}"
        pptp.text(note.statistics)
        assert not one.control.closed
    with check("the-other-stays"):
        two.link.echo(b"still here")
        bed.loop.until(lambda: two.link.echo_replies, 3, "LCP Echo-Reply")
        two.control.echo()
    with check("cleared-call-is-dead"):
        seen = one.tunnel.data
        one.link.echo()
        bed.loop.sleep(0.3)
        assert one.tunnel.data == seen, "the server answers in a cleared call"
    with check("call-again"):
        one.tunnel.close()
        again = bed.caller("c1", "alice", control=one.control, tun=False).dial()
        again.link.echo()
        bed.loop.until(lambda: again.link.echo_replies, 3, "LCP Echo-Reply")
    with check("clear-twice"):
        again.clear()
        again.control.send(pptp.CCRQ, call_id=again.call_id)
        again.control.echo()
    with check("clear-unknown"):
        again.control.send(pptp.CCRQ, call_id=0x7777)
        again.control.echo()
    with check("stop"):
        two.control.stop()


@scenario()
def tcp_loss(bed, check):
    """The control connection's end is the end of its calls, however it ends."""
    for name, end in (("fin", Control.close), ("rst", Control.reset)):
        with check(name):
            caller = bed.dial("c1", "alice", tun=False)
            end(caller.control)
            bed.loop.sleep(0.2)
            seen = caller.tunnel.data
            caller.link.echo()
            bed.loop.sleep(0.2)
            assert caller.tunnel.data == seen, "the server answers in a dead call"
            caller.drop()
    with check("addresses-return"):
        ids = [one_call(bed) for _ in range(33)]        # one more than there are slots
    with check("call-ids-cannot-be-guessed") as suite:
        steps = {(b - a) & 0xFFFF for a, b in zip(ids, ids[1:])}
        suite.note = f"{len(set(ids))} ids, {len(steps)} distances in {len(ids)} calls"
        assert 0 not in ids and len(steps) > 20, ids
    with check("rst-after-each-message"):
        for kind in pptp.TABLE:
            control = connect(bed)
            control.start()
            control.raw(pptp.build(kind))
            control.reset()
        bed.problems.clear()
        survives(bed)
    with check("half-closed"):
        control = connect(bed)
        control.start()
        control.socket.shutdown(socket.SHUT_WR)
        control.expect_closed()


@scenario(echo_interval=5)
def echo(bed, check):
    """Echo keep-alive both ways; a caller that answers stays, one that does not goes."""
    with check("ours-answered"):
        caller = bed.dial("c1", tun=False)
        caller.control.echo()
        quiet = connect(bed, "c2")
        quiet.answers_echo = False
        quiet.start()
    with check("theirs-comes"):
        bed.loop.until(lambda: caller.control.echo_requests, 8, "an Echo-Request")
        assert not caller.control.closed
    with check("silent-one-goes"):
        quiet.expect_closed(timeout=15)
        assert quiet.echo_requests, "closed without having been asked"
    with check("answering-one-stays"):
        caller.link.echo()
        bed.loop.until(lambda: caller.link.echo_replies, 3, "LCP Echo-Reply")


@scenario(login_timeout=5)
def login_timeout(bed, check):
    """A connection that does not get on is closed in time, at every stage."""
    stages = {"silent": b"", "one-octet": b"\0", "half": _STARTS[:100], "started": _STARTS,
              "called": _STARTS + _CALLS}
    controls = {name: connect(bed) for name in stages}
    slow = connect(bed)
    for name, octets in stages.items():
        controls[name].raw(octets)
    for octet in _STARTS[:80]:
        slow.raw(bytes((octet,)))
        bed.loop.sleep(0.1)
    for name, control in {**controls, "one-octet-a-while": slow}.items():
        with check(name):
            control.expect_closed(timeout=2)


@scenario()
def idle_sockets(bed, check):
    """A thousand idle sockets of many addresses keep nobody out."""
    idle, small = [], bed.server.status("VmRSS")
    with check("call-before"):
        before = bed.dial("c2", "bob")
    with check("a-thousand") as suite:
        for source in CALLERS["crowd"][:125]:
            for _ in range(8):
                idle.append(silent(bed, source))
        suite.note = f"{len(idle)} connections"
    with check("good-one-gets-in"):
        bed.dial("c1", "alice", timeout=15)
        bed.assert_ping("c1", LAN)
    with check("call-before-stays"):
        assert not before.finished(), before.finished()
        bed.assert_ping("c2", LAN)
    with check("memory") as suite:
        grown = bed.server.status("VmRSS") - small
        suite.note = f"{grown} KiB grown"
        assert grown < 256, suite.note
    for sock in idle:
        sock.close()
    with check("one-address-too-many"):
        many = [silent(bed, "203.0.113.64") for _ in range(60)]
        bed.loop.sleep(0.2)
        bed.dial("c1", "carol")
        for sock in many:
            sock.close()


def one_call(bed):
    """The server's call id of a call that is opened and cut."""
    caller = bed.dial("c1", "alice", tun=False)
    caller.control.close()
    caller.drop()
    return caller.server_call_id


def silent(bed, source):
    with bed.crowd:
        sock = socket.socket()
    sock.bind((source, 0))
    sock.settimeout(5)
    try:
        sock.connect((WAN, pptp.PORT))
    except OSError:
        pass                        # refused at once is as good as ignored
    return sock


@scenario()
def not_reading(bed, check):
    """A peer that sends and never reads costs a bounded buffer, then its connection."""
    bed.dial("c2", "bob")
    with check("bounded") as suite:
        before = bed.server.status("VmRSS")
        with bed.c1:
            sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sock.connect((WAN, pptp.PORT))
        sock.sendall(_STARTS)
        sock.setblocking(False)
        sent, end = flood(bed, sock)
        grown = bed.server.status("VmRSS") - before
        suite.note = f"{sent} octets taken, then {end}; {grown} KiB grown"
        assert grown < 256 and end != "no end", suite.note
    with check("others-are-served"):
        bed.assert_ping("c2", LAN)
        bed.dial("c1", "alice")
    sock.close()


def flood(bed, sock):
    """Echo-Requests until the server takes no more for a second, or closes."""
    requests, sent, still = pptp.build(pptp.ECHORQ, identifier=1) * 256, 0, 0
    for _ in range(2000):
        try:
            sent += sock.send(requests[sent % 16:])     # after a partial send: its other half
            still = 0
        except BlockingIOError:
            still += 1
            if still == 20:
                return sent, "stalled"
            bed.loop.sleep(0.05)
        except OSError as error:
            return sent, errno.errorcode[error.errno]
        bed.loop.turn(0.005)
    return sent, "no end"


@scenario()
def reads_later(bed, check):
    """A peer that does not read for a while gets every answer once it does, in order."""
    with check("all-answers") as suite:
        control = connect(bed)
        control.start()
        control.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        bed.loop.forget(control.socket)
        for number in range(200):
            control.raw(pptp.build(pptp.ECHORQ, identifier=number))
        bed.loop.sleep(1.0)
        bed.loop.watch(control.socket, control.read)
        bed.loop.until(lambda: len(control.inbox) == 200 or control.closed, 5, "200 answers")
        numbers = [m.identifier for m in control.inbox]
        suite.note = f"{len(numbers)} answers"
        assert numbers == list(range(200)), f"{suite.note}, {control.closed}"
        control.echo()
        control.close()
