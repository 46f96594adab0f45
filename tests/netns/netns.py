"""Network namespaces: made, entered for a moment (sockets stay where they were opened), removed."""
import ctypes
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import traceback

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_home = os.open("/proc/self/ns/net", os.O_RDONLY)
_PR_SET_PDEATHSIG = 1
_SIOCETHTOOL, _ETHTOOL_STXCSUM = 0x8946, 0x17


def _setns(fd):
    if _libc.setns(fd, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def die_with_parent():
    """No process of ours outlives the test, even if that is killed."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def remove_orphans(prefix):
    """Namespaces `PREFIX<pid>-...` of runs that were killed."""
    listed = subprocess.run(["ip", "netns", "list"], text=True, capture_output=True).stdout
    for name, pid in re.findall(rf"^({prefix}(\d+)-\S+)", listed, re.M):
        if not os.path.exists(f"/proc/{pid}"):
            subprocess.run(["ip", "netns", "del", name], check=False)


class Netns:
    def __init__(self, name):
        self.name = name
        subprocess.run(["ip", "netns", "add", name], check=True)
        self.fd = os.open(f"/run/netns/{name}", os.O_RDONLY)
        self.ip_batch(["link set lo up"])

    def __enter__(self):
        _setns(self.fd)
        return self

    def __exit__(self, *_):
        _setns(_home)

    def ip_batch(self, lines):
        done = subprocess.run(["ip", "-n", self.name, "-batch", "-"], input="\n".join(lines),
                              text=True, capture_output=True)
        if done.returncode:
            raise RuntimeError(f"ip -n {self.name}: {lines}: {done.stderr.strip()}")

    def ip(self, *arguments):
        return subprocess.run(["ip", "-n", self.name, *arguments], text=True,
                              capture_output=True).stdout

    def sysctl(self, name, value):
        with self, open("/proc/sys/" + name.replace(".", "/"), "w") as file:
            file.write(str(value))

    def checksums(self, device):
        """Checksums are done by the sender itself: a line that copies frames needs them."""
        with self, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            value = ctypes.create_string_buffer(struct.pack("II", _ETHTOOL_STXCSUM, 0))
            request = struct.pack("16sP", device.encode(), ctypes.addressof(value))
            ctypes_ioctl(sock.fileno(), _SIOCETHTOOL, request)

    def popen(self, command, **keywords):
        with self:
            return subprocess.Popen(command, preexec_fn=die_with_parent, **keywords)

    def spawn(self, loop, function, *arguments, **keywords):
        return Task(loop, self, function, arguments, keywords)

    def remove(self):
        os.close(self.fd)
        subprocess.run(["ip", "netns", "del", self.name], check=False)


def ctypes_ioctl(fd, request, argument):
    if _libc.ioctl(fd, ctypes.c_ulong(request), argument) < 0:
        raise OSError(ctypes.get_errno(), "ioctl")


class Task:
    """A function in a child process of its own inside a namespace. Sockets among its arguments
    are handed over, everything else that is open here is closed there: a copy of a caller's
    socket would keep its connection alive."""

    def __init__(self, loop, netns, function, arguments, keywords):
        self.loop, self.name, self.octets, self.done = loop, function.__name__, b"", False
        self.pipe, theirs = os.pipe()
        sys.stdout.flush()
        self.pid = os.fork()
        if not self.pid:
            self.child(netns, theirs, function, arguments, keywords)
        os.close(theirs)
        for argument in arguments:
            if isinstance(argument, socket.socket):
                argument.close()
        os.set_blocking(self.pipe, False)
        loop.watch(self.pipe, self.read)

    @staticmethod
    def child(netns, pipe, function, arguments, keywords):
        code = 1
        try:
            die_with_parent()
            _setns(netns.fd)
            close_all_but({0, 1, 2, pipe, *(a.fileno() for a in arguments
                                            if isinstance(a, socket.socket))})
            answer = {"value": function(*arguments, **keywords)}
            code = 0
        except BaseException as error:      # reported by the parent, whatever it is
            answer = {"error": f"{error!r} {traceback.format_exc(limit=-2)}"}
        os.write(pipe, json.dumps(answer).encode())
        os._exit(code)

    def read(self):
        octets = os.read(self.pipe, 65536)
        self.octets += octets
        if not octets:
            self.finish()

    def finish(self):
        if not self.done:
            self.done = True
            self.loop.forget(self.pipe)
            os.close(self.pipe)
            os.waitpid(self.pid, 0)

    def result(self, timeout=20):
        try:
            self.loop.until(lambda: self.done, timeout, self.name)
        finally:
            self.kill()
        answer = json.loads(self.octets or b'{"error": "ended without a word"}')
        if "error" in answer:
            raise AssertionError(f"{self.name}: {answer['error']}")
        return answer["value"]

    def kill(self):
        if not self.done:
            os.kill(self.pid, 9)
            self.finish()


def close_all_but(keep):
    for entry in os.listdir("/proc/self/fd"):
        if int(entry) not in keep:
            try:
                os.close(int(entry))
            except OSError:
                pass                # the listing's own descriptor
