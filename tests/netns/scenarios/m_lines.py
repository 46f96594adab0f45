"""Bad lines: what gets through against what the line loses, and callers that come back after a cut,
from another port, another address, or to another address of the router."""
import itertools
import time
from dataclasses import replace

import ip
import traffic
from bed import CALLERS, LAN, WAN, WAN2, WAN3
from loop import TooLate
from personality import PPPD
from suite import scenario

_PACKETS = 400
_BACK_AGAIN = 10.0      # seconds


def upwards(bed, caller, count=_PACKETS):
    """How many of the caller's packets reach the LAN, in order and unharmed."""
    box = traffic.Mailbox(bed.loop, bed.lan, LAN)
    for number in range(count):
        data = number.to_bytes(4, "big") + bytes(600)
        caller.send_ip(ip.udp(caller.address, LAN, 5000, box.port, data))
        bed.loop.sleep(0.002)
    bed.loop.sleep(0.3)
    numbers = [int.from_bytes(letter[:4], "big") for letter in box.letters]
    assert numbers == sorted(set(numbers)), "packets twice or out of order"
    assert all(len(letter) == 604 for letter in box.letters)
    box.close()
    return len(numbers)


def is_online(bed, caller):
    """Whether the server has opened this call too."""
    begin = f"call {caller.server_call_id} from "
    return any(begin in line and " is online as " in line for line in bed.server.log().splitlines())


def settled(bed):
    """As a user's dialler does on a bad line: again until a call opens and stays."""
    began = time.monotonic()
    for number in itertools.count(1):
        caller = bed.caller(personality=replace(PPPD, restart=1.0), lossy=True)
        try:
            if caller.attempt(20):
                # The caller's last answer may be lost: then the server asks again after 3 s.
                bed.loop.until(lambda: is_online(bed, caller), 12, "a call that is open at both ends")
                waited = time.monotonic() - began
                bed.loop.sleep(1.5)
                if caller.link.up:
                    return caller, f"call {number} in {waited:.1f} s"
        except TooLate:
            pass
        caller.drop()
        assert time.monotonic() - began < 90, f"{number} calls, none opened"


@scenario(backoff_failures=0)
def loss(bed, check):
    """Throughput against loss, reordering and jitter: only what the line loses is lost."""
    for percent in (0, 2, 5, 10, 20, 30):
        with check(f"loss-{percent}") as suite:
            bed.bad_line("c1", loss=percent / 100, seed=percent + 1)
            caller, login = settled(bed)
            arrived = upwards(bed, caller)
            suite.note = f"log-in by {login}; {arrived} of {_PACKETS} packets"
            # Beyond the line's own loss there are only packets late by its dice.
            assert arrived >= _PACKETS * (1 - percent / 100) * 0.93, suite.note
            if percent <= 5:
                caller.open_tun()
                seconds = bed.transfer("c1", "lan", LAN, 300_000)
                suite.note += f"; TCP {300_000 * 8 / seconds / 1e6:.1f} Mbit/s up"
            caller.drop()
        bed.good_line("c1")
    for name, faults in (("reorder-5-ms", dict(reorder=0.3, delay=0.005)),
                         ("reorder-20-ms", dict(reorder=0.3, delay=0.02)),
                         ("duplicates", dict(duplicate=0.3))):
        with check(name) as suite:
            bed.bad_line("c1", seed=3, **faults)
            caller, _ = settled(bed)
            arrived = upwards(bed, caller)
            suite.note = f"{arrived} of {_PACKETS} packets"
            assert arrived == _PACKETS, suite.note
            caller.drop()
        bed.good_line("c1")
    bed.problems.clear()


def back_again(bed, old, where="c1", **keywords):
    """The caller dials again while the server still has its old call; the seconds until packets
    pass. The old call must be gone then."""
    began = time.monotonic()
    new = bed.dial(where, timeout=_BACK_AGAIN, **keywords)
    bed.assert_ping(where, LAN)
    seconds = time.monotonic() - began
    assert seconds < _BACK_AGAIN, f"in again after {seconds:.1f} s"
    bed.server.wait_log(f"call {old.server_call_id} from .*: ended")
    bed.assert_ping("lan", new.address)
    return new, f"in again after {seconds:.2f} s"


def cut(caller):
    """Nothing of the caller's reaches the server any more, and it does not say goodbye."""
    caller.bed.loop.forget(caller.control.socket)
    caller.tunnel.close()
    caller.tun.close()
    caller.tun = None


@scenario()
def comes_back(bed, check):
    """After a cut a caller is in again within ten seconds and its old call is gone."""
    with check("line-cut") as suite:
        old = bed.dial("c1")
        cut(old)
        bed.c1.ip_batch(["link set wan down"])
        bed.loop.sleep(1.5)
        bed.c1.ip_batch(["link set wan up"])
        old, suite.note = back_again(bed, old)
    with check("nat-gives-another-port") as suite:
        # The old connection's packets are for a port that the NAT has forgotten.
        cut(old)
        old, suite.note = back_again(bed, old)
    with check("caller-has-another-address") as suite:
        bed.c1.ip_batch([f"addr del {CALLERS['c1'][0]}/24 dev wan", "addr add 203.0.113.21/24 dev wan"])
        cut(old)
        old, suite.note = back_again(bed, old, source="203.0.113.21")
    bed.c1.ip_batch([f"addr add {CALLERS['c1'][0]}/24 dev wan"])
    with check("router-has-another-address") as suite:
        bed.router.ip_batch(["addr flush dev wan", "addr add 203.0.113.9/24 dev wan"])
        bed.ping("lan", old.address, count=3, wait=0.1)     # sent from an address that is gone
        cut(old)
        old, suite.note = back_again(bed, old, server="203.0.113.9", source="203.0.113.21")
    bed.router.ip_batch(["addr flush dev wan", *(f"addr add {a}/24 dev wan" for a in (WAN, WAN2, WAN3))])
    with check("mtu-of-the-line") as suite:
        # A line that turns narrow in the middle of a call: fragments, and no black hole.
        cut(old)
        caller = bed.dial("c1")
        for device, space in (("wan", bed.router), ("wan", bed.c1)):
            space.ip_batch([f"link set {device} mtu 1280"])
        seconds = bed.transfer("lan", "c1", caller.address, 500_000)
        suite.note = f"{500_000 * 8 / seconds / 1e6:.1f} Mbit/s down at 1280"
        bed.assert_ping("c1", LAN, size=1396)
        for device, space in (("wan", bed.router), ("wan", bed.c1)):
            space.ip_batch([f"link set {device} mtu 1500"])
    # Not one address after the other: with the first of a network its others go as well.
    bed.c1.ip_batch(["addr flush dev wan", f"addr add {CALLERS['c1'][0]}/24 dev wan"])
    bed.problems.clear()
