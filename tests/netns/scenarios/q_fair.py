"""Overload: more packets than the server can serve, and what that means for each caller. The server is a slow machine
of its own here: it gets a part of every millisecond of one core (sched(7), SCHED_DEADLINE), so that what the other
processes send is more than it can do, and what else runs on this machine does not change its speed much."""
import json
import signal
import socket
import statistics
import subprocess

import gre
import ip
import traffic
from bed import CALLERS, GATEWAY, LAN
from load import Load, hand_over
from suite import Skip, scenario


def slow(micros):
    """What starts a program that gets so much of every millisecond; nothing where there is no such scheduler."""
    words = ("chrt", "--reset-on-fork", "--deadline", "--sched-runtime", f"{micros}000", "--sched-deadline", "1000000",
             "--sched-period", "1000000", "0")
    return () if subprocess.run([*words, "true"], capture_output=True).returncode else words


EXACT = ("chrt", "--fifo", "10")     # the one that measures must not wait for a core
USERS = [{"username": f"user{n}", "password": f"user{n}-Pass1"} for n in range(4)]
ATTEMPTS = 5    # of which one must do: other work on the machine may take a core from whoever measures
# How much all send of what passes at least, and shares that one may send and still get half of one. What is dropped costs
# its sender a key change all the same, so one who sends many times its share has nothing left of it, and only the others
# are protected.
OVERLOAD, TOO_MUCH = 1.3, 3.5
SECONDS, PAUSE = 1.5, 5000      # of pings, and microseconds between them
ADDED_MS = 10
FLOOD = 100_000     # packets in a second: a line of 100 Mbit/s full of the smallest ones


def retried(suite, attempt):
    """`attempt` gives a note, and what is wrong if anything is."""
    if not suite.bed.server.command:
        raise Skip("this machine has no SCHED_DEADLINE")
    for _ in range(ATTEMPTS):
        suite.note, wrong = attempt()
        if not wrong:
            return
    raise AssertionError(f"{wrong}: {suite.note}")


def count_packets(bed, addresses):
    """From now on what the server passes on for these inner addresses is counted, and ends there."""
    rules = "".join(f"ip saddr {a} counter drop; " for a in addresses)
    text = f"flush ruleset; table ip load {{ chain c {{ type filter hook forward priority 0; {rules} }}; }}"
    with bed.router:
        subprocess.run(["nft", "-f", "-"], input=text, text=True, check=True)


def packets(bed):
    with bed.router:
        told = subprocess.run(["nft", "-j", "list", "table", "ip", "load"], capture_output=True, text=True, check=True)
        subprocess.run(["nft", "flush ruleset"], check=True)
    rules = [entry["rule"]["expr"] for entry in json.loads(told.stdout)["nftables"] if "rule" in entry]
    return [part["counter"]["packets"] for rule in rules for part in rule if "counter" in part]


@scenario(users=USERS, command=slow(250))
def shares(bed, check):
    """Four callers send more than the server can do, one of them three times as much as each other: each gets its share."""
    for octets in (1400, 64):
        with check(f"{octets}-octets") as suite:
            rate = Rate(60_000)
            retried(suite, lambda: share(bed, octets, rate))


class Rate:
    """Packets in a second that are too many for the server, but leave it time for something else than to drop them: found
    by halving between what was too few and what was too many."""

    def __init__(self, first):
        self.now, self.few, self.many = first, None, None

    def more(self):
        self.few = self.now
        self.now *= 1.5 if not self.many else (self.many / self.now) ** 0.5

    def less(self):
        self.many = self.now
        self.now *= 0.65 if not self.few else (self.few / self.now) ** 0.5


def share(bed, octets, rate):
    weights = 3, 1, 1, 1
    callers = [bed.dial("crowd", f"user{n}", source=CALLERS["crowd"][n], tun=False) for n in range(4)]
    count_packets(bed, [caller.address for caller in callers])
    load = Load(bed, "crowd", "flood", 1, octets, [hand_over(c, LAN, w) for c, w in zip(callers, weights)], rate.now)
    load.go()
    seconds, *sent = load.result()
    bed.loop.sleep(0.3)
    passed = packets(bed)
    end(bed, load, callers)
    fair = sum(passed) / len(passed)
    note = (f"{sum(passed) / seconds / 1000:.1f} of {sum(sent) / seconds / 1000:.1f} packets in a ms; each sent "
            f"{' '.join(f'{s / fair:.1f}' for s in sent)} shares, got {' '.join(f'{p / fair:.2f}' for p in passed)}")
    over = sum(sent) / sum(passed)
    if over < OVERLOAD:
        rate.more()
        return note, "no overload"
    # Who sends less than a share has a right to no more than that.
    if all(p > min(fair, s) / 2 for p, s in zip(passed, sent) if s < TOO_MUCH * fair):
        return note, None
    rate.less()
    return note, "a caller got less than half of its share"


