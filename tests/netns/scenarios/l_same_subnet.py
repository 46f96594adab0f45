"""Callers with addresses of the LAN: found by ARP, for as long as they are online."""
import re
import signal
import socket
import time

from bed import LAN
from netns import Netns
from scenarios.k_lan import NETWORK, Files, says
from server import Server
from suite import scenario

OTHER = "192.168.1.11"
OPTIONS = {"lan_device": "br-lan", "lan_mode": "same_subnet", "local_ip": "192.168.1.1",
           "pool": "192.168.1.200-192.168.1.209",
           "users": [{"username": "alice", "password": "alice-Pass1"},
                     {"username": "bob", "password": "bob-Pass1", "ip": "192.168.1.77"}]}
DHCP = """
config dhcp 'lan'
	option interface 'lan'
	option start '100'
	option limit '101'
"""


def other_host(bed):
    """A second machine on the LAN, without any route beyond it. None knows anybody yet."""
    if "lan2" not in bed.spaces:
        bed.spaces["lan2"] = Netns(f"{bed.tag}-lan2")
        bed.wire("lan2", "eth0", "router", "lan1")
        bed.router.ip_batch(["link set lan1 master br-lan"])
        bed.spaces["lan2"].ip_batch([f"addr add {OTHER}/24 dev eth0"])
    for name in ("lan", "lan2"):
        bed.spaces[name].ip_batch(["neigh flush dev eth0"])


def proxied(bed):
    """What the router answers for, by the kernel's own list."""
    listed = bed.router.ip("neigh", "show", "proxy")
    return sorted(re.findall(r"^(\S+) dev br-lan", listed, re.M))


def gone(bed):
    bed.loop.until(lambda: not proxied(bed), 3, f"no proxy neighbours: {proxied(bed)}")


def echo(address, port):
    """Answers one datagram."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.bind((address, port))
        data, sender = sock.recvfrom(2048)
        sock.sendto(data[::-1], sender)
        return sender[0]


def ask(address, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.5)
        for _ in range(10):
            sock.sendto(b"who is there", (address, port))
            try:
                return sock.recvfrom(2048)[0].decode()
            except (TimeoutError, ConnectionRefusedError):
                continue


@scenario(**OPTIONS)
def same_subnet(bed, check):
    """Callers among the machines of the LAN, whatever proxy_arp says."""
    other_host(bed)
    for name in ("proxy_arp", "proxy_arp_pvlan"):
        bed.router.sysctl(f"net.ipv4.conf.br-lan.{name}", 0)
    bed.router.sysctl("net.ipv4.conf.all.rp_filter", 1)
    with check("none-before"):
        assert proxied(bed) == []
        assert bed.ping("lan2", "192.168.1.200", count=1, wait=1.5)["received"] == 0
    alice, bob = bed.dial("c1", "alice"), bed.dial("c2", "bob")
    with check("addresses"):
        assert (alice.address, bob.address) == ("192.168.1.200", "192.168.1.77")
        bed.loop.until(lambda: proxied(bed) == sorted([alice.address, bob.address]), 2,
                       "both are answered for")
    with check("from-the-lan-by-arp"):
        bed.assert_ping("lan2", alice.address)
        bed.assert_ping("lan2", bob.address)
        bed.assert_ping("lan", alice.address)
        neighbours = bed.lan2.ip("neigh", "show", alice.address)
        router = re.search(r"link/ether (\S+)", bed.router.ip("link", "show", "br-lan"))[1]
        assert router in neighbours, neighbours
    with check("from-callers"):
        bed.assert_ping("c1", OTHER)
        bed.assert_ping("c2", LAN)
        bed.assert_ping("c1", bob.address)
    with check("udp-from-lan-to-caller"):
        task = bed.spawn("c1", echo, alice.address, 5000)
        assert bed.spawn("lan2", ask, alice.address, 5000).result() == "ereht si ohw"
        assert task.result() == OTHER
    with check("a-free-address-is-nobody"):
        assert bed.ping("lan2", "192.168.1.201", count=1, wait=1.5)["received"] == 0
    with check("removed-after-hang-up"):
        bob.hang_up()
        bed.loop.until(lambda: proxied(bed) == [alice.address], 2, "only alice")
        bed.assert_ping("lan2", alice.address)
    with check("device-down-and-up"):
        bed.router.ip_batch(["link set br-lan down", "link set br-lan up"])
        bed.loop.until(lambda: proxied(bed) == [alice.address], 4, "alice again")
        bed.assert_ping("lan2", alice.address)
    with check("removed-by-sigterm"):
        bed.server.signal(signal.SIGTERM)
        assert bed.server.wait_exit(3) == 0
        assert proxied(bed) == []
    with check("the-routers-own-address-stays"):
        bed.assert_ping("lan2", "192.168.1.1")
    bed.router.sysctl("net.ipv4.conf.all.rp_filter", 0)


@scenario(**OPTIONS)
def same_subnet_crash(bed, check):
    """Killed without a word: what was left behind goes at the next start, the owner's own stays."""
    other_host(bed)
    bed.router.ip_batch(["neigh add proxy 192.168.1.205 dev br-lan"])
    alice = bed.dial("c1", "alice")
    with check("left-behind"):
        bed.loop.until(lambda: alice.address in proxied(bed), 2, "alice")
        bed.server.kill()
        assert proxied(bed) == [alice.address, "192.168.1.205"]
        alice.drop()
    with check("gone-at-the-next-start"):
        bed.serve(**OPTIONS)
        bed.loop.until(lambda: proxied(bed) == ["192.168.1.205"], 2, "only the owner's")
    with check("gone-in-the-other-mode-too"):
        bed.dial("c1", "alice")
        bed.loop.until(lambda: len(proxied(bed)) == 2, 2, "alice")
        bed.server.kill()
        bed.callers[0].drop()
        bed.serve()
        bed.loop.until(lambda: proxied(bed) == ["192.168.1.205"], 2, "only the owner's")
    bed.router.ip_batch(["neigh del proxy 192.168.1.205 dev br-lan"])


