"""The Internet through the router as OpenWrt has it: fw4's zones and masquerading, dnsmasq's names."""
import shutil
import socket
import struct
import subprocess
import time

import ip
from bed import GATEWAY, LAN, LAN_ROUTER, WAN
from suite import Skip, scenario

# What fw4 writes for OpenWrt's own /etc/config/firewall, with the callers' device in the zone lan and
# the two rules of the init script.
RULES = """
table inet fw4 {
  chain input {
    type filter hook input priority filter; policy drop;
    iifname "lo" accept
    ct state vmap { established : accept, related : accept }
    tcp flags & (fin | syn | rst | ack) == syn jump syn_flood
    iifname { "pptps0", "br-lan" } accept
    iifname "wan" jump input_wan
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state vmap { established : accept, related : accept }
    iifname { "pptps0", "br-lan" } jump forward_lan
    iifname "wan" jump reject_wan
    jump handle_reject
  }
  chain output {
    type filter hook output priority filter; policy accept;
    ct state vmap { established : accept, related : accept }
  }
  chain syn_flood { limit rate 25/second burst 50 packets return
    drop
  }
  chain input_wan {
    meta nfproto ipv4 tcp dport 1723 counter accept
    meta nfproto ipv4 meta l4proto gre counter accept
    icmp type echo-request counter accept
    jump reject_wan
  }
  chain forward_lan {
    oifname "wan" accept
    oifname { "pptps0", "br-lan" } accept
    jump handle_reject
  }
  chain reject_wan { iifname "wan" counter jump handle_reject
  }
  chain handle_reject { meta l4proto tcp reject with tcp reset
    reject with icmpx type port-unreachable
  }
  chain srcnat {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "wan" jump srcnat_wan
  }
  chain srcnat_wan { meta nfproto ipv4 masquerade
  }
  chain mangle_postrouting {
    type filter hook postrouting priority mangle; policy accept;
    oifname "wan" tcp flags syn tcp option maxseg size set rt mtu
  }
  chain mangle_forward {
    type filter hook forward priority mangle; policy accept;
    iifname "wan" tcp flags syn tcp option maxseg size set rt mtu
  }
}
"""
FAR = "198.51.100.7"
NAME, ADDRESS = "printer.lan", "192.168.1.77"


class Home:
    """The firewall and the DNS server of the router, and a caller's routes to everywhere."""

    def __init__(self, bed):
        self.bed, self.dnsmasq = bed, None
        nft(bed, RULES)

    def names(self, *options):
        """dnsmasq as OpenWrt starts it."""
        self.no_names()
        program = shutil.which("dnsmasq")
        if not program:
            raise Skip("no dnsmasq here (Debian: dnsmasq-base)")
        fixed = ["--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null",
                 "--user=root", "--pid-file", f"--host-record={NAME},{ADDRESS}"]
        self.dnsmasq = self.bed.router.popen([program, *fixed, *options],
                                             stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.bed.loop.until(lambda: resolve(self.bed, "lan", LAN_ROUTER), 5, "dnsmasq")

    def no_names(self):
        if self.dnsmasq:
            self.dnsmasq.kill()
            self.dnsmasq.wait()
            self.dnsmasq = None

    def end(self):
        self.no_names()
        nft(self.bed, "flush ruleset")


def nft(bed, text):
    with bed.router:
        subprocess.run(["nft", "-f", "-"], input=text, text=True, check=True)


def query(server, wait=1.0):
    """The address of NAME by DNS over UDP (RFC 1035), or None when nobody answers."""
    labels = b"".join(bytes((len(part),)) + part.encode() for part in NAME.split("."))
    question = struct.pack(">6H", 0x5A5A, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(wait)
        try:
            sock.connect((server, 53))
            sock.send(question)
            answer = sock.recv(512)
        except OSError:
            return None
    return socket.inet_ntoa(answer[-4:]) if answer[7] else None


def resolve(bed, where, server):
    return bed.spawn(where, query, server).result(5) == ADDRESS


def to_the_internet(bed):
    """One machine of the crowd is a web server far away; the Internet knows no private network."""
    bed.crowd.ip_batch([f"addr add {FAR}/32 dev lo"])
    bed.router.ip_batch(["route add default via 203.0.113.64"])


def from_the_internet(bed):
    bed.crowd.ip("addr", "del", f"{FAR}/32", "dev", "lo")
    bed.crowd.ip("route", "del", "192.168.0.0/16")
    bed.router.ip("route", "del", "default")


def refused(bed, address):
    """Whether the Internet gets no answer from `address`, or a refusal."""
    try:
        return bed.ping("crowd", address, count=2, wait=0.5)["received"] == 0
    except AssertionError as error:
        return "ConnectionRefused" in str(error)


@scenario()
def internet(bed, check):
    """Callers reach the Internet by the router's masquerading, and it does not reach them."""
    home = Home(bed)
    to_the_internet(bed)
    try:
        # "Use default gateway on remote network".
        caller = bed.dial("c1", routes=["0.0.0.0/1", "128.0.0.0/1"])
        wan = bed.capture("router", "wan")
        with check("ping"):
            bed.assert_ping("c1", FAR)
        with check("tcp"):
            bed.transfer("c1", "crowd", FAR, 300_000)
        with check("masqueraded"):
            private = [p for p in wan.packets() if "192.168." in (p.source[:8], p.destination[:8])]
            assert not private, f"{len(private)} packets with private addresses on the Internet"
            assert any((p.source, p.destination) == (WAN, FAR) for p in wan.packets(ip.TCP))
        with check("mss"):
            asked = {ip.mss(octets) for octets in wan.octets()
                     if ip.parse(octets).destination == FAR} - {None}
            assert asked == {1356}, asked
        with check("lan-still-reached"):
            bed.assert_ping("c1", LAN)
            bed.assert_ping("lan", caller.address)
        with check("not-from-outside"):
            bed.crowd.ip_batch([f"route add 192.168.0.0/16 via {WAN}"])
            assert refused(bed, caller.address) and refused(bed, LAN)
    finally:
        home.end()
        from_the_internet(bed)


@scenario()
def names(bed, check):
    """dnsmasq with `local-service` takes callers for what they are: members of a local network."""
    home = Home(bed)
    try:
        caller = bed.dial("c1")
        # --bind-dynamic is OpenWrt's option nonwildcard, which is on.
        for name, options in (("", ["--local-service", "--bind-dynamic"]),
                              ("-wildcard", ["--local-service"])):
            with check(f"answered{name}"):
                home.names(*options)
                assert resolve(bed, "c1", GATEWAY)
                assert resolve(bed, "c1", LAN_ROUTER)
        with check("a-device-that-comes-later"):
            bed.server.stop()
            home.names("--local-service", "--bind-dynamic")
            bed.serve()
            bed.dial("c1")
            bed.loop.until(lambda: resolve(bed, "c1", GATEWAY), 5, "an answer")
        with check("without-a-network-it-refuses"):
            # The proof that the check above can fail: the device's address stands alone.
            bed.router.ip("addr", "del", f"{GATEWAY}/24", "dev", "pptps0")
            bed.router.ip("addr", "add", f"{GATEWAY}/32", "dev", "pptps0")
            time.sleep(0.5)
            assert not resolve(bed, "c1", LAN_ROUTER)
    finally:
        home.end()