def end(bed, *parts):
    """The calls end without a word: they are not their callers' any more."""
    for part in parts:
        for it in part if isinstance(part, list) else [part]:
            (it.drop if hasattr(it, "drop") else it.close)()
    bed.loop.sleep(0.2)
    bed.problems.clear()


@scenario(users=USERS, command=slow(500))
def floods(bed, check):
    """One caller floods, by small packets, by nonsense in its call, or by what comes for it: another's ping."""
    for name, flood in (("small-packets", small), ("nonsense", nonsense), ("download", download)):
        with check(name) as suite:
            retried(suite, lambda: delay(bed, flood))


def small(bed, caller):
    return Load(bed, "c1", "flood", SECONDS + 0.5, 64, [hand_over(caller, LAN, 1)], FLOOD)


def nonsense(bed, caller):
    return Load(bed, "c1", "flood", SECONDS + 0.5, 64, [hand_over(caller, LAN, 1, garbage=True)], FLOOD)


def download(bed, caller):
    return Download(bed, caller.address)


class Download:
    """Full packets from the LAN as fast as they go."""

    def __init__(self, bed, address):
        self.bed, self.address = bed, address

    def go(self):
        self.task = self.bed.spawn("lan", traffic.blast, self.address, 1300, SECONDS + 0.5)

    def result(self):
        return self.task.result(10)

    def close(self):
        self.task.kill()


def delay(bed, flood):
    one, two = bed.dial("c1", "user0", tun=False), bed.dial("c2", "user1", tun=False)
    ping = Load(bed, "c2", "ping", SECONDS, PAUSE, [hand_over(two, GATEWAY, 1)], wrapper=EXACT)
    count_packets(bed, [one.address])
    load = flood(bed, one)
    ping.go()
    quiet = ping.result()
    load.go()
    bed.loop.sleep(0.2)
    before = received(bed)
    ping.go()
    busy = ping.result()
    seconds, sent = load.result()
    passed = max(packets(bed)[0], received(bed) - before)
    end(bed, ping, load, [one, two])
    (median, most), (busy_median, busy_most) = figures(quiet), figures(busy)
    lost = busy.count(0) / len(busy)
    note = (f"ping {median:.2f} ms (99 %: {most:.2f}), flooded {busy_median:.2f} ms ({busy_most:.2f}), {lost:.1%} lost; "
            f"{sent / seconds / 1000:.0f} packets in a ms, {passed / seconds / 1000:.1f} passed")
    if busy_median - median > ADDED_MS or busy_most - most > ADDED_MS:
        return note, "a ping is delayed too much"
    if sent / seconds < FLOOD / 10:
        return note, "no flood"
    return note, lost > 0.01 and "pings are lost"


def received(bed):
    """Packets that came to the caller that floods."""
    told = bed.c1.ip("-j", "-s", "link", "show", "dev", "wan")
    return json.loads(told)[0]["stats64"]["rx"]["packets"]


def figures(answers):
    """Milliseconds: the median, and what 99 % do not exceed; what was lost counts as a second."""
    times = sorted(time / 1000 or 1000 for time in answers)
    return statistics.median(times), times[int(len(times) * 0.99)]


@scenario()
def stands_still(bed, check):
    """While the server gets no time at all more packets come than the kernel keeps for it. None of them is answered
    by ICMP, "protocol unreachable", as newer kernels would: callers such as pptp-linux hang up at that."""
    caller = bed.dial("c1")
    seen = bed.capture("c1", "wan")
    packet = ip.udp(caller.address, LAN, 4000, 9, b"x" * 1000)
    bed.server.signal(signal.SIGSTOP)
    try:
        for _ in range(1500):
            caller.send_ip(packet)
        bed.loop.sleep(0.1)
    finally:
        bed.server.signal(signal.SIGCONT)
    with check("no-icmp") as suite:
        sent = len(seen.packets(gre.PROTOCOL, outgoing=True))
        answers = [packet.payload[:2].hex() for packet in seen.packets(socket.IPPROTO_ICMP, outgoing=False)]
        suite.note = f"{sent} packets"
        assert sent > 1000 and not answers, f"{sent} packets, ICMP {answers}"
    with check("the-call-lives"):
        # The keys of what was lost are caught up with a few at each packet.
        bed.ping("c1", LAN, count=40, interval=0.01, wait=0.05)
        bed.assert_ping("c1", LAN)
