"""Makes system calls of the running server fail, from outside, by strace's injection: nothing of it
is in the program. Each is said to have failed once; the next one works."""
import os
import re
import subprocess

_SETTLE = 5.0           # seconds that strace may take to attach


class NotReached(AssertionError):
    """The server did not make the call that was to fail."""


class Fault:
    """One call of `syscall` (of each, with a comma between them) fails with `error` ("ENOMEM"), or returns a number ("=3") without being
    done; `path` limits it to a descriptor. As a context: attached on entry, gone on exit."""

    def __init__(self, bed, syscall, error, path=None, when="1"):
        self.bed, self.syscall, self.path = bed, syscall, path
        kind = f"retval={error[1:]}" if error.startswith("=") else f"error={error}"
        self.inject = f"inject={syscall}:{kind}:when={when}"
        self.trace = os.path.join(bed.directory, "trace")

    def arguments(self):
        paths = ["-P", self.path] if self.path else []
        return ["strace", "-o", self.trace, *paths, "-e", f"trace={self.syscall}", "-e",
                self.inject]

    def starting(self, server):
        """The server is started under it, as the child of this process all the same (-D)."""
        server.command = [*self.arguments(), "-qq", "-D"]

    def __enter__(self):
        pid = self.bed.server.process.pid
        if os.path.exists(self.trace):
            os.unlink(self.trace)
        self.process = subprocess.Popen([*self.arguments(), "-p", str(pid)],
                                        stderr=subprocess.DEVNULL)
        self.bed.loop.until(lambda: tracer(pid), _SETTLE, "strace attached")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def hits(self):
        """How often it was made to fail."""
        if not os.path.exists(self.trace):
            return 0
        with open(self.trace, errors="replace") as file:
            return file.read().count("(INJECTED)")


def tracer(pid):
    """Who traces the process, or 0; 1 when it is gone."""
    try:
        with open(f"/proc/{pid}/status") as file:
            return int(re.search(r"^TracerPid:\s+(\d+)", file.read(), re.M)[1])
    except FileNotFoundError:
        return 1


def gre_path(server):
    """What strace calls the GRE socket."""
    pid = server.process.pid
    with open(f"/proc/{pid}/net/raw") as file:
        sockets = [line.split() for line in file.readlines()[1:]]
    inodes = {words[9] for words in sockets if words[1].endswith(":002F")}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        link = os.readlink(f"/proc/{pid}/fd/{fd}")
        if link.startswith("socket:") and link[8:-1] in inodes:
            return link
    raise AssertionError("no raw socket")


def startup_calls(trace, syscalls):
    """(syscall, number, text) of each call of these kinds in a trace of a start, from the moment
    when the program itself begins: it forbids core files first."""
    found, counts, begun = [], dict.fromkeys(syscalls, 0), False
    with open(trace, errors="replace") as file:
        for line in file:
            name = line.split("(", 1)[0]
            if name == "epoll_wait":
                break
            if name not in counts:
                continue
            counts[name] += 1
            begun = begun or "RLIMIT_CORE" in line
            if begun:
                found.append((name, counts[name], line.strip()))
    return found
