"""A machine of the LAN: a namespace behind the server's, with what runs there. `home.py WORDS...` is one of its
programs: `host PORT`, `search PORT`, `names ADDRESS`."""
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

from machine import end_with_parent

DEVICE = 'home'
ROUTER = '192.168.1.1'
ADDRESS = '192.168.1.10'
NETWORK = '192.168.1.0/24'
NAME = 'printer.lan'


class Home:
    """The machine; this process is in the server's namespace."""

    def __init__(self):
        self.sleeper = subprocess.Popen(['unshare', '-n', 'sleep', '600'], preexec_fn=end_with_parent)
        self.pid = str(self.sleeper.pid)
        self.programs = []

    def connect(self):
        own = os.readlink('/proc/self/ns/net')
        while os.readlink(f'/proc/{self.pid}/ns/net') == own:
            time.sleep(0.01)
        ip(f'link add {DEVICE} type veth peer name eth0 netns {self.pid}')
        ip(f'addr add {ROUTER}/24 brd + dev {DEVICE}')
        ip(f'link set {DEVICE} up')
        for words in ('link set lo up', f'addr add {ADDRESS}/24 brd + dev eth0', 'link set eth0 up', f'route add default via {ROUTER}'):
            self.run(f'ip {words}')

    def run(self, words):
        """(exit status, output) of a command there."""
        done = subprocess.run(['nsenter', '-t', self.pid, '-n', *words.split()], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def start(self, *words):
        """A program of this file, there."""
        command = ['nsenter', '-t', self.pid, '-n', sys.executable, __file__, *words]
        return self.keep(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=end_with_parent))

    def keep(self, program):
        self.programs.append(program)
        time.sleep(0.3)
        return program

    def pings(self, target):
        return self.run(f'ping -q -c 3 -i 0.2 -W 3 {target}')[0] == 0

    def echoes(self):
        """How many echo requests have arrived."""
        lines = [line.split() for line in self.run('cat /proc/net/snmp')[1].splitlines() if line.startswith('Icmp:')]
        return int(dict(zip(*lines))['InEchos'])

    def end(self):
        for process in [*self.programs, self.sleeper]:
            process.send_signal(signal.SIGKILL)
            process.wait()
        subprocess.run(['ip', 'link', 'del', DEVICE], stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def at_home():
    home = Home()
    try:
        home.connect()
        yield home
    finally:
        home.end()


def ip(words):
    subprocess.run(['ip', *words.split()], check=True)


def host(port):
    sock = udp('', int(port))
    text, (address, source) = sock.recvfrom(64)
    print('searched', address, source, text.decode())
    sock.sendto(b'room of the LAN', (address, source))


def search(port):
    sock = udp('', 40321)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    sock.sendto(b'room?', ('255.255.255.255', int(port)))
    text, (address, source) = sock.recvfrom(64)
    print('found', address, source, text.decode())


def names(address):
    """A name server that knows one name (RFC 1035): its address, and that there is nothing else to it."""
    sock = udp(address, 53)
    while True:
        question, source = sock.recvfrom(512)
        wanted = b''.join(bytes([len(part)]) + part.encode() for part in NAME.split('.')) + b'\0'
        known = question[12:12 + len(wanted)] == wanted
        asked = question[12:question.index(0, 12) + 5]
        is_address = known and asked.endswith(b'\0\1\0\1')
        head = question[:2] + (b'\x81\x80' if known else b'\x81\x83') + b'\0\1' + bytes([0, is_address]) + bytes(4)
        answer = b'\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4' + socket.inet_aton(ADDRESS) if is_address else b''
        sock.sendto(head + asked + answer, source)


def udp(address, port):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, port))
    sock.settimeout(20)
    return sock


if __name__ == '__main__':
    {'host': host, 'search': search, 'names': names}[sys.argv[1]](*sys.argv[2:])
