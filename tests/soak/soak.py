"""A small town of callers: some stay, some come and go, some are cut off, some guess passwords, and
somebody edits the accounts. What the process takes is looked at once a minute."""
import os
import random
import re
import signal
import time

import ip
import traffic
from bed import CALLERS, LAN
from server import uci

_STAY, _COME_AND_GO = 4, 12
_USERS = [{"username": f"user{n}", "password": f"user{n}-Pass1"}
          for n in range(_STAY + _COME_AND_GO)]
_LIMIT = 2304           # KiB of resident memory
_SETTLED = 300          # seconds after which memory must not grow any more
_GROWTH = 64            # KiB that it may still grow: a page here and there


class Soak:
    def __init__(self, bed):
        self.bed, self.dice = bed, random.Random(1)
        self.problems, self.samples, self.log_at = [], [], 0
        self.counts = dict.fromkeys(
            ("calls", "hung up", "cut off", "refused", "reloads", "packets", "stray"), 0)
        self.lines = {"started": 0, "online": 0, "ended": 0, "refused": 0}

    def run(self, seconds):
        self.serve()
        self.stay = [self.dial(n) for n in range(_STAY)]
        self.visitors = {}
        self.began = time.monotonic()
        self.sample()
        while (left := self.began + seconds - time.monotonic()) > 0 and self.bed.server.alive():
            self.minute(min(60, left))
            self.sample()
        return self.end()

    def serve(self):
        self.options = dict(users=_USERS, log_level="info", backoff_failures=0,
                            lcp_echo_interval=5)
        self.bed.serve(**self.options)

    def minute(self, seconds):
        until = time.monotonic() + seconds
        reload_at = time.monotonic() + seconds / 2
        while time.monotonic() < until and self.bed.server.alive():
            self.turn()
            if reload_at and time.monotonic() > reload_at:
                self.reload()
                reload_at = None
            self.bed.loop.sleep(0.25)

    def turn(self):
        for caller in self.callers():
            self.send(caller)
        visitor = self.dice.randrange(_COME_AND_GO)
        if visitor in self.visitors:
            self.leave(self.visitors.pop(visitor))
        elif self.dice.random() < 0.15:
            self.guess(_STAY + visitor)
        else:
            self.visitors[visitor] = self.dial(_STAY + visitor)
        if self.dice.random() < 0.2:
            self.stray()

    def callers(self):
        return [*self.stay, *self.visitors.values()]

    # What callers do

    def caller(self, number, **keywords):
        source = CALLERS["crowd"][number]
        return self.bed.caller("crowd", f"user{number}", source=source, tun=False, **keywords)

    def dial(self, number):
        caller = self.caller(number)
        caller.dial(20)
        caller.keep_inner = False
        self.counts["calls"] += 1
        return caller

    def send(self, caller):
        """Packets of all sizes, some of them lost, doubled or swapped on the way."""
        held = caller.tunnel.corked = []
        for _ in range(self.dice.randrange(6)):
            size = self.dice.choice((28, 100, 700, 1372))
            caller.send_ip(ip.udp(caller.address, LAN, 9, 9, bytes(size)))
        caller.tunnel.corked = None
        if len(held) > 2 and self.dice.random() < 0.2:
            held[0], held[1] = held[1], held[0]
        for packet in held:
            for _ in range(self.dice.choices((1, 0, 2), (96, 2, 2))[0]):
                caller.tunnel.put(packet)
                self.counts["packets"] += 1

    def leave(self, caller):
        if self.dice.random() < 0.5:
            caller.hang_up()
            self.counts["hung up"] += 1
        else:
            caller.drop()
            self.counts["cut off"] += 1

    def guess(self, number):
        caller = self.caller(number, password="guess")
        try:
            if caller.attempt(20):
                self.problems.append("a wrong password got in")
        finally:
            caller.drop()
        self.counts["refused"] += 1

    def stray(self):
        """GRE of nobody, and a connection that says nonsense."""
        hub = self.bed.hub(self.bed.crowd)
        hub.sender("203.0.113.180").sendto(self.dice.randbytes(60), (self.stay[0].server, 0))
        with self.bed.crowd:
            sock = traffic.socket.socket()
        with sock:
            sock.bind(("203.0.113.181", 0))
            sock.connect((self.stay[0].server, self.bed.port))
            sock.sendall(self.dice.randbytes(64))
        self.counts["stray"] += 1

    def reload(self):
        """The same accounts again, and one that comes and goes."""
        odd = self.counts["reloads"] % 2
        users = [*_USERS, {"username": "guest", "password": "guest-Pass1"}][:len(_USERS) + odd]
        self.bed.server.configure(uci(**{**self.options, "users": users}))
        self.bed.server.signal(signal.SIGHUP)
        self.counts["reloads"] += 1

    # What it costs

    def sample(self):
        server = self.bed.server
        if not server.alive():
            return
        self.read_log()
        found = {"seconds": time.monotonic() - self.began, "rss": server.status("VmRSS"),
                 "descriptors": len(os.listdir(f"/proc/{server.process.pid}/fd")),
                 "calls": len(self.callers()), "cpu": server.cpu()}
        self.samples.append(found)
        print(f"{found['seconds'] / 60:6.1f} min  {found['rss']} KiB  "
              f"{found['descriptors']} descriptors  {found['calls']} calls open  "
              f"{self.counts['calls']} so far  {found['cpu']:.1f} s of processor", flush=True)
        for problem in self.bed.problems:
            self.problems.append(problem)
        self.bed.problems.clear()

    def read_log(self):
        """Counts what the log has said since the last time."""
        with open(self.bed.server.log_path, errors="replace") as file:
            file.seek(self.log_at)
            text = file.read()
            self.log_at = file.tell()
        for name, pattern in (("started", r": started$"), ("online", r" is online as "),
                              ("ended", r": ended "), ("refused", r"login as .* failed")):
            self.lines[name] += len(re.findall(pattern, text, re.M))
        if "panicked" in text:
            self.problems.append(f"panicked: {text[-500:]}")

    def end(self):
        server = self.bed.server
        if not server.alive():
            return [*self.problems, f"the server ended with {server.process.returncode}"]
        for caller in self.callers():
            caller.hang_up()
        self.bed.loop.sleep(1.5)
        descriptors = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        first = self.samples[0]["descriptors"] - _STAY
        self.read_log()
        self.judge(descriptors - first)
        status = server.stop()
        if status:
            self.problems.append(f"status {status} at the end")
        print(f"counts {self.counts}, log {self.lines}, "
              f"{descriptors - first} descriptors more than at the start")
        return self.problems

    def judge(self, leaked):
        if leaked:
            self.problems.append(f"{leaked} descriptors more than at the start")
        if self.lines["started"] != self.lines["ended"]:
            self.problems.append(f"calls that started and that ended: {self.lines}")
        for name, wanted in (("online", "calls"), ("refused", "refused")):
            if self.lines[name] != self.counts[wanted]:
                self.problems.append(f"{self.lines[name]} {name}, {self.counts[wanted]} is right")
        sizes = [sample["rss"] for sample in self.samples]
        if max(sizes) > _LIMIT:
            self.problems.append(f"{max(sizes)} KiB of memory")
        settled = [s["rss"] for s in self.samples if s["seconds"] >= _SETTLED]
        if settled and max(settled) - settled[0] > _GROWTH:
            self.problems.append(f"memory grew from {settled[0]} to {max(settled)} KiB")
