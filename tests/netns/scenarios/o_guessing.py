"""Guessing at line speed, from one address and from thousands, beside a good caller; and what the
time of an answer tells. PPTP_ADDRESSES says how many addresses (default 1000)."""
import os
import statistics
import time

from bed import CALLERS
from scenarios.g_login import guess
from server import USERS
from suite import scenario
from witness import Witness

_ADDRESSES = int(os.environ.get("PPTP_ADDRESSES", "1000"))
_AT_ONCE = 25
_SAMPLES = 200
_GROWTH = 64        # KiB


@scenario(users=[*USERS, {"username": "dave", "password": "dave-Pass1"}])
def guessing(bed, check):
    """A dictionary from one address and from thousands: nothing grows, good callers get in."""
    witness = Witness(bed)
    bed.dial("c1", "carol", tun=False).hang_up()       # an address that the server knows
    small = bed.server.status("VmRSS")
    with check("one-address") as suite:
        before, began, count = bed.server.cpu(), time.monotonic(), 0
        while time.monotonic() - began < 3:
            count += guess(bed, "203.0.113.64")
            drop_guessers(bed)
        suite.note = rate(bed, before, began, count) + ", " + witness.verdict()
    with check("many-addresses") as suite:
        bed.crowd.ip_batch(["route add local 10.66.0.0/16 dev lo"])
        bed.router.ip_batch(["route add 10.66.0.0/16 via 203.0.113.64"])
        before, began, count = bed.server.cpu(), time.monotonic(), 0
        for number in range(_ADDRESSES):
            count += guess(bed, f"10.66.{number >> 8}.{number & 255}")
            if number % _AT_ONCE == _AT_ONCE - 1:
                drop_guessers(bed)
        suite.note = rate(bed, before, began, count) + ", " + witness.verdict()
    with check("good-ones-get-in"):
        # bob, whose account is attacked, is online all the while; carol is known here; dave is new.
        for where, user, source in (("c1", "carol", None), ("crowd", "dave", CALLERS["crowd"][5])):
            bed.dial(where, user, source=source, tun=False).hang_up()
    with check("nothing-grew") as suite:
        grown = bed.server.status("VmRSS") - small
        suite.note = f"{grown} KiB"
        assert grown < _GROWTH, suite.note
    with check("worst-stall") as suite:
        witness.end()
        suite.note = f"{witness.worst * 1000:.0f} ms"
    bed.problems.clear()


def drop_guessers(bed):
    """Lets the guesses be answered, and forgets them."""
    guessers = [caller for caller in bed.callers if caller.password == "guess"]
    bed.loop.until(lambda: all(c.link is None or c.link.failure or c.finished() for c in guessers),
                   10, "answers")
    # A raw socket for each address would make the kernel copy every packet for all of them.
    senders = bed.hub(bed.crowd).senders
    for caller in guessers:
        caller.drop()
        if caller.source in senders:
            senders.pop(caller.source).close()
    bed.problems.clear()


def rate(bed, before, began, count):
    seconds = time.monotonic() - began
    used = bed.server.cpu() - before
    return (f"{count} guesses, {count / seconds:.0f} a second, "
            f"{used / max(1, count) * 1e6:.0f} us of processor for each")


@scenario(backoff_failures=0)
def answer_times(bed, check):
    """From Response to Failure: an unknown name takes as long as a wrong password."""
    times = {"alice": [], "nobody": []}
    with check("unknown-or-wrong") as suite:
        for number in range(_SAMPLES):
            for user in sorted(times, reverse=number % 2):
                times[user].append(time_of(bed, user))
        wrong, unknown = (usual(times[user]) for user in ("alice", "nobody"))
        gap = statistics.mean(wrong) - statistics.mean(unknown)
        suite.note = (f"{statistics.mean(wrong) * 1e6:.0f} and "
                      f"{statistics.mean(unknown) * 1e6:.0f} us, Welch t {welch(wrong, unknown):.1f}, "
                      f"Mann-Whitney {larger(wrong, unknown):.2f}")
        assert abs(gap) < 0.15 * statistics.mean(wrong), suite.note


def time_of(bed, user):
    caller = bed.caller("c1", user, password="wrong", tun=False)
    caller.connect()
    caller.place()
    caller.begin()
    link, sent, seen = caller.link, [], []
    send, failed = link.send, link.failed

    def note_send(protocol, information):
        if protocol == 0xC223:
            sent.append(time.perf_counter())
        send(protocol, information)

    def note_failed(data):
        seen.append(time.perf_counter())
        failed(data)
    link.send, link.failed = note_send, note_failed
    bed.loop.until(lambda: seen, 10, "Failure")
    caller.drop()
    bed.problems.clear()
    return seen[0] - sent[-1]


def usual(samples):
    """Without the slowest fifth: those were interrupted, here or there."""
    return sorted(samples)[:len(samples) * 4 // 5]


def welch(a, b):
    spread = statistics.variance(a) / len(a) + statistics.variance(b) / len(b)
    return (statistics.mean(a) - statistics.mean(b)) / spread ** 0.5


def larger(a, b):
    """The chance that one of `a` is larger than one of `b`: a half when nothing can be told."""
    return sum((x > y) + (x == y) / 2 for x in a for y in b) / (len(a) * len(b))
