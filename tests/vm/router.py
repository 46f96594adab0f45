"""The server where it is to live: in a MIPS machine with a kernel of its own, and the client machine at the other end of a cable."""
import os
import shlex
import signal
import subprocess

import image
from bed import Bed
from check import Skipped
from machine import Machine, prepare, wire
from server import ADDRESSES, Server

TARGET = 'mipsel_24kc'
PROGRAM = '/usr/sbin/pptp-server'
LIBC = '/usr/lib/ld-musl-mipsel-sf.so.1'     # as OpenWrt calls it
STATUS = '/run/server.status'
PID = '/run/server.pid'


class RouterBed(Bed):
    """Needs no root: the cable is a socket, the namespaces are the client machine's own."""

    def __init__(self, folder):
        for arch in ('mipsel', 'amd64'):
            prepare(arch)
        self.cable = f'{folder}/cable'
        self.router = Machine('router', folder, 'mipsel', cards=[wire(self.cable, True)], files=files())
        super().__init__(folder, RouterServer(self.router), Machine('peer', folder, cards=[wire(self.cable, False)]))

    def start(self):
        if os.path.exists(self.cable):
            os.unlink(self.cable)
        machines = self.router, self.machine  # the router's end of the cable is the one that listens
        for machine in machines:
            machine.power_on()
        for machine in machines:
            machine.wait_ready()
        self.router.sh('ip link set eth0 up\n' + ''.join(f'ip addr add {address}/24 dev eth0\n' for address in ADDRESSES)
                       + 'echo 1 >/proc/sys/net/ipv4/ip_forward; iperf3 -s >/dev/null 2>&1 &')
        self.connect_callers()

    def stop(self):
        self.router.stop()
        self.machine.stop()


class RouterServer(Server):
    """The server as a process of the MIPS machine."""

    def __init__(self, machine):
        super().__init__(PROGRAM, '/run')
        self.machine = machine

    def _run(self, *arguments):
        command = shlex.join([self.binary, *arguments])
        self.machine.sh(f'''rm -f {PID} {STATUS}
            ({command} </dev/null >{self.said_file} 2>{self.log_file} & echo $! >{PID}; wait $!; echo $? >{STATUS}) &
            until [ -s {PID} ]; do sleep 0.05; done''')

    def configure(self, users):
        self.machine.sh(f"umask 077; printf %s {shlex.quote(self.configuration(users))} >{self.file}")

    def reload(self, users):
        self.configure(users)
        self.machine.sh(f'kill -HUP $(cat {PID})')

    def log(self):
        return self.machine.run(f'cat {self.log_file}')[1]

    def status(self):
        said = self.machine.run(f'cat {STATUS}')[1]
        return int(said) if said.strip().isdigit() else None

    def running(self):
        return self.machine.run(f'[ -s {PID} ] && [ ! -e {STATUS} ]')[0] == 0

    def stop(self, how=signal.SIGTERM, seconds=10):
        """Ends the process and tells how long that took by the machine's own clock."""
        if not self.running():
            return 0.0
        begin, end = self.machine.sh(f'''now() {{ cut -d' ' -f1 /proc/uptime; }}
            now; kill -{how.value} $(cat {PID})
            for i in $(seq {seconds * 20}); do [ ! -s {STATUS} ] || break; sleep 0.05; done
            now; [ -s {STATUS} ] || kill -9 $(cat {PID})''').split()
        return float(end) - float(begin)

    def memory(self):
        """KiB that the process takes, and KiB of libc.so that it only reads: these are in a router's memory once, for all
        programs."""
        own, shared, is_libc = 0, 0, False
        for line in self.machine.sh(f'cat /proc/$(cat {PID})/smaps').splitlines():
            name, *words = line.split()
            if not name.endswith(':'):
                is_libc = words[-1] == LIBC and 'w' not in words[0]
            elif name == 'Rss:' and is_libc:
                shared += int(words[0])
            elif name == 'Rss:':
                own += int(words[0])
        return own, shared


def built(target):
    """The folder with the programs of a target. The cross build decides whether they are up to date."""
    done = subprocess.run([f'{image.ROOT}/cross/build', target], capture_output=True, text=True)
    if done.returncode:
        raise Skipped(f'cross/build {target}: {done.stderr.strip()[-300:]}')
    return f'{image.ROOT}/target/openwrt/{target}'


def files():
    """What packages have in them, and a router's C library."""
    return {PROGRAM: contents(f'{built(TARGET)}/pptp-server-shared'),
            LIBC: contents(f'{image.ROOT}/target/cross/sysroot/{TARGET}/lib/libc.so')}


def contents(path):
    with open(path, 'rb') as file:
        return file.read()
