"""Namespaces for measuring the real server: callers, a router in which it runs, and a machine of the LAN.

    one  203.0.113.11 --- w1 10.99.1.1 --+                                 +-- lan 192.168.50.2
    two  203.0.113.12 --- w2 10.99.2.1 --+-- router: server, 10.77.0.1, ---+   192.168.50.1

Each caller is behind a gateway, as in the Internet: itself, by a second address. Devices split and sum nothing that
they need not: they are as fast as veth pairs are.
"""
import fcntl
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

from counting import build, debian
from report import ROOT

sys.path.insert(0, f'{ROOT}/tests/netns')
from netns import Netns, remove_orphans  # noqa: E402

SERVER, GATEWAY, LAN = '10.99.1.1', '10.77.0.1', '192.168.50.2'
CALLERS = {'one': '203.0.113.11', 'two': '203.0.113.12'}
USER, PASSWORD = 'alice', 'alice-Pass1'
MTU = 1400

SO_RCVBUFFORCE = 33     # not in Python
TCP_LISTEN = '0A'       # in /proc/net/tcp
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000


class Site:
    """`with Site() as site`: everything is gone afterwards."""

    def __init__(self):
        if os.geteuid():
            sys.exit('needs root: namespaces, TUN devices and raw sockets')
        debian.install('iproute2', 'nftables')
        self.binary, self.caller = server_program(), build('pptp-caller')
        self.folder = tempfile.TemporaryDirectory(prefix='pptp-bench-')
        self.spaces, self.children, self.server = {}, [], None
        self.calls = 0      # so far: each has a Call ID of its own

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        remove_orphans('pb')
        for name in ('router', 'lan', *CALLERS):
            self.spaces[name] = Netns(f'pb{os.getpid()}-{name}')
        for number, (name, address) in enumerate(CALLERS.items(), 1):
            self.cable(name, 'wan', f'10.99.{number}.2', f'w{number}', f'10.99.{number}.1')
            self.spaces[name].ip_batch([f'addr add {address}/32 dev lo', f'route add 10.99.0.0/16 via 10.99.{number}.1 src {address}'])
            self.spaces['router'].ip_batch([f'route add {address} via 10.99.{number}.2'])
        self.cable('lan', 'eth0', LAN, 'lan', '192.168.50.1')
        self.spaces['lan'].ip_batch(['route add default via 192.168.50.1'])
        self.spaces['router'].sysctl('net.ipv4.ip_forward', 1)
        return self

    def cable(self, name, device, address, other, router):
        space = self.spaces[name]
        space.ip_batch([f"link add {device} type veth peer name {other} netns {self.spaces['router'].name}",
                        f'addr add {address}/24 dev {device}', f'link set {device} up'])
        self.spaces['router'].ip_batch([f'addr add {router}/24 dev {other}', f'link set {other} up'])

    def __exit__(self, *_):
        self.stop()
        for space in self.spaces.values():
            space.remove()
        self.folder.cleanup()

    def serve(self, **options):
        """Starts the server and waits until it listens."""
        file, log = (f'{self.folder.name}/{name}' for name in ('config', 'log'))
        settings = {'local_ip': GATEWAY, 'pool': '10.77.0.10-10.77.4.250', 'duplicate': 'allow', **options}
        with open(file, 'w', encoding='ascii', opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
            lines = ["config server 'main'", *(f"\toption {name} '{value}'" for name, value in settings.items()),
                     'config user', f"\toption username '{USER}'", f"\toption password '{PASSWORD}'"]
            out.write('\n'.join(lines) + '\n')
        with open(log, 'w', encoding='ascii') as out:
            self.server = self.spaces['router'].popen([self.binary, '-c', file], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        until(lambda: 'listening' in text(log) or self.server.poll() is not None, 'the server listens')
        if self.server.poll() is not None:
            raise RuntimeError(f'the server ended: {text(log)}')

    def call(self, name='one', calls=1, cipher='mppe'):
        """So many calls of one caller, with a TUN device for all of them. Their addresses."""
        space, device = self.spaces[name], f'tun{len(self.children)}'
        tun, gre = tun_device(space, device), gre_socket(space)
        words = [SERVER, USER, PASSWORD, str(self.calls + 1), str(calls), cipher]
        process = space.popen([self.caller, *words], stdin=tun, stdout=gre, stderr=subprocess.PIPE, text=True)
        self.calls += calls
        os.close(tun)
        gre.close()
        self.children.append(process)
        addresses = [address_of(process) for _ in range(calls)]
        space.ip_batch([*(f'addr add {address}/32 dev {device}' for address in addresses), f'link set {device} mtu {MTU} up',
                        f'route replace {LAN} dev {device}', f'route replace {GATEWAY} dev {device}'])
        return addresses

    def firewall(self, ruleset):
        """The router has this ruleset, and no other."""
        router = self.spaces['router']
        for text in 'flush ruleset', ruleset:
            with router:
                subprocess.run(['nft', '-f', '-'], input=text, text=True, check=True)

    def pass_by(self, name):
        """From now on what a caller sends from its outer address goes past the tunnel."""
        self.spaces[name].ip_batch([f'rule add from {CALLERS[name]} table 7', 'route add default via 10.99.1.1 table 7'])

    def stop(self):
        """No calls and no server."""
        for process in [*self.children, self.server]:
            if process:
                process.kill()
                process.wait()
        self.children, self.server = [], None
        until(self.is_free, 'the port is free: the kernel may take a moment')

    def is_free(self):
        """Whether nothing listens in the router."""
        with self.spaces['router'], open('/proc/net/tcp', encoding='ascii') as file:
            return not any(line.split()[3] == TCP_LISTEN for line in file)

    def cpu(self):
        """Seconds that the server has run on a processor so far."""
        with open(f'/proc/{self.server.pid}/schedstat', encoding='ascii') as file:
            return int(file.read().split()[0]) / 1e9

    def memory(self, figure='VmRSS'):
        """A figure of /proc/PID/status in KiB."""
        with open(f'/proc/{self.server.pid}/status', encoding='ascii') as file:
            return int(re.search(rf'^{figure}:\s+(\d+)', file.read(), re.M)[1])


def server_program():
    if 'PPTP_SERVER' in os.environ:
        return os.path.abspath(os.environ['PPTP_SERVER'])
    subprocess.run(['cargo', 'build', '--release', '--quiet', '--locked', '--bin', 'pptp-server'], cwd=ROOT, check=True)
    return f'{ROOT}/target/release/pptp-server'


def tun_device(space, name):
    with space:
        tun = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(tun, TUNSETIFF, struct.pack('16sH22x', name.encode(), IFF_TUN | IFF_NO_PI))
    return tun


def gre_socket(space):
    with space:
        gre = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_GRE)
        gre.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
        gre.setblocking(False)
        gre.connect((SERVER, 0))
    return gre


def address_of(process):
    line = process.stderr.readline()
    if not line.startswith('up '):
        raise RuntimeError(f'the caller ended: {line}{process.stderr.read()}')
    return line.split()[1]


def text(path):
    with open(path, encoding='utf-8') as file:
        return file.read()


def until(holds, what, seconds=30):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.02)
