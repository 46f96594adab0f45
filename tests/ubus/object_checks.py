"""The object: its signature, its methods, its notifications, with real calls."""
import os
import re
import signal
import socket
import time

import busmsg
import ip
import mschap
from bed import GATEWAY, LAN
from busbed import OBJECT, call, heard, on_bus, session
from busclient import Refused
from busmsg import (A_SIGNATURE, INVALID_ARGUMENT, METHOD_NOT_FOUND, NOT_FOUND, UNKNOWN_ERROR,
                    blobmsg, values)
from server import USERS, resident, uci
from suite import scenario

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SESSION = "00000000000000000000000000000000"
STATUS = {"version": str, "uptime": int, "listening": list, "device": str, "local_ip": str,
          "pool": str, "max_sessions": int, "zone": str, "lan": dict, "zone_joined": bool,
          "leased": int, "relayed": int,
          "discards": dict, "causes": dict, "sessions": list}


def refused(status, function, *arguments, **keywords):
    try:
        function(*arguments, **keywords)
    except Refused as refusal:
        assert refusal.status == status, f"status {refusal.status} instead of {status}"
    else:
        raise AssertionError(f"no refusal, {status} was expected")


def names(enum):
    """The names of the members of an enum of src/reason.rs."""
    with open(os.path.join(TOP, "src/reason.rs")) as file:
        body = re.search(rf"\b{enum} {{\n(.*?)\n    }}", file.read(), re.S)[1]
    return re.findall(r'^\s+\w+ "(\w+)" "', body, re.M)


def self_check(bed, client):
    """Nobody answers DNS on this router, and then somebody does who refuses."""
    def states(expected):
        bed.loop.until(lambda: [e["state"] for e in call(client, "check")["dns"]] == expected, 20,
                       f"states {expected}: {call(client, 'check')}")
    assert call(client, "check")["forwarding"] is True
    bed.router.sysctl("net.ipv4.ip_forward", 0)
    try:
        assert call(client, "check")["forwarding"] is False
    finally:
        bed.router.sysctl("net.ipv4.ip_forward", 1)
    # The second server of the bed's is nobody's address: its question is lost in the device.
    bed.router.ip_batch(["route add 192.168.77.2/32 dev pptps0"])
    states(["unreachable", "silent"])
    with bed.router:
        dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    dns.bind((GATEWAY, 53))
    bed.loop.watch(dns, lambda: answer(dns))
    states(["refuses", "silent"])
    bed.loop.forget(dns)
    dns.close()


def answer(dns):
    question, peer = dns.recvfrom(512)
    assert question[4:6] == b"\0\1" and question[12:] == b"\0\0\2\0\1", question
    dns.sendto(question[:2] + b"\x81\x85" + question[4:], peer)


@scenario(serve=False)
def methods(bed, check):
    """Signature, arguments and refusals."""
    client = on_bus(bed)
    with check("signature"):
        number, text = 5, 3
        assert values(client.find(OBJECT).get(A_SIGNATURE)) == {
            "status": {}, "disconnect": {"id": number, "name": text}, "failures": {},
            "unblock": {"address": text, "name": text}, "reload": {}, "check": {}}
    with check("status-without-calls"):
        status = call(client, "status")
        assert {name: type(value) for name, value in status.items()} == STATUS, status
        assert status["listening"] == ["0.0.0.0:1723"] and status["sessions"] == []
        assert status["pool"] == "192.168.77.10-192.168.77.99" and status["zone"] == "lan"
    with check("every-counter"):
        assert list(status["discards"]) == names("Discard") and names("Discard")
        assert list(status["causes"]) == names("Cause") and names("Cause")
        counted = {name: n for name, n in {**status["discards"], **status["causes"]}.items()
                   if n and not name.startswith("tun_")}      # the kernel's own packets
        assert not counted, counted
    with check("self-check"):
        self_check(bed, client)
    with check("unknown-arguments-are-ignored"):
        call(client, "status", ubus_rpc_session=SESSION, more={"a": [1, {}, None]})
        refused(NOT_FOUND, call, client, "disconnect", id=1, ubus_rpc_session=SESSION)
    with check("refusals"):
        refused(METHOD_NOT_FOUND, call, client, "nosuch")
        refused(NOT_FOUND, call, client, "disconnect", name="alice")
        refused(NOT_FOUND, call, client, "unblock", address="203.0.113.11", name="alice")
        for method, arguments in (
                ("disconnect", {}), ("disconnect", {"id": "1"}), ("disconnect", {"name": 1}),
                ("disconnect", {"id": None, "name": ""}), ("unblock", {}),
                ("unblock", {"address": "203.0.113"}), ("unblock", {"address": 5})):
            refused(INVALID_ARGUMENT, call, client, method, **arguments)
    with check("damaged-arguments"):
        whole = blobmsg({"id": 1, "name": "alice"})
        for cut in range(4, len(whole), 4):
            try:
                client.call_with(OBJECT, "disconnect", whole[:cut])
            except Refused as refusal:
                assert refusal.status in (INVALID_ARGUMENT, NOT_FOUND), refusal.status
    with check("arguments-too-long-to-be-kept"):
        long = {"id": 1, "name": "x" * 100_000}
        refused(INVALID_ARGUMENT, call, client, "disconnect", **long)
        refused(INVALID_ARGUMENT, call, client, "status", long="x" * 900_000)
        call(client, "status", nearly="x" * 3000)
    with check("a-second-server-is-refused-the-name"):
        other = bed.bus.client()
        refused(INVALID_ARGUMENT, other.add, OBJECT, {"status": None})
    with check("memory") as suite:
        suite.note = resident(bed)


