"""Broadcasts: games find each other between the LAN and callers and among callers; what must not
pass does not."""
import os
import time
from types import SimpleNamespace

import ip
import lobby
from bed import LAN, LAN_ROUTER
from netns import Netns
from scenarios.l_same_subnet import OPTIONS as SAME_SUBNET
from server import Server
from suite import scenario

EVERYBODY, LAN_ALL, CALLERS_ALL = "255.255.255.255", "192.168.1.255", "192.168.77.255"
RATE = 30
SECOND_WAN, SECOND_LAN = "203.0.113.4", "192.168.1.2"


def ears(server):
    """Sockets that listen to the LAN's IP packets, in the server's namespace."""
    with open(f"/proc/{server.process.pid}/net/packet") as file:
        rows = [line.split() for line in file.read().splitlines()[1:]]
    return sum(row[3] == "0800" for row in rows)


def opens(bed, server, count=1):
    bed.loop.until(lambda: ears(server) == count, 5, f"{count} packet sockets")


def parties(bed, *callers):
    """Where everybody is: namespace, device, address."""
    found = {"lan": ("eth0", LAN)}
    for caller in callers:
        where = caller.netns.name.rsplit("-", 1)[1]
        found[where] = (caller.tun.name, caller.address)
    return found


def play(bed, everybody, seeker, hosts, destination, own_port, **keywords):
    """A search finds each host; each host saw the searcher's own address and port."""
    rooms = {name: bed.spawn(name, lobby.host, name, **keywords) for name in hosts}
    bed.loop.sleep(0.2)
    device, address = everybody[seeker]
    found = bed.spawn(seeker, lobby.search, destination, device, own_port,
                      rooms=len(hosts)).result(8)
    expected = {name: [everybody[name][1], lobby.PORT] for name in hosts}
    assert found == expected, f"{found}, not {expected}"
    for name, room in rooms.items():
        seen = room.result(8)
        assert seen[0] == [address, own_port], f"{name} saw {seen}"


@scenario(lan_device="br-lan")
def lobbies(bed, check):
    """A search finds hosts in all three directions."""
    with check("closed-while-nobody-is-there"):
        assert ears(bed.server) == 0
    one, two = bed.dial("c1", "alice"), bed.dial("c2", "bob")
    with check("listens-to-the-lan"):
        opens(bed, bed.server)
    everybody = parties(bed, one, two)
    destinations = [("everybody", EVERYBODY), ("lan-broadcast", LAN_ALL)]
    for number, (name, destination) in enumerate(destinations):
        with check(f"lan-to-callers-{name}"):
            play(bed, everybody, "lan", ["c1", "c2"], destination, 20000 + number)
    destinations.append(("callers-broadcast", CALLERS_ALL))
    for number, (name, destination) in enumerate(destinations):
        with check(f"caller-to-lan-and-caller-{name}"):
            play(bed, everybody, "c1", ["c2", "lan"], destination, 20010 + number)
    with check("this-machine-hears-callers"):
        room = bed.spawn("router", lobby.host, "router")
        bed.loop.sleep(0.2)
        bed.spawn("c2", lobby.search, EVERYBODY, everybody["c2"][0], 20020).result(8)
        assert room.result(8) == [[two.address, 20020]]
    with check("closed-after-the-last-call"):
        one.hang_up()
        assert ears(bed.server) == 1
        two.hang_up()
        opens(bed, bed.server, 0)


@scenario(**SAME_SUBNET)
def lobbies_same_subnet(bed, check):
    """The same with callers that have addresses of the LAN."""
    one, two = bed.dial("c1", "alice"), bed.dial("c2", "bob")
    opens(bed, bed.server)
    everybody = parties(bed, one, two)
    destinations = (("everybody", EVERYBODY), ("broadcast", LAN_ALL))
    for number, (name, destination) in enumerate(destinations):
        with check(f"lan-to-callers-{name}"):
            play(bed, everybody, "lan", ["c1", "c2"], destination, 20000 + number)
        with check(f"caller-to-lan-and-caller-{name}"):
            play(bed, everybody, "c1", ["c2", "lan"], destination, 20010 + number)


