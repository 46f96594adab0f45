"""The ways of a packet through the kernel: large packets on the TUN device or none, our own IP header in front of GRE or the
kernel's. The server takes what a kernel offers; here each way in turn has to carry the same."""
import ip
from bed import GATEWAY, LAN
from personality import WIDE
from suite import scenario

_SIZE = 600_000
_VARIANTS = {"plain-tun": ("PPTP_SERVER_PLAIN_TUN=1",), "plain-reads": ("PPTP_SERVER_PLAIN_TUN=reads",),
             "plain-gre": ("PPTP_SERVER_PLAIN_GRE=1",),
             "all-plain": ("PPTP_SERVER_PLAIN_TUN=1", "PPTP_SERVER_PLAIN_GRE=1")}


@scenario(serve=False)
def variants(bed, check):
    """Ping, TCP and a narrow line in both directions, with each way through the kernel."""
    for name, words in {"as-it-is": (), **_VARIANTS}.items():
        with check(name):
            try:
                carry(bed, words)
            finally:
                bed.clean()


def carry(bed, words):
    """A server with `words` in its environment, two callers, and all that they do."""
    clean = ("env", "-u", "PPTP_SERVER_PLAIN_TUN", "-u", "PPTP_SERVER_PLAIN_GRE", *words)
    bed.serve(command=clean, mtu=1456)
    wan = bed.capture("router", "wan")
    one, two = bed.dial("c1", personality=WIDE), bed.dial("c2", "bob")
    # The address may have been that of a caller with a smaller MTU before.
    bed.lan.ip("route", "flush", "cache")
    for where, to in (("c1", GATEWAY), ("c1", LAN), ("lan", one.address), ("c1", two.address)):
        bed.assert_ping(where, to, count=2, interval=0.01)
    for size in (60, 1400, 1456):
        bed.assert_ping("lan", one.address, size=size, df=True, count=2, interval=0.01)
    for sender, receiver, address in (("c1", "lan", LAN), ("lan", "c1", one.address), ("router", "c1", one.address),
                                      ("c1", "c2", two.address)):
        bed.transfer(sender, receiver, address, _SIZE)
    packets = wan.packets(ip.GRE)
    assert packets and not any(p.fragment for p in packets), "a packet of ours in fragments"
    narrow(bed, one)
    assert bed.server.stop() == 0


def narrow(bed, caller):
    """The line takes 1280 octets now: packets go in fragments."""
    for space in (bed.router, bed.c1):
        space.ip_batch(["link set wan mtu 1280"])
    try:
        for where, to in (("c1", LAN), ("lan", caller.address)):
            bed.assert_ping(where, to, size=1400, count=2, interval=0.01)
    finally:
        for space in (bed.router, bed.c1):
            space.ip_batch(["link set wan mtu 1500"])
