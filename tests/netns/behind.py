"""A caller behind a router of its own:

    far 198.51.100.2 -- 198.51.100.1 hop 203.0.113.20 -- internet
"""
import contextlib
import subprocess

from bed import WAN
from netns import Netns

FAR, FAR_ROUTER, HOP = "198.51.100.2", "198.51.100.1", "203.0.113.20"


@contextlib.contextmanager
def behind(bed, known=True):
    """The two namespaces; whether the Internet knows the way to `far`."""
    for name in ("hop", "far"):
        bed.spaces[name] = Netns(f"{bed.tag}-{name}")
    try:
        bed.wire("hop", "wan", "internet", "w-hop")
        bed.internet.ip_batch(["link set w-hop master br0"])
        bed.wire("far", "eth0", "hop", "lan")
        bed.hop.ip_batch([f"addr add {HOP}/24 dev wan", f"addr add {FAR_ROUTER}/24 dev lan"])
        bed.hop.sysctl("net.ipv4.ip_forward", 1)
        bed.hop.sysctl("net.ipv4.icmp_ratelimit", 0)
        bed.far.ip_batch([f"addr add {FAR}/24 dev eth0", f"route add default via {FAR_ROUTER}"])
        if known:
            bed.router.ip_batch([f"route add {FAR}/32 via {HOP}"])
        yield
    finally:
        bed.router.ip("route", "del", f"{FAR}/32")
        for name in ("hop", "far"):
            bed.spaces.pop(name).remove()


def narrow(bed, mtu):
    """From now on `hop` has a path of so many octets on both sides, and fragments what is longer or
    says so by ICMP."""
    bed.hop.ip_batch([f"route replace {FAR}/32 dev lan mtu lock {mtu}",
                      f"route replace {WAN}/32 dev wan mtu lock {mtu}"])


def wide(bed):
    bed.hop.ip_batch([f"route del {FAR}/32 dev lan", f"route del {WAN}/32 dev wan"])


def nft(space, text):
    with space:
        subprocess.run(["nft", "-f", "-"], input=text, text=True, check=True)
