"""The test beds: one client machine with two callers, and a server that they dial."""
import ctypes
import os
import subprocess

import debian
import image
from caller import Caller
from capture import OUTER
from check import Skipped
from machine import Machine, end_with_parent, prepare, tap
from server import ADDRESSES, Server

CLONE_NEWNET = 0x40000000
HOST = ['iproute2', 'iputils-ping', 'iperf3', 'tshark']


class Bed:
    """What the beds have in common. All that needs the network is done when a bed is made; `start` needs none."""

    def __init__(self, folder, server, machine):
        self.folder = folder
        self.server = server
        self.machine = machine
        self.first = Caller(machine, 'first', '10.99.0.2', ADDRESSES[0])
        self.second = Caller(machine, 'second', '10.99.0.3', ADDRESSES[1])
        self.callers = [self.first, self.second]

    def connect_callers(self, cable=True):
        """To a bridge in the client machine, and by its cable to the server's."""
        self.machine.sh('ip link add bridge type bridge && ip link set bridge up'
                        + (' && ip link set eth0 master bridge up' if cable else ''))
        for caller in self.callers:
            caller.connect_line()

    def clear(self):
        """Nobody calls, the lines are clean, no server runs."""
        self.machine.run(''.join(caller.restoring() for caller in self.callers))
        self.server.stop()

    def keep_logs(self, name):
        """What both sides said in a check that failed."""
        with open(f'{self.folder}/{name}.log', 'w', encoding='utf-8') as out:
            out.write(f'== server\n{self.server.log()}')
            for caller in self.callers:
                out.write(f'== {caller.name}\n{caller.log()}')

    def stop(self):
        self.server.stop()
        self.machine.stop()


class HostBed(Bed):
    """The server in a network namespace of its own, the client machine on its TAP device."""

    def __init__(self, folder):
        if os.geteuid():
            raise Skipped('needs root: namespaces, TAP devices and raw sockets')
        debian.install(*HOST)
        prepare('amd64')
        super().__init__(folder, Server(program(), folder), Machine('client', folder, cards=[tap(OUTER)]))
        self.iperf = None

    def start(self):
        """The namespace is this process's own: it goes, with all that is in it, when the process ends."""
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
            raise PermissionError('a network namespace needs root')
        command('ip link set lo up')
        command(f'ip tuntap add {OUTER} mode tap')
        for address in ADDRESSES:
            command(f'ip addr add {address}/24 dev {OUTER}')
        command(f'ip link set {OUTER} up')
        with open('/proc/sys/net/ipv4/ip_forward', 'w') as forward:  # as on a router: callers reach each other
            forward.write('1')
        self.iperf = subprocess.Popen(['iperf3', '-s'], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      preexec_fn=end_with_parent)
        self.machine.start()
        self.connect_callers()

    def stop(self):
        super().stop()
        if self.iperf:
            self.iperf.kill()


def program():
    """cargo decides whether the program is up to date."""
    if 'PPTP_SERVER' in os.environ:
        return os.environ['PPTP_SERVER']
    subprocess.run(['cargo', 'build', '--release', '--quiet'], check=True, cwd=image.ROOT)
    return f'{image.ROOT}/target/release/pptp-server'


def command(words):
    subprocess.run(words.split(), check=True)
