"""What accounts may do: packets that must arrive, packets that must not, rates, hours, networks
behind callers."""
import contextlib
import signal
import socket
import time

import ip
from bed import GATEWAY, LAN, LAN_ROUTER, WAN
from netns import Netns
from suite import scenario

INTERNET = "203.0.113.64"
BRANCH, BRANCH_ROUTER = "192.168.5.20", "192.168.5.1"
DENIED = {"alice": (), "nolan": ("lan",), "nonet": ("internet",), "alone": ("callers",),
          "shut": ("lan", "internet", "callers")}


def account(name, **options):
    return {"username": name, "password": f"{name}-Pass1", **options}


def send(source, destination, port, data):
    """One datagram, from a port of its own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((source, port))
        sock.sendto(data, (destination, 7777))
    return True


@contextlib.contextmanager
def internet(bed):
    """A host of the Internet that knows the way to the callers, and nobody else's."""
    route = f"192.168.77.0/24 via {WAN} dev wan src {INTERNET}"
    bed.crowd.ip_batch([f"route add {route}"])
    try:
        yield
    finally:
        bed.crowd.ip_batch([f"route del {route}"])


class Places:
    """Every place that a caller may reach, with what arrives there."""

    def __init__(self, bed, one, other):
        self.bed, self.one, self.other, self.number = bed, one, other, 0
        self.captures = {"lan": bed.capture("lan", "eth0"), "internet": bed.capture("crowd", "wan")}
        self.heard, self.sockets = [], [self.listen(port) for port in (53, 7777)]
        self.address = {"lan": LAN, "internet": INTERNET, "callers": other.address,
                        "router": GATEWAY}

    def listen(self, port):
        with self.bed.router:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((GATEWAY, port))
        self.bed.loop.watch(sock, lambda: self.heard.append(sock.recv(2048)))
        return sock

    def close(self):
        for sock in self.sockets:
            self.bed.loop.forget(sock)
            sock.close()

    def mark(self):
        self.number += 1
        return f"<{self.number} of {self.one.user}>".encode()

    def arrived(self, place, mark):
        packets = {"callers": self.other.inner, "router": self.heard}.get(place)
        if packets is None:
            packets = self.captures[place].octets()
        return any(mark in packet for packet in packets)

    def goes(self, place, port=7777):
        """A datagram of the caller; whether it arrived when a later one of the other one did."""
        mark, last = self.mark(), self.mark()
        self.one.send_ip(ip.udp(self.one.address, self.address[place], 7777, port, mark))
        if place == "callers":
            self.bed.loop.sleep(0.1)
        else:
            to = self.address[place]
            self.bed.loop.sleep(0.03)
            self.other.send_ip(ip.udp(self.other.address, to, 7777, port, last))
            self.bed.loop.until(lambda: self.arrived(place, last), 3, f"{place} hears the other")
            self.bed.loop.sleep(0.02)
        return self.arrived(place, mark)

    def comes(self, place, port=7777):
        """A datagram for the caller."""
        mark, to = self.mark(), self.one.address
        if place == "callers":
            self.other.send_ip(ip.udp(self.other.address, to, port, 7777, mark))
        else:
            where = {"lan": "lan", "internet": "crowd", "router": "router"}[place]
            self.bed.spawn(where, send, self.address[place], to, port, mark).result()
        self.bed.loop.sleep(0.15)
        return any(mark in packet for packet in self.one.inner)


USERS = tuple(account(name, **{right: 0 for right in denied}) for name, denied in DENIED.items())


@scenario(users=USERS + (account("other"),), lan_device="br-lan")
def rights_of_accounts(bed, check):
    """LAN, Internet, other callers: what an account lacks passes in no direction."""
    other = bed.dial("c2", "other", tun=False)
    with internet(bed):
        for name, denied in DENIED.items():
            one = bed.dial("c1", name, tun=False)
            places = Places(bed, one, other)
            for place in ("lan", "internet", "callers", "router"):
                may = (place if place != "router" else "lan") not in denied
                with check(f"{name}-to-{place}{'' if may else '-no'}"):
                    assert places.goes(place) == may
                with check(f"{place}-to-{name}{'' if may else '-no'}"):
                    assert places.comes(place) == may
            with check(f"{name}-dns"):
                assert places.goes("router", 53) and places.comes("router", 53)
            places.close()
            one.hang_up()