@scenario(lan_device="br-lan")
def lobbies_bridge(bed, check):
    """The bridge of the LAN goes and comes back while callers play."""
    one, two = bed.dial("c1", "alice"), bed.dial("c2", "bob")
    opens(bed, bed.server)
    everybody = parties(bed, one, two)
    with check("callers-play-without-a-lan"):
        bed.router.ip_batch(["link del br-lan"])
        opens(bed, bed.server, 0)
        play(bed, everybody, "c1", ["c2"], EVERYBODY, 20000)
        before = bed.server.cpu()
        bed.loop.sleep(0.5)
        assert bed.server.cpu() - before < 0.1, "busy with a device that is gone"
    with check("and-with-it-again"):
        bed.router.ip_batch(["link add br-lan type bridge forward_delay 0", "link set br-lan up",
                             f"addr add {LAN_ROUTER}/24 dev br-lan", "link set lan0 master br-lan"])
        opens(bed, bed.server)
        play(bed, everybody, "lan", ["c1", "c2"], EVERYBODY, 20001)
        play(bed, everybody, "c1", ["c2", "lan"], EVERYBODY, 20002)


@scenario(lan_device="br-lan", relay_mdns="1", relay_ssdp="1")
def groups(bed, check):
    """Multicast DNS and SSDP, where they are wanted."""
    one = bed.dial("c1", "alice")
    opens(bed, bed.server)
    bed.c1.ip_batch([f"route add 224.0.0.0/4 dev {one.tun.name}"])
    everybody = parties(bed, one)
    for name, group, port in (("mdns", "224.0.0.251", 5353), ("ssdp", "239.255.255.250", 1900)):
        for seeker, host in (("lan", "c1"), ("c1", "lan")):
            with check(f"{name}-{seeker}-to-{host}"):
                device, address = everybody[seeker]
                own = everybody[host][1]
                room = bed.spawn(host, lobby.host, host, port=port, group=group, own=own)
                bed.loop.sleep(0.2)
                found = bed.spawn(seeker, lobby.search, group, device, 20100, port=port,
                                  own=address).result(8)
                assert found == {host: [own, port]}, found
                assert room.result(8) == [[address, 20100]]


@scenario(lan_device="br-lan", relay="0")
def relay_off(bed, check):
    """Off: nothing is open and nothing passes."""
    one, two = bed.dial("c1", "alice"), bed.dial("c2", "bob")
    everybody = parties(bed, one, two)
    with check("nothing-passes"):
        rooms = [bed.spawn(name, lobby.host, name, seconds=2.5) for name in ("c2", "lan")]
        bed.loop.sleep(0.2)
        for destination in (EVERYBODY, LAN_ALL, CALLERS_ALL):
            device = everybody["c1"][0]
            found = bed.spawn("c1", lobby.search, destination, device, 20000, seconds=0.5).result(8)
            assert found == {}, found
        assert [room.result(8) for room in rooms] == [[], []]
        room = bed.spawn("c1", lobby.host, "c1", seconds=1.5)
        found = bed.spawn("lan", lobby.search, EVERYBODY, "eth0", 20000, seconds=1).result(8)
        assert found == {} and room.result(8) == []
        assert ears(bed.server) == 0
    with check("on-by-reload"):
        bed.server.configure(lan_device="br-lan", relay="1")
        bed.server.signal(1)
        opens(bed, bed.server)
        play(bed, everybody, "lan", ["c1", "c2"], EVERYBODY, 20001)
    with check("off-by-reload"):
        bed.server.configure(lan_device="br-lan", relay="0")
        bed.server.signal(1)
        opens(bed, bed.server, 0)


USERS = ({"username": "alice", "password": "alice-Pass1"},
         {"username": "bob", "password": "bob-Pass1", "relay": "0"})


@scenario(lan_device="br-lan", users=USERS)
def relay_off_for_one(bed, check):
    """An account without the relay neither hears nor is heard."""
    two = bed.dial("c2", "bob")
    with check("not-listening-for-it"):
        bed.loop.stays(lambda: ears(bed.server) == 0, 0.5, "a packet socket is open")
    one = bed.dial("c1", "alice")
    opens(bed, bed.server)
    everybody = parties(bed, one, two)
    with check("hears-nothing"):
        room = bed.spawn("c2", lobby.host, "c2", seconds=1.5)
        play(bed, everybody, "c1", ["lan"], EVERYBODY, 20000)
        assert room.result(8) == []
    with check("is-not-heard"):
        rooms = [bed.spawn(name, lobby.host, name, seconds=1.5) for name in ("c1", "lan")]
        device = everybody["c2"][0]
        found = bed.spawn("c2", lobby.search, EVERYBODY, device, 20001, seconds=1).result(8)
        assert found == {} and [room.result(8) for room in rooms] == [[], []]


