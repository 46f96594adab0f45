"""Callers at full speed: hands open calls over to `load.c`, compiled on first use, which sends for them. The calls
are of no further use to their caller in Python: numbers and keys have gone on without it."""
import os
import subprocess

_SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "load.c")


def program(directory):
    path = os.path.join(directory, "load")
    if not os.path.exists(path):
        subprocess.run(["cc", "-O2", "-Wall", "-o", path, _SOURCE], check=True)
    return path


def hand_over(caller, destination, weight, garbage=False):
    """The call as load.c wants it. Its control connection stays with the bed."""
    tx, tunnel = caller.link.tx, caller.tunnel
    words = (tunnel.server, tunnel.local, tunnel.peer_call_id, tunnel.call_id, tunnel.seq, tx.start.hex(), tx.key.hex(),
             tx.count, caller.address, destination, f"{weight}{'g' if garbage else ''}")
    tunnel.close()
    return ",".join(map(str, words))


class Load:
    """One process: `number` is the octets of the inner packets of a flood, of which there are `rate` in a second, or the
    microseconds between pings."""

    def __init__(self, bed, where, kind, seconds, number, calls, rate=1, wrapper=()):
        self.bed, self.seconds = bed, seconds
        hub = bed.hubs.pop(bed.spaces[where].name, None)
        self.process = bed.spaces[where].popen(
            [*wrapper, program(bed.directory), kind, str(seconds), str(number), str(int(rate)), *calls],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.line()     # it is ready
        if hub:
            hub.close()     # from here on its socket takes what comes back

    def line(self):
        """The next line of its output; the bed goes on meanwhile."""
        octets = []

        def read():
            octets.append(self.process.stdout.readline())
            self.bed.loop.forget(self.process.stdout)

        self.bed.loop.watch(self.process.stdout, read)
        self.bed.loop.until(lambda: octets, 30 + self.seconds, "a line of load.c")
        return octets[0]

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def result(self):
        return [float(word) for word in self.line().split()]

    def close(self):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