@scenario(users=(account("alice", rate_up=2000, rate_down=4000), account("bob")))
def rates(bed, check):
    """Octets in some seconds, sent at twice the rate: within a tenth of what is allowed."""
    alice = bed.dial("c1", "alice", tun=False)
    seconds, size = 4, 1400
    with check("up") as suite:
        seen = bed.capture("lan", "eth0")
        flood(bed, lambda: alice.send_ip(ip.udp(alice.address, LAN, 7, 7, bytes(size - 28))),
              seconds, 4000, size)
        octets = sum(packet.length for packet in seen.packets(ip.UDP))
        suite.note = judged(octets, 2000, seconds)
    with check("down") as suite, bed.lan, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        alice.inner.clear()
        flood(bed, lambda: sock.sendto(bytes(size - 28), (alice.address, 7)), seconds, 8000, size)
        octets = sum(len(packet) for packet in alice.inner)
        suite.note = judged(octets, 4000, seconds)
    with check("others-are-not-limited"):
        bob = bed.dial("c2", "bob", tun=False)
        flood(bed, lambda: bob.send_ip(ip.udp(bob.address, LAN, 9, 9, bytes(size - 28))), 1, 8000,
              size)
        octets = sum(len(packet) for packet in seen.octets() if bob.address in source(packet))
        assert octets > 900_000, octets
    alice.hang_up()
    with check("tcp") as suite:
        alice = bed.dial("c1", "alice")
        for name, sender, receiver, to in (("up", "c1", "lan", LAN),
                                           ("down", "lan", "c1", alice.address)):
            took = bed.transfer(sender, receiver, to, 1_000_000)
            suite.note += f"{name} {8000 / took:.0f} kbit/s "
            assert 8000 / took < (2300 if name == "up" else 4600), suite.note


def source(packet):
    return socket.inet_ntoa(packet[12:16])


def flood(bed, send_one, seconds, rate, size):
    """Packets of `size` octets at `rate` kbit/s."""
    began, sent = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        while sent * size * 8 < passed * rate * 1000:
            send_one()
            sent += 1
        bed.loop.sleep(0.004)
    bed.loop.sleep(0.2)


def judged(octets, rate, seconds):
    """A tenth more or less; 200 ms of the rate may pass at once."""
    wanted = rate * 125 * seconds
    assert wanted * 0.9 < octets < wanted * 1.1, f"{octets} octets, {wanted} wanted"
    return f"{octets * 8 / seconds / 1000:.0f} kbit/s of {rate}"


@contextlib.contextmanager
def branch(bed):
    """A network behind the first caller's machine, which forwards packets."""
    bed.spaces["branch"] = Netns(f"{bed.tag}-branch")
    try:
        bed.wire("branch", "eth0", "c1", "br5")
        bed.c1.ip_batch([f"addr add {BRANCH_ROUTER}/24 dev br5"])
        bed.branch.ip_batch([f"addr add {BRANCH}/24 dev eth0",
                             f"route add default via {BRANCH_ROUTER}"])
        bed.c1.sysctl("net.ipv4.ip_forward", 1)
        yield
    finally:
        bed.c1.sysctl("net.ipv4.ip_forward", 0)
        bed.spaces.pop("branch").remove()


SITES = (account("branch", route=["192.168.5.0/24"]), account("bob"),
         account("clash", route=["192.168.1.128/25", "203.0.113.0/24"]))


def routed(bed):
    return "192.168.5.0/24 dev pptps0" in bed.router.ip("route")