@scenario(serve=False)
def sessions(bed, check):
    """Calls in status, disconnect, up and down."""
    client, watcher = on_bus(bed), bed.bus.client()
    watcher.subscribe(OBJECT)
    alice = bed.dial("c1", "alice")
    with check("up"):
        told = heard(bed, watcher, "up")
        assert told["id"] == alice.server_call_id and told["name"] == "alice", told
        assert told["address"] == alice.address and told["peer"] == "203.0.113.11", told
        assert 1300 < told["mtu"] <= 1400 and told["encrypted"] == 1, told
    with check("status"):
        seen = session(client, "alice")
        assert seen["id"] == alice.server_call_id and seen["state"] == "open", seen
        assert seen["address"] == alice.address and seen["peer"] == "203.0.113.11", seen
        assert seen["mppe"] == "128 stateless" and seen["mtu"] == told["mtu"], seen
        assert abs(seen["since"] + seen["seconds"] - time.time()) < 3, seen
        assert call(client, "status")["leased"] == 1
    with check("traffic-is-counted"):
        bed.assert_ping("c1", GATEWAY, count=3, size=1000)
        after = session(client, "alice")
        assert after["rx_packets"] - seen["rx_packets"] >= 3, after
        assert after["tx_bytes"] - seen["tx_bytes"] >= 3000, after
        assert (after["rx_lost"], after["rx_reordered"]) == (0, 0), after
    with check("disconnect-by-id"):
        refused(NOT_FOUND, call, client, "disconnect", id=alice.server_call_id, name="bob")
        assert call(client, "disconnect", id=alice.server_call_id) == {"count": 1}
        bed.loop.until(alice.finished, 5, "the end of the call")
        told = heard(bed, watcher, "down")
        assert told["id"] == alice.server_call_id and told["cause"] == "disconnected", told
        assert told["name"] == "alice" and told["address"] == seen["address"], told
        assert told["text"] == "disconnected by the administrator", told
    with check("disconnect-by-name"):
        carol = bed.dial("c2", "carol", tun=False)
        bob = bed.dial("c1", "bob", tun=False)
        assert call(client, "disconnect", name="bob") == {"count": 1}
        bed.loop.until(bob.finished, 5, "the end of bob's call")
        assert session(client, "carol")["address"] == "192.168.77.50"
        bed.loop.until(lambda: not session(client, "bob"), 5, "no session of bob")
    with check("ended-calls-are-counted"):
        assert call(client, "status")["causes"]["disconnected"] == 2
        ended = [f["name"] for f in call(client, "failures")["failures"]]
        assert ended == ["alice", "bob"], ended
        carol.hang_up()
    with check("nobody-listens-any-more"):
        watcher.close()
        bed.bus.clients.remove(watcher)
        bed.dial("c1", "bob", tun=False).hang_up()
        assert call(client, "status")["uptime"] >= 0


BRANCH = {"username": "branch", "password": "branch-Pass1", "internet": 0, "rate_up": 64,
          "session_timeout": 90, "route": ["192.168.5.0/24"]}


@scenario(serve=False)
def rights(bed, check):
    """What an account may do, in status; what it did beyond that, in the counters."""
    client = on_bus(bed, users=[BRANCH, *USERS])
    branch, alice = bed.dial("c1", "branch", tun=False), bed.dial("c2", "alice", tun=False)
    with check("shown"):
        seen = session(client, "branch")
        shown = {name: seen[name] for name in ("lan", "internet", "callers", "rate_up", "rate_down",
                                               "idle_timeout", "session_timeout", "routes")}
        assert shown == {"lan": 1, "internet": 0, "callers": 1, "rate_up": 64, "rate_down": 0,
                         "idle_timeout": 0, "session_timeout": 90,
                         "routes": ["192.168.5.0/24"]}, shown
        assert session(client, "alice")["routes"] == [] and session(client, "alice")["internet"]

    def counted(name, caller, source, destination, count):
        before = call(client, "status")["discards"][name]
        for _ in range(count):
            caller.send_ip(ip.udp(source, destination, 7, 7, bytes(1000)))
        bed.loop.sleep(0.1)
        return call(client, "status")["discards"][name] - before

    with check("spoofed"):
        assert counted("inner_source", branch, "192.168.6.20", LAN, 3) == 3
        assert counted("inner_source", alice, "192.168.5.20", LAN, 3) == 3
        assert counted("inner_source", branch, "192.168.5.20", LAN, 1) == 0
    with check("forbidden"):
        assert counted("inner_forbidden", branch, "192.168.5.20", "9.9.9.9", 2) == 2
    with check("too-fast"):
        assert 12 <= counted("rate_up", branch, branch.address, LAN, 30) <= 24