@scenario(**OPTIONS)
def same_subnet_bridge(bed, check):
    """The bridge is removed and made again while callers are online."""
    other_host(bed)
    alice = bed.dial("c1", "alice")
    with check("before"):
        bed.assert_ping("lan2", alice.address)
    with check("made-again"):
        bed.router.ip_batch(["link del br-lan"])
        says(bed, "the LAN device br-lan is not there")
        bed.router.ip_batch(["link add br-lan type bridge forward_delay 0", "link set br-lan up",
                             "addr add 192.168.1.1/24 dev br-lan", "link set lan0 master br-lan",
                             "link set lan1 master br-lan"])
        bed.loop.until(lambda: proxied(bed) == [alice.address], 4, "alice again")
        bed.lan2.ip_batch(["neigh flush dev eth0"])
        bed.assert_ping("lan2", alice.address)
        bed.assert_ping("c1", OTHER)
    with check("address-of-the-lan-changes"):
        bed.router.ip_batch(["addr add 192.168.2.1/24 dev br-lan",
                             "addr del 192.168.1.1/24 dev br-lan"])
        bed.loop.until(lambda: not proxied(bed), 4, "nobody to answer for")
        says(bed, "is not within the LAN 192.168.2.0/24: callers are routed")
        bed.router.ip_batch(["addr add 192.168.1.1/24 dev br-lan",
                             "addr del 192.168.2.1/24 dev br-lan"])
        bed.loop.until(lambda: proxied(bed) == [alice.address], 4, "alice again")


@scenario(serve=False)
def lan_conflicts(bed, check):
    """Addresses for callers that do not fit: refused, or said clearly."""
    network = NETWORK.replace("'br-lan'", "'br-lan'\n\toption ipaddr '192.168.1.1/24'")
    with Files(bed, network=network, dhcp=DHCP):
        with check("dhcp-range-is-refused"):
            server = bed.server = Server(bed, **OPTIONS)
            server.launch()
            assert server.wait_exit(5) == 1
            for text in ("main.pool (192.168.1.200-192.168.1.209)", "192.168.1.100-192.168.1.200",
                         "/etc/config/dhcp"):
                assert text in server.log(), server.tail()
        with check("beside-it-is-not"):
            bed.serve(**{**OPTIONS, "pool": "192.168.1.201-192.168.1.209"})
            bed.server.stop()
        with check("a-fixed-address-in-it-is-refused"):
            users = [{**OPTIONS["users"][1], "ip": "192.168.1.150"}]
            server = bed.server = Server(bed, users=users)
            server.launch()
            assert server.wait_exit(5) == 1 and 'ip of "bob" (192.168.1.150)' in server.log()
    with check("a-pool-in-the-lan-without-the-mode"):
        bed.serve(**{**OPTIONS, "lan_mode": "routed"})
        says(bed, "main.pool (192.168.1.200-192.168.1.209) overlaps the LAN 192.168.1.0/24")
        assert "lan_mode" in bed.server.tail()
        bed.dial("c1", "alice")
        assert proxied(bed) == []
        bed.server.stop()
        bed.clean()
    with check("a-pool-in-the-wan"):
        bed.serve(pool="203.0.113.200-203.0.113.220")
        says(bed, "overlaps 203.0.113.0/24, another network of this router")


