"""Faults inside: system calls that fail once, in every state; devices that go; logs that fill up.
The server recovers, or ends with the reason, and leaves nothing behind."""
import fcntl
import os
import signal
import subprocess

from bed import LAN, LAN_ROUTER
from faults import Fault, NotReached, gre_path, startup_calls
from server import Server
from suite import scenario

TUN = "/dev/net/tun"
_START = ("prlimit64", "prctl", "openat", "statx", "read", "close", "write", "capget",
          "epoll_create1", "rt_sigprocmask", "signalfd4", "socket", "setsockopt", "bind", "listen",
          "epoll_ctl", "ioctl", "getrandom", "getsockname")
_ERRORS = {"openat": ("EMFILE", "EACCES"), "read": ("EIO", "EINTR"), "write": ("EIO", "ENOSPC"),
           "socket": ("EMFILE", "EPERM"), "ioctl": ("EPERM", "ENOMEM"), "bind": ("EADDRINUSE",),
           "getrandom": ("EINTR", "ENOSYS")}


def nothing_left(bed):
    """No device, route or neighbour of the server's."""
    left = bed.router.ip("link") + bed.router.ip("route") + bed.router.ip("neigh", "show", "proxy")
    assert "pptps0" not in left and "192.168.77." not in left, left


@scenario(serve=False)
def fails_at_start(bed, check):
    """Each system call of the start fails once: it serves all the same, or says why not."""
    server = bed.server = Server(bed)
    record = Fault(bed, "none", "EIO")
    server.command = ["strace", "-qq", "-D", "-o", record.trace, "-e", "trace=epoll_wait," + ",".join(_START)]
    server.start()
    bed.loop.sleep(0.3)
    server.stop()
    calls = startup_calls(record.trace, _START)
    ends = {"served": 0, "said why": 0}
    for name, number, text in calls:
        for error in _ERRORS.get(name, ("ENOMEM",)):
            how, why = start_with(bed, Fault(bed, name, error, when=str(number)))
            ends[how] = ends.get(how, 0) + 1
            if why:
                with check(f"{name}-{number}-{error}"):
                    raise AssertionError(f"{why} after {text[:100]}")
    with check("every-call") as suite:
        suite.note = f"{sum(ends.values())} faults in {len(calls)} calls: {ends}"
        assert ends["said why"] > 20 and ends["served"] > 20, ends


def start_with(bed, fault):
    """Starts with a fault: how it went, and what is wrong with that."""
    server = bed.server = Server(bed)
    fault.starting(server)
    server.launch()
    # Either of these lines may be the one that could not be written.
    bed.loop.until(lambda: any(word in server.log() for word in ("listening", "no ubus at"))
                   or not server.alive(), 10, "a start or an end")
    if not server.alive():
        errors = [line for line in server.log().splitlines() if line.startswith("error: ")]
        # The line itself may be what could not be written.
        lost = fault.syscall == "write"
        right = server.process.returncode == 1 and (len(errors) == 1 or lost)
        nothing_left(bed)
        return "said why", None if right else f"status {server.process.returncode}: {server.tail()}"
    status = server.stop()
    nothing_left(bed)
    return "served", None if status == 0 else f"status {status}: {server.tail()}"


