"""The server process under test: its configuration, its log, its end."""
import os
import re
import signal
import subprocess

USERS = ({"username": "alice", "password": "alice-Pass1"},
         {"username": "bob", "password": "bob-Pass1"},
         {"username": "carol", "password": "carol-Pass1", "ip": "192.168.77.50"})
MAIN = {"listen": ["0.0.0.0"], "name": "pptp-server", "local_ip": "192.168.77.1",
        "pool": "192.168.77.10-192.168.77.99", "dns": ["192.168.77.1", "192.168.77.2"],
        "log_level": "debug"}


def uci(users=USERS, **options):
    """The text of a UCI file; option values of None leave the default line out."""
    lines = ["config server 'main'"]
    lines += values({**MAIN, **options})
    for user in users:
        lines += ["", "config user", *values(user)]
    return "\n".join(lines) + "\n"


def values(options):
    for name, value in options.items():
        if isinstance(value, (list, tuple)):
            yield from (f"\tlist {name} '{item}'" for item in value)
        elif value is not None:
            yield f"\toption {name} '{value}'"


def resident(bed, figure="VmRSS"):
    """The server's memory as text. Without the pages of the program file, which is three times as
    large here as on a router, it must stay under 1.25 MiB: a quarter is for packets that wait under overload."""
    size = bed.server.status(figure)
    own = size - bed.server.status("RssFile")
    assert own < 1280, f"{figure} is {size} KiB, {own} of them written to"
    return f"{figure} {size} KiB, {own} of them written to"


class Server:
    def __init__(self, bed, text=None, command=(), mode=0o600, **options):
        self.mode = mode            # of the configuration file
        self.bed, self.loop, self.command = bed, bed.loop, list(command)
        self.text = uci(**options) if text is None else text
        self.config = os.path.join(bed.directory, "config")
        self.log_path = os.path.join(bed.directory, "log")
        self.process = None

    def configure(self, text=None, **options):
        with open(self.config, "w") as file:
            file.write(uci(**options) if text is None else text)
        os.chmod(self.config, self.mode)

    def launch(self, arguments=None):
        """Starts the process; `command` may be a wrapper that takes rights away."""
        self.configure(self.text)
        arguments = ["-c", self.config] if arguments is None else arguments
        with open(self.log_path, "w") as log:
            self.process = self.bed.router.popen(
                [*self.command, self.bed.binary, *arguments], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log)

    def start(self, listeners=1):
        self.launch()
        self.loop.until(lambda: self.ready(listeners) or self.process.poll() is not None, 10,
                        "the server's `listening on`")
        if not self.ready(listeners):
            raise AssertionError(f"the server ended with {self.process.returncode}: {self.tail()}")

    def ready(self, listeners):
        return self.log().count("listening on ") >= listeners

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def tail(self, lines=8):
        return " | ".join(self.log().splitlines()[-lines:])

    def wait_log(self, pattern, timeout=5):
        self.loop.until(lambda: re.search(pattern, self.log()), timeout, f"log line /{pattern}/")

    def wait_exit(self, timeout=5):
        self.loop.until(lambda: self.process.poll() is not None, timeout, "the server's end")
        return self.process.returncode

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def status(self, name):
        """A figure of /proc/PID/status in KiB."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(rf"^{name}:\s+(\d+)", file.read(), re.M)[1])

    def cpu(self):
        """Seconds of processor time so far."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self, timeout=3):
        """SIGTERM; the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait_exit(timeout)

    def kill(self):
        if self.alive():
            self.process.kill()
            self.process.wait()