@scenario(serve=False)
def no_secrets(bed, check):
    """Nothing that the object tells holds a password or what stands for one."""
    client, watcher = on_bus(bed), bed.bus.client()
    watcher.subscribe(OBJECT)
    with check("nowhere"):
        bed.dial("c1", "alice")
        wrong = bed.caller("c2", "bob", password="not-bobs-Pass9", tun=False)
        assert not wrong.attempt(15)
        wrong.drop()
        heard(bed, watcher, "auth-failed")
        told = str([call(client, method) for method in ("status", "failures", "check")] + watcher.hear())
        assert "alice" in told and "bob" in told
        words = ["not-bobs-Pass9"] + [user["password"] for user in USERS]
        for word in words + [mschap.nt_password_hash(mschap.utf16(word)).hex() for word in words]:
            assert word not in told, word


@scenario(serve=False)
def unsent(bed, check):
    """Packets that the router's own kernel does not take are counted, and end no call."""
    client = on_bus(bed)
    caller = bed.dial("c1", "alice", lossy=True)

    def unsent():
        return call(client, "status")["discards"]["gre_unsent"]
    with check("no-route"):
        assert unsent() == 0
        bed.router.ip_batch(["route add prohibit 203.0.113.11/32"])
        bed.ping("lan", caller.address, count=5, wait=0.1)
        assert unsent() >= 5, unsent()
        bed.router.ip_batch(["route del prohibit 203.0.113.11/32"])
    with check("back-again"):
        bed.assert_ping("lan", caller.address)
        assert not caller.finished(), caller.finished()


@scenario(serve=False)
def failures(bed, check):
    """Failed logins: the list, auth-failed, unblock."""
    client, watcher = on_bus(bed, backoff_failures=3), bed.bus.client()
    watcher.subscribe(OBJECT)

    def fail(password="wrong", where="c1", user="alice"):
        caller = bed.caller(where, user, password=password, tun=False)
        assert not caller.attempt(15), "got in"
        caller.drop()

    with check("auth-failed"):
        fail()
        told = heard(bed, watcher, "auth-failed")
        assert told["name"] == "alice" and told["peer"] == "203.0.113.11", told
        assert told["cause"] == "wrong_password" and "wrong password" in told["text"], told
    with check("failures"):
        newest = call(client, "failures")["failures"][-1]
        assert newest["cause"] in ("wrong_password", "control_closed"), newest
        found = next(f for f in call(client, "failures")["failures"]
                     if f["cause"] == "wrong_password")
        assert found["name"] == "alice" and found["peer"] == "203.0.113.11", found
        assert abs(found["when"] + found["seconds"] - time.time()) < 3, found
        assert "Windows" in found["text"], found
    with check("blocked"):
        fail()
        fail()
        fail("alice-Pass1")
        causes = [f["cause"] for f in call(client, "failures")["failures"]]
        assert "too_many_failures" in causes, causes
    with check("unblocked"):
        assert call(client, "unblock", address="203.0.113.11", ubus_rpc_session=SESSION) == {}
        bed.dial("c1", "alice", tun=False).hang_up()
    with check("the-last-32"):
        for _ in range(34):
            bed.dial("c1", "alice", tun=False).hang_up()
        assert len(call(client, "failures")["failures"]) == 32
        assert call(client, "status")["causes"]["wrong_password"] == 3


@scenario(serve=False)
def reload(bed, check):
    """The configuration is read again on request, and the caller learns how that went."""
    client = on_bus(bed)
    alice = bed.dial("c1", "alice")
    with check("a-new-account"):
        bed.server.configure(users=USERS + ({"username": "dave", "password": "dave-Pass1"},))
        assert call(client, "reload") == {}
        bed.dial("c2", "dave", tun=False).hang_up()
        assert "configuration read again" in bed.server.log()
    with check("a-broken-file-changes-nothing"):
        bed.server.configure(text=uci() + "nonsense\n")
        refused(UNKNOWN_ERROR, call, client, "reload")
        bed.server.wait_log("the configuration stays as it was")
        bed.assert_ping("c1", GATEWAY)
    with check("two-at-once"):
        bed.server.configure()
        other = bed.bus.client()
        thing = other.find(OBJECT).get(busmsg.A_OBJID)
        attrs = {busmsg.A_OBJID: thing, busmsg.A_METHOD: "reload", busmsg.A_DATA: b""}
        for asking in (client, other):
            asking.send(busmsg.INVOKE, thing, attrs)
        for asking in (client, other):
            answer = asking.receive(5)
            assert answer and answer.get(busmsg.A_STATUS) == busmsg.OK, answer
    with check("the-signal-still-works"):
        reads = bed.server.log().count("configuration read again")
        bed.server.signal(signal.SIGHUP)
        bed.loop.until(lambda: bed.server.log().count("read again") > reads, 5, "the reload")
        assert session(client, "alice")["address"] == alice.address