@scenario(users=SITES, lan_device="br-lan")
def site_to_site(bed, check):
    """A router dials in and brings its network: reached while it is online, and no other."""
    bed.routes = ["192.168.1.0/24", "192.168.77.0/24"]
    with branch(bed):
        one = bed.dial("c1", "branch")
        bed.loop.until(lambda: routed(bed), 2, "the route")
        two = bed.dial("c2", "bob", routes=["192.168.5.0/24", "192.168.77.0/24"])
        for name, where, to in (("branch-to-lan", "branch", LAN), ("lan-to-branch", "lan", BRANCH),
                                ("caller-to-branch", "c2", BRANCH),
                                ("branch-to-caller", "branch", two.address),
                                ("branch-to-router", "branch", GATEWAY)):
            with check(name):
                bed.assert_ping(where, to)
        with check("tcp"):
            bed.transfer("branch", "lan", LAN, 300_000)
            bed.transfer("lan", "branch", BRANCH, 300_000)
        with check("spoofed"):
            seen = bed.capture("lan", "eth0")
            for number, caller in ((6, one), (1, one), (5, two)):
                for host in (20, 77):
                    caller.send_ip(ip.udp(f"192.168.{number}.{host}", LAN, 7, 7, b"<spoofed>"))
            one.send_ip(ip.udp(BRANCH, LAN, 7, 7, b"<right>"))
            bed.loop.until(lambda: any(b"<right>" in p for p in seen.octets()), 3, "the right one")
            bed.loop.sleep(0.05)
            assert not any(b"<spoofed>" in packet for packet in seen.octets())
        with check("reload-takes-and-gives"):
            reload(bed, users=[account("branch"), *SITES[1:]])
            bed.loop.until(lambda: not routed(bed), 2, "no route")
            assert not one.finished()
            reload(bed, users=SITES)
            bed.loop.until(lambda: routed(bed), 2, "the route again")
            bed.assert_ping("lan", BRANCH)
        with check("device-removed"):
            bed.router.ip_batch(["link del pptps0"])
            bed.loop.until(lambda: routed(bed), 3, "the route of the new device")
            bed.assert_ping("branch", LAN)
        with check("gone-with-the-call"):
            one.hang_up()
            bed.loop.until(lambda: not routed(bed), 2, "no route")
    with check("clash-with-the-lan"):
        bed.dial("c1", "clash")
        bed.server.wait_log(r"192\.168\.1\.128/25 is not routed to the caller: it overlaps")
        bed.server.wait_log(r"203\.0\.113\.0/24 is not routed to the caller: the caller itself")
        assert "192.168.1.128" not in bed.router.ip("route")
        bed.assert_ping("c1", LAN_ROUTER)


def reload(bed, **options):
    bed.server.configure(lan_device="br-lan", **options)
    bed.server.signal(signal.SIGHUP)


def clock(minutes):
    """A time of the day, this many minutes from now, in UTC."""
    return time.strftime("%H:%M", time.gmtime(time.time() + minutes * 60))


def hours(name, first, last):
    return account(name, hours=[f"mon-sun {clock(first)}-{clock(last)}"])


@scenario(serve=False)
def hours_of_accounts(bed, check):
    """Logins outside of the hours are refused with 646; a call that is up ends with them."""
    users = [hours("alice", -120, 120), hours("bob", 120, 240)]
    bed.serve(users=users, command=["env", "TZ=UTC0"])
    alice = bed.dial("c1", "alice", tun=False)
    with check("refused"):
        bob = bed.caller("c2", "bob")
        assert not bob.attempt() and bob.link.failure == (646, 0), bob.link.failure
        bed.server.wait_log("must not be online at this time")
    with check("in-another-zone"):
        bed.server.stop()
        bed.serve(users=users, command=["env", "TZ=EAST-3"])
        bob = bed.dial("c2", "bob", tun=False)
    with check("hours-end"):
        reload(bed, users=[users[0], hours("bob", 300, 360)])
        bed.loop.until(bob.finished, 4, "the end of bob's call")
        assert not bed.caller("c2", "bob").attempt()
    del alice