_PASSING = ("EINTR", "EAGAIN", "ENOBUFS", "ENOMEM", "EPERM", "ENETDOWN")
# What is done with an open call beside, and which calls fail meanwhile. A call that says EAGAIN
# although it is ready is only injected where a next packet comes anyway.
_DIAL = {"accept4": ("EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "ECONNABORTED", "EPERM", "EINTR"),
         "getsockname": ("ENOBUFS",), "setsockopt": ("ENOMEM",),
         "epoll_ctl": ("ENOMEM", "ENOSPC", "EPERM"),
         "recvfrom": ("EINTR", "ENOMEM", "ECONNRESET", "EPERM"),
         "sendto": ("EINTR", "ENOBUFS", "ENOMEM", "EPIPE", "EPERM"),
         "epoll_wait": ("EINTR",), "write": ("EIO", "ENOSPC", "EAGAIN"),
         "shutdown": ("ENOTCONN",), "close": ("EINTR", "EIO")}
_RELOAD = {"openat": ("ENOENT", "EMFILE", "ENFILE", "ENOMEM", "EACCES", "EIO"),
           "statx": ("ENOMEM", "EIO"), "read": ("EINTR", "EIO", "ENOMEM"),
           "socket": ("EMFILE", "ENOBUFS", "EPERM"),
           "ioctl": ("ENOMEM", "EPERM", "EBUSY", "ENODEV"),
           "write": ("ENOBUFS", "EPERM", "EIO"), "close": ("EINTR", "EIO")}
_GOODBYE = {"sendto": ("ENOBUFS", "EPIPE", "EINTR"), "sendto,sendmsg": ("ENOBUFS", "ENETDOWN", "EPERM"),
            "write": ("EIO",), "epoll_wait": ("EINTR",), "close": ("EIO", "EINTR")}
_REMOVED = {"openat": ("EMFILE", "ENOMEM", "ENOENT"), "ioctl": ("EBUSY", "ENOMEM", "EPERM"),
            "socket": ("EMFILE", "ENOBUFS"), "epoll_ctl": ("ENOMEM",)}


class Tally:
    """Counts what became of the faults of one scenario."""

    def __init__(self, bed, check):
        self.bed, self.check, self.ends = bed, check, {}

    def fault(self, state, fault, error, act):
        """One fault while `act` goes on; it returns what became of it."""
        with self.check(f"{state}-{fault.syscall}-{error}") as suite:
            with fault:
                suite.note = act()
                hits = fault.hits()
            if not hits:
                raise NotReached(f"{fault.syscall} was never called")
            self.ends[suite.note] = self.ends.get(suite.note, 0) + 1


def serves(bed):
    """The open call goes on, or ended with a reason and its caller gets in again; when the server
    itself ended it said why, left nothing behind, and a new one serves."""
    if not bed.server.alive():
        log = bed.server.log()
        assert bed.server.process.returncode == 1 and "error: " in log, bed.server.tail()
        nothing_left(bed)
        bed.open.drop()
        bed.serve()
        bed.open = bed.dial("c1")
        return "ended with the reason"
    if not bed.open.finished() and bed.ping("c1", LAN, count=2, wait=1.0)["received"]:
        return "goes on"
    reason = bed.open.finished()
    bed.open.drop()
    bed.problems.clear()
    bed.open = bed.dial("c1", timeout=10)
    bed.assert_ping("c1", LAN)
    return f"dialled again ({reason})"


@scenario()
def fails_while_dialling(bed, check):
    """Each call that a new caller leads to fails once, beside an open call."""
    bed.open, tally = bed.dial("c1"), Tally(bed, check)

    def dial():
        for _ in range(3):
            caller = bed.caller("c2", "bob", tun=False)
            try:
                caller.dial(4)
                caller.hang_up()
                break
            except Exception:       # any failure of one attempt is right, all of them are not
                caller.drop()
        else:
            raise AssertionError("bob does not get in")
        bed.problems.clear()
        return serves(bed)
    for name, errors in _DIAL.items():
        for error in errors:
            tally.fault("dialling", Fault(bed, name, error), error, dial)


@scenario()
def fails_under_traffic(bed, check):
    """Reads and writes of the GRE socket and the TUN device fail or fall short."""
    bed.open, tally = bed.dial("c1", lossy=True), Tally(bed, check)

    def ping():
        bed.ping("c1", LAN, count=4, wait=0.3)
        return serves(bed)
    gre = gre_path(bed.server)
    for error in (*_PASSING, "=0", "=3", "=21"):
        tally.fault("gre", Fault(bed, "read", error, gre), error, ping)
        tally.fault("tun", Fault(bed, "read", error, TUN), error, ping)
    for error in (*_PASSING, "EIO", "=1"):
        tally.fault("tun", Fault(bed, "write", error, TUN), error, ping)
    # The first way of a packet, then also the one that takes what the first does not; or the only one.
    ways = ("sendmsg",) if "PPTP_SERVER_PLAIN_GRE" in os.environ else ("sendto", "sendto,sendmsg")
    for error in (*_PASSING, "ENETUNREACH", "EHOSTUNREACH", "EMSGSIZE", "EINVAL", "=1"):
        for way in ways:
            tally.fault("gre", Fault(bed, way, error), error, ping)
    tally.fault("loop", Fault(bed, "epoll_wait", "EINTR"), "EINTR", ping)
    with check("nobody-was-cut-off") as suite:
        suite.note = str(tally.ends)
        assert set(tally.ends) == {"goes on"}, tally.ends


@scenario()
def fails_while_reloading(bed, check):
    """Each call that a reload makes fails once: the call stays, and the next reload works."""
    bed.open, tally = bed.dial("c1"), Tally(bed, check)

    def reload():
        bed.server.signal(signal.SIGHUP)
        bed.loop.sleep(0.15)
        return serves(bed)
    for name, errors in _RELOAD.items():
        for error in errors:
            tally.fault("reloading", Fault(bed, name, error), error, reload)
    with check("nobody-was-cut-off") as suite:
        suite.note = str(tally.ends)
        assert set(tally.ends) == {"goes on"}, tally.ends
    with check("half-a-file"):
        text = bed.server.text
        for cut in range(0, len(text), 29):
            bed.server.configure(text[:cut] + "\n\toption pool 'cut")
            bed.server.signal(signal.SIGHUP)
            bed.loop.sleep(0.02)
        bed.server.configure(text)
        bed.server.signal(signal.SIGHUP)
        bed.loop.sleep(0.2)
        assert serves(bed) == "goes on"


@scenario()
def fails_at_the_end(bed, check):
    """Each call of the goodbye fails once: it ends in time with status 0 and nothing is left."""
    tally = Tally(bed, check)

    def goodbye():
        server = bed.server
        server.signal(signal.SIGTERM)
        assert server.wait_exit(2.5) == 0, server.tail()
        nothing_left(bed)
        return "ended in time"
    for name, errors in _GOODBYE.items():
        for error in errors:
            caller = bed.dial("c1", tun=False)
            tally.fault("goodbye", Fault(bed, name, error), error, goodbye)
            caller.drop()
            bed.serve()


@scenario()
def device_removed(bed, check):
    """The TUN device goes, and making it again fails; the LAN's bridge goes and comes back."""
    bed.open = bed.dial("c1")
    with check("tun-removed"):
        bed.router.ip_batch(["link del pptps0"])
        bed.loop.sleep(0.3)
        assert serves(bed) == "goes on"
    tally = Tally(bed, check)

    def remove():
        bed.router.ip_batch(["link del pptps0"])
        bed.loop.sleep(0.4)
        return serves(bed)
    for name, errors in _REMOVED.items():
        for error in errors:
            tally.fault("removed", Fault(bed, name, error), error, remove)
    with check("taken-down-and-up"):
        bed.router.ip_batch(["link set pptps0 down"])
        bed.ping("c1", LAN, count=2, wait=0.1)
        bed.server.signal(signal.SIGHUP)
        bed.loop.sleep(0.3)
        assert serves(bed) == "goes on"
    with check("bridge-made-again"):
        bed.router.ip_batch(["link del br-lan"])
        bed.ping("c1", LAN, count=2, wait=0.1)
        bed.router.ip_batch(["link add br-lan type bridge forward_delay 0", "link set br-lan up",
                             f"addr add {LAN_ROUTER}/24 dev br-lan", "link set lan0 master br-lan"])
        bed.loop.sleep(0.3)
        assert serves(bed) == "goes on"


@scenario(serve=False)
def killed(bed, check):
    """kill -9 with open calls leaves no device, route or neighbour; the next start serves."""
    for number in range(3):
        with check(f"kill-{number}"):
            bed.serve()
            callers = [bed.dial("c1"), bed.dial("c2", "bob")]
            bed.assert_ping("c1", LAN)
            bed.server.kill()
            nothing_left(bed)
            for caller in callers:
                caller.drop()
            bed.problems.clear()


@scenario(serve=False)
def log_stuck(bed, check):
    """A full disk under the log, and a log that nobody reads, stop nothing."""
    for name in ("full", "nobody-reads", "reader-gone"):
        with check(name):
            server, reading = start_logging_to(bed, name)
            for _ in range(3):
                bed.dial("c1", tun=False).hang_up()
            flood(bed)
            bed.open = bed.dial("c1")
            assert serves(bed) == "goes on"
            bed.open.drop()
            assert server.stop() == 0
            for fd in reading:
                os.close(fd)
            bed.problems.clear()


def start_logging_to(bed, name):
    """A server whose standard error is a full disk, or a pipe with one page of room."""
    server = bed.server = Server(bed)
    reading, writing = (None, os.open("/dev/full", os.O_WRONLY)) if name == "full" else os.pipe()
    if reading is not None:
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    server.configure(server.text)
    server.process = bed.router.popen([bed.binary, "-c", server.config], stdin=subprocess.DEVNULL,
                                      stdout=writing, stderr=writing)
    os.close(writing)
    with open(server.log_path, "w"):
        pass
    if name == "reader-gone":
        os.close(reading)
        reading = None
    bed.loop.sleep(0.5)
    return server, [] if reading is None else [reading]


def flood(bed):
    """More lines than the pipe has room for."""
    for _ in range(4):
        for _ in range(45):         # no more lines than this are logged in a second
            caller = bed.caller("c2", "bob", tun=False)
            caller.connect()
            caller.control.reset()
            caller.drop()
        bed.loop.sleep(1.0)
