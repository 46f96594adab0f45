"""What the checks stand on: an ubusd (the stand-in, or a real one), a netifd, and the server with
its socket; callers come from the bed of tests/netns."""
import os
import signal
import socket
import subprocess
import sys

import server
from busclient import BusClient

HERE = os.path.dirname(os.path.abspath(__file__))
OBJECT = "pptp-server"


class Server(server.Server):
    """The server with its bus."""

    def launch(self, arguments=None):
        super().launch(arguments or ["-c", self.config, "--ubus", self.bed.bus.path])


class Bus:
    """The ubusd of the bed."""

    def __init__(self, bed, real=None):
        self.bed, self.real = bed, real
        self.path = os.path.join(bed.directory, "ubus.sock")
        self.process, self.netifd, self.clients = None, None, []

    def start(self, *faults):
        assert not (faults and self.real), "a real ubusd has no faults"
        command = [self.real, "-s", self.path, "-A", os.path.join(self.bed.directory, "no-acl")]
        if not self.real:
            command = [sys.executable, os.path.join(HERE, "ubusd.py"), "-s", self.path, *faults]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self.bed.loop.until(self.listens, 5, "ubusd's socket")

    def listens(self):
        with socket.socket(socket.AF_UNIX) as sock:
            return sock.connect_ex(self.path) == 0

    def stop(self):
        """As at a crash: the socket's name stays."""
        for client in self.clients:
            client.close()
        self.clients = []
        if self.process:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def client(self):
        self.clients.append(BusClient(self.path))
        return self.clients[-1]

    def start_netifd(self):
        command = [sys.executable, os.path.join(HERE, "netifd.py"), self.path]
        self.netifd = self.bed.router.popen(command, stdin=subprocess.DEVNULL)

    def stop_netifd(self):
        if self.netifd:
            self.netifd.kill()
            self.netifd.wait()
            self.netifd = None

    def end(self):
        self.stop_netifd()
        self.stop()
        if os.path.exists(self.path):
            os.unlink(self.path)


def serve(bed, **options):
    """The server, which need not have found its bus yet."""
    bed.server = Server(bed, **options)
    bed.server.start()
    return bed.server


def on_bus(bed, *faults, **options):
    """An ubusd, the server, and a client that can call it."""
    bed.bus.start(*faults)
    serve(bed, **options)
    return meet(bed)


def meet(bed, timeout=10):
    """A client, once the server's object is there."""
    client = bed.bus.client()
    bed.loop.until(lambda: client.has(OBJECT), timeout, "the server's object")
    return client


def call(client, method, **arguments):
    return client.call(OBJECT, method, **arguments)


def session(client, name):
    """The open session of an account, or None."""
    found = [s for s in call(client, "status")["sessions"] if s["name"] == name]
    return found[0] if found else None


def heard(bed, client, name, timeout=5):
    """The values of the first notification of that name that has not been taken yet."""
    def first():
        client.hear()
        return next((h for h in client.heard if h[0] == name), None)
    found = bed.loop.until(first, timeout, f"the notification {name}")
    client.heard.remove(found)
    return found[1]