@scenario(lan_device="br-lan", relay_rate=str(RATE))
def storms(bed, check):
    """Ten thousand searches in a second: at most the cap passes, and everything else goes on."""
    one, two = bed.dial("c1", "alice"), bed.dial("c2", "bob")
    opens(bed, bed.server)

    def heard(listener, task):
        room = bed.spawn(listener, lobby.host, listener, seconds=4, searches=10**6, quiet=True)
        bed.loop.sleep(0.2)
        storm = task()
        pings = bed.ping("lan", two.address, count=10)
        seconds = storm()
        count = len(room.result(10))
        assert pings["received"] == 10, pings
        cap = (seconds + 0.5) * RATE + 1
        assert RATE / 2 <= count <= cap, f"{count} in {seconds:.1f} s, the cap is {cap:.0f}"
        return f"{count} of 10000 in {seconds:.2f} s"

    with check("of-the-lan") as suite:
        def lan():
            task = bed.spawn("lan", lobby.storm, EVERYBODY, "eth0", 20000)
            return lambda: task.result(20)
        suite.note = heard("c1", lan)
    with check("of-a-caller") as suite:
        suite.note = heard("lan", lambda: flood(bed, one))
    with check("told-once"):
        assert bed.server.log().count("broadcasts are held back") == 1, bed.server.tail()


def flood(bed, caller):
    """Ten thousand broadcasts through the tunnel, as fast as this caller can seal them."""
    began, state = time.monotonic(), {"sent": 0}

    def some():
        for _ in range(100):
            number = state["sent"]
            data = lobby.SEARCH + b" %d" % number
            caller.send_ip(ip.udp(caller.address, EVERYBODY, 20000, lobby.PORT, data,
                                  identifier=number & 0xffff))
            state["sent"] += 1
        if state["sent"] < 10_000:
            bed.loop.after(0.001, some)
        else:
            state["end"] = time.monotonic()

    some()

    def result():
        bed.loop.until(lambda: "end" in state, 60, "the flood's end")
        return state["end"] - began
    return result


@scenario(lan_device="br-lan")
def two_servers(bed, check):
    """Two servers on one LAN: each hears the other's callers, and nothing goes round."""
    other = second_router(bed)
    try:
        opens_at = [bed.server, other.server]
        one = bed.dial("c1", "alice")
        two = bed.caller("c2", "bob", server=SECOND_WAN)
        two.routes = ["192.168.1.0/24", "192.168.77.0/24", "192.168.78.0/24"]
        two.dial()
        for server in opens_at:
            opens(bed, server)
        lan = bed.capture("lan", "eth0")
        with check("callers-of-both-play"):
            everybody = parties(bed, one, two)
            bed.lan.ip_batch([f"route replace 192.168.78.0/24 via {SECOND_LAN}"])
            bed.router.ip_batch([f"route replace 192.168.78.0/24 via {SECOND_LAN}"])
            bed.c1.ip_batch([f"route replace 192.168.78.0/24 dev {one.tun.name}"])
            play(bed, everybody, "c1", ["c2", "lan"], EVERYBODY, 20000)
        with check("nothing-goes-round") as suite:
            bed.spawn("c1", lobby.search, EVERYBODY, everybody["c1"][0], 20001, seconds=1).result(8)
            bed.loop.sleep(0.5)
            searches = [p for p in lan.packets(ip.UDP) if p.source == one.address
                        and p.payload[:2] == (20001).to_bytes(2, "big")]
            assert 3 <= len(searches) <= 4, f"{len(searches)} searches on the LAN"
            suite.note = f"{len(searches)} searches, each once on the LAN"
    finally:
        other.end()


def second_router(bed):
    """Another router with another server on the same LAN and the same internet."""
    space = Netns(f"{bed.tag}-second")
    bed.spaces["second"] = space
    bed.wire("second", "wan", "internet", "w-second")
    bed.internet.ip_batch(["link set w-second master br0"])
    bed.wire("second", "br-lan", "router", "lan9")
    bed.router.ip_batch(["link set lan9 master br-lan"])
    space.ip_batch([f"addr add {SECOND_WAN}/24 dev wan", f"addr add {SECOND_LAN}/24 dev br-lan",
                    f"route add 192.168.77.0/24 via {LAN_ROUTER}"])
    space.sysctl("net.ipv4.ip_forward", 1)
    directory = os.path.join(bed.directory, "second")
    os.makedirs(directory, exist_ok=True)
    site = SimpleNamespace(router=space, loop=bed.loop, binary=bed.binary, directory=directory)
    server = Server(site, lan_device="br-lan", local_ip="192.168.78.1",
                    pool="192.168.78.10-192.168.78.99")
    server.start()

    def end():
        server.kill()
        bed.spaces.pop("second").remove()
    return SimpleNamespace(server=server, end=end)
