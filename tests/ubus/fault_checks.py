"""What can go wrong with the bus: none at all, restarts, half messages, nonsense, nobody reading."""
import time

import recordings
from bed import GATEWAY
from busbed import OBJECT, call, heard, meet, on_bus, serve, session
from busmsg import A_DATA, A_METHOD, A_OBJID, A_STATUS, INVOKE, OK, STATUS
from server import resident
from suite import Skip, scenario


def stand_in_only(bed):
    if bed.bus.real:
        raise Skip("only the stand-in can be made to do this")


def costs(bed, seconds):
    """The share of a processor that the server takes while nothing happens."""
    before = bed.server.cpu()
    bed.loop.sleep(seconds)
    return (bed.server.cpu() - before) / seconds


@scenario(serve=False)
def recorded(bed, check):
    """ubusd itself: the recordings, octet by octet."""
    for name in ("a-object-server", "f-restart"):
        with check(name) as suite:
            compared = 0
            for part in recordings.runs(name):
                bed.bus.start()
                compared += recordings.replay(bed.bus.path, part)
                bed.bus.stop()
            suite.note = f"{compared} messages"


@scenario(serve=False)
def absent(bed, check):
    """No ubus: one line, no work, and it is found when it comes."""
    serve(bed)
    with check("one-line"):
        bed.server.wait_log("no ubus at .*the server works without it")
        bed.loop.sleep(4)
        assert bed.server.log().count("no ubus at") == 1, bed.server.tail()
        assert bed.server.log().endswith("the server works without it\n"), bed.server.tail()
    with check("no-work") as suite:
        share = costs(bed, 3)
        suite.note = f"{share:.2%} of a processor"
        assert share < 0.02, share
    with check("calls"):
        alice = bed.dial("c1", "alice")
        bed.assert_ping("c1", GATEWAY)
    with check("found-later"):
        bed.bus.start()
        client = meet(bed, 20)
        assert session(client, "alice")["id"] == alice.server_call_id


@scenario(serve=False)
def restart(bed, check):
    """ubusd ends and comes back: the object and its subscribers too, calls do not notice."""
    client = on_bus(bed)
    alice = bed.dial("c1", "alice")
    with check("calls-go-on"):
        bed.bus.stop()
        bed.server.wait_log("ubus connection lost")
        bed.assert_ping("c1", GATEWAY)
    with check("no-work-meanwhile") as suite:
        share = costs(bed, 2)
        suite.note = f"{share:.2%} of a processor"
        assert share < 0.02, share
    with check("object-is-back") as suite:
        began = time.monotonic()
        bed.bus.start()
        client = meet(bed)
        suite.note = f"{time.monotonic() - began:.1f} s after ubusd"
        assert session(client, "alice")["id"] == alice.server_call_id
    with check("notifications-too"):
        client.subscribe(OBJECT)
        call(client, "disconnect", name="alice")
        assert heard(bed, client, "down")["cause"] == "disconnected"
    with check("many-times"):
        for _ in range(5):
            bed.bus.stop()
            bed.bus.start()
            client = meet(bed)
            assert call(client, "status")["sessions"] == []
    with check("memory") as suite:
        suite.note = resident(bed)


@scenario(serve=False)
def pieces(bed, check):
    """Messages that come in pieces of every small size."""
    for size in (1, 3, 11, 13):
        with check(f"of-{size}"):
            stand_in_only(bed)
            client = on_bus(bed, "--pieces", str(size))
            client.subscribe(OBJECT)
            bed.dial("c1", "alice", tun=False)
            assert heard(bed, client, "up")["name"] == "alice"
            assert session(client, "alice")["state"] == "open"
            assert call(client, "disconnect", name="alice") == {"count": 1}
            assert bed.server.stop() == 0
            bed.bus.end()


@scenario(serve=False)
def nonsense(bed, check):
    """An ubusd that talks nonsense, or says nothing, is left and tried again, ever more rarely."""
    with check("nonsense"):
        stand_in_only(bed)
        bed.bus.start("--garbage")
        serve(bed)
        bed.server.wait_log("ubus connection lost: what came is not ubus")
        bed.loop.sleep(4.5)
        lost = bed.server.log().count("ubus connection lost")
        assert 2 <= lost <= 3, f"{lost} attempts in 4.5 s"
    with check("it-comes-to-its-senses"):
        stand_in_only(bed)
        bed.bus.stop()
        bed.bus.start()
        assert call(meet(bed, 20), "status")["sessions"] == []
    with check("silence"):
        stand_in_only(bed)
        bed.bus.stop()
        bed.bus.start("--deaf")
        bed.server.wait_log("ubus connection lost: no answer", 20)
        bed.dial("c1", "alice", tun=False)


@scenario(serve=False)
def congestion(bed, check):
    """Nobody reads: bounded memory, calls go on, and everybody is served afterwards."""
    client = on_bus(bed)
    watcher = bed.bus.client()
    watcher.subscribe(OBJECT)
    with check("an-ubusd-that-hangs"):
        bed.bus.freeze()
        for _ in range(3):
            bed.dial("c1", "alice", tun=False).hang_up()
        alice = bed.dial("c1", "alice")
        bed.assert_ping("c1", GATEWAY)
        bed.bus.thaw()
        assert heard(bed, watcher, "up")["name"] == "alice"
        assert session(client, "alice")["id"] == alice.server_call_id
    with check("thousands-of-questions-at-once") as suite:
        greedy = bed.bus.client()
        thing = greedy.find(OBJECT).get(A_OBJID)
        attrs = {A_OBJID: thing, A_METHOD: "status", A_DATA: b""}
        greedy.sock.settimeout(30)
        for _ in range(3000):
            greedy.send(INVOKE, thing, attrs)
        bed.loop.until(lambda: call(client, "status", timeout=20), 20, "an answer for others")
        suite.note = resident(bed, "VmHWM")
    with check("answers-come-in-order"):
        answered = []
        while (message := greedy.receive(1)) is not None:
            if message.kind == STATUS and message.peer == thing:
                assert message.get(A_STATUS) == OK
                answered.append(message.seq)
        assert answered and answered == sorted(answered), answered[:5]
    with check("the-server-goes-on"):
        bed.assert_ping("c1", GATEWAY)
        assert session(client, "alice")