@scenario(lan_device="br-lan")
def routed_lan(bed, check):
    """Callers with a network of their own: the LAN's machines find them by their default route."""
    for where in ("all", "br-lan", "pptps0"):
        bed.router.sysctl(f"net.ipv4.conf.{where}.rp_filter", 1)
    alice = bed.dial("c1", "alice")
    with check("both-ways"):
        bed.assert_ping("lan", alice.address)
        bed.assert_ping("c1", LAN)
        assert proxied(bed) == []
    with check("udp"):
        task = bed.spawn("c1", echo, alice.address, 5000)
        assert bed.spawn("lan", ask, alice.address, 5000).result() == "ereht si ohw"
        assert task.result() == LAN
    for where in ("all", "br-lan"):
        bed.router.sysctl(f"net.ipv4.conf.{where}.rp_filter", 0)


def mac(space, device):
    return re.search(r"link/ether (\S+)", space.ip("link", "show", device))[1]


def refused(bed, where, user, pattern):
    """The caller does not get in, and the log says why."""
    caller = bed.caller(where, user, tun=False)
    assert not caller.attempt(8), f"{user} got {caller.address}"
    bed.server.wait_log(pattern)
    bed.loop.until(caller.finished, 8, "the end of the call")
    caller.drop()
    bed.problems.clear()


@scenario(**{**OPTIONS, "pool": "192.168.1.200-192.168.1.203"})
def same_subnet_taken(bed, check):
    """Addresses that machines of the LAN have are not for callers."""
    other_host(bed)
    with check("the-next-one"):
        bed.lan2.ip_batch(["addr add 192.168.1.200/24 dev eth0",
                           "addr add 192.168.1.201/24 dev eth0"])
        alice = bed.dial("c1", "alice")
        assert alice.address == "192.168.1.202"
        for address in ("192.168.1.200", "192.168.1.201"):
            assert f"{address} is in use by a machine of the LAN" in bed.server.log()
        assert proxied(bed) == ["192.168.1.202"]
        bed.assert_ping("lan", "192.168.1.200")
        bed.assert_ping("lan", alice.address)
        bed.assert_ping("c1", "192.168.1.200")
        bed.assert_ping("router", "192.168.1.201")
    with check("a-fixed-address"):
        bed.lan2.ip_batch(["addr add 192.168.1.77/24 dev eth0"])
        refused(bed, "c2", "bob", "ended.*fixed address is in use by a machine of the LAN")
        bed.lan2.ip_batch(["addr del 192.168.1.77/24 dev eth0"])
        bob = bed.dial("c2", "bob")
        assert bob.address == "192.168.1.77"
        bed.assert_ping("lan2", bob.address)
        bob.hang_up()
    with check("all-of-them"):
        alice.hang_up()
        bed.lan2.ip_batch([f"addr add 192.168.1.{n}/24 dev eth0" for n in (202, 203)])
        refused(bed, "c1", "alice", "ended.*every address of the pool is in use")
        assert proxied(bed) == []
    bed.lan2.ip_batch([f"addr del 192.168.1.{n}/24 dev eth0" for n in range(200, 204)])


@scenario(**OPTIONS)
def same_subnet_neighbours(bed, check):
    """What the LAN's machines knew before, another router that answers for others, and time."""
    other_host(bed)
    router = mac(bed.router, "br-lan")
    with check("stale-neighbours-learn-at-once"):
        bed.lan.ip_batch(["addr add 192.168.1.77/24 dev eth0"])
        bed.assert_ping("lan2", "192.168.1.77")
        assert mac(bed.lan, "eth0") in bed.lan2.ip("neigh", "show", "192.168.1.77")
        bed.lan.ip_batch(["addr del 192.168.1.77/24 dev eth0"])
        bob = bed.dial("c2", "bob")
        bed.loop.until(lambda: router in bed.lan2.ip("neigh", "show", bob.address), 1,
                       "the announcement")
        bed.assert_ping("lan2", bob.address, count=1, wait=0.5)
        bob.hang_up()
    with check("another-router-on-the-lan"):
        bed.lan2.ip_batch(["link add other type bridge", "link set other up",
                           "route add 192.168.1.200/32 dev other",
                           "neigh add proxy 192.168.1.200 dev eth0"])
        bed.lan2.sysctl("net.ipv4.ip_forward", 1)
        bed.lan2.sysctl("net.ipv4.neigh.eth0.proxy_delay", 0)
        alice = bed.dial("c1", "alice")
        assert alice.address == "192.168.1.201", alice.address
        alice.hang_up()
        bed.lan2.sysctl("net.ipv4.ip_forward", 0)
        bed.lan2.ip_batch(["link del other", "neigh del proxy 192.168.1.200 dev eth0"])
    with check("how-long-a-login-takes") as suite:
        began = time.monotonic()
        bed.dial("c1", "alice", tun=False)
        seconds = time.monotonic() - began
        assert 0.3 <= seconds < 0.6, seconds
        suite.note = f"{seconds * 1000:.0f} ms, 300 of them for the LAN"
    with check("only-arp-in-the-server's-ear"):
        before = bed.server.cpu()
        bed.ping("lan", OTHER, count=500, interval=0.0005)
        assert bed.server.cpu() - before < 0.1
