"""A test machine: QEMU without KVM, a kernel and initramfs of image.py, and a serial line for commands."""
import base64
import ctypes
import os
import select
import shlex
import signal
import socket
import subprocess
import time

import cpio
import debian
import image

PR_SET_PDEATHSIG = 1
HARDWARE = {
    'amd64': ['qemu-system-x86_64', '-M', 'q35', '-cpu', 'max'],
    'mipsel': ['qemu-system-mipsel', '-M', 'malta', '-cpu', '24Kf'],
}
HOST = {'amd64': 'qemu-system-x86', 'mipsel': 'qemu-system-mips'}
# On a Malta board two busy cards on one interrupt line lose interrupts: these slots have a line each.
SLOTS = {'amd64': [None] * 4, 'mipsel': [0x12, 0x14, 0x13, 0x15]}


def tap(name):
    """A network card on a TAP device of the network namespace that the driver runs in."""
    return f'tap,ifname={name},script=no,downscript=no'


def wire(path, first):
    """A network card on a cable to another machine: a unix socket, which the first of the two opens."""
    return f'stream,server={"on" if first else "off"},addr.type=unix,addr.path={path}'


class Machine:
    """`files` maps guest paths to contents that the machine gets beside its image."""

    def __init__(self, name, folder, arch='amd64', cards=(), files=None, memory=256, options=()):
        os.makedirs(folder, exist_ok=True)
        kernel, initrd = prepare(arch)
        self.name = name
        self.console = f'{folder}/{name}.console'
        self.line = f'{folder}/{name}.line'
        if files:
            initrd = extended(initrd, files, f'{folder}/{name}.initrd')
        self.command = [
            *HARDWARE[arch], '-accel', 'tcg', '-m', str(memory), '-nodefaults', '-display', 'none', '-no-reboot',
            '-kernel', kernel, '-initrd', initrd, '-append', 'console=ttyS0 quiet panic=-1 mitigations=off',
            '-serial', f'file:{self.console}', '-serial', f'unix:{self.line},server=on,wait=off',
        ]
        for number, (card, slot) in enumerate(zip(cards, SLOTS[arch])):
            self.command += self._card(number, card, slot)
        self.command += options
        self.process = None
        self.serial = socket.socket(socket.AF_UNIX)
        self.buffer = b''
        self.count = 0

    def _card(self, number, card, slot):
        kind, _, rest = card.partition(',')
        mac = f'52:54:00:{sum(self.name.encode()) % 256:02x}:00:{number:02x}'
        place = f',addr={slot:#x}' if slot else ''
        return ['-netdev', f'{kind},id=n{number},{rest}',
                '-device', f'virtio-net-pci,netdev=n{number},mac={mac},romfile={place}']  # a boot ROM costs seconds

    def start(self, timeout=120):
        self.power_on()
        self.wait_ready(timeout)
        return self

    def power_on(self):
        if os.path.exists(self.line):
            os.unlink(self.line)
        with open(f'{self.console}.qemu', 'wb') as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=end_with_parent)
        while True:
            try:
                return self.serial.connect(self.line)
            except (FileNotFoundError, ConnectionRefusedError):
                if self.process.poll() is not None:
                    raise RuntimeError(f'{self.name}: {open(f"{self.console}.qemu").read()}') from None
                time.sleep(0.02)

    def wait_ready(self, timeout=120):
        self._read_until('ready', timeout)

    def run(self, script, timeout=60):
        """Runs a shell script in the guest: (exit status, output and errors as text)."""
        self.count += 1
        request = base64.b64encode(script.encode()).decode()
        self.serial.sendall(f'{self.count} {request}\n'.encode())
        _, status, *output = self._read_until(f'{self.count} ', timeout).split()
        return int(status), base64.b64decode(''.join(output)).decode(errors='replace')

    def sh(self, script, timeout=60):
        """Output of a script that must succeed."""
        status, output = self.run(script, timeout)
        if status:
            raise RuntimeError(f'{self.name}: status {status} of {script!r}: {output.strip()[-1000:]}')
        return output

    def until(self, script, seconds):
        """Waits for a script in the guest to succeed; tells whether it did."""
        return self.run(f'''
            end=$(($(cut -d. -f1 /proc/uptime) + {seconds}))
            until sh -c {shlex.quote(script)} >/dev/null 2>&1; do
                [ $(cut -d. -f1 /proc/uptime) -lt $end ] || exit 1
                sleep 0.1
            done''', seconds + 30)[0] == 0

    def _read_until(self, start, timeout):
        """The next whole line that begins with `start`."""
        end = time.monotonic() + timeout
        while True:
            *lines, self.buffer = self.buffer.split(b'\n')
            for line in lines:
                if line.decode(errors='replace').startswith(start):
                    return line.decode()
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.serial], [], [], left)[0]:
                raise TimeoutError(f'{self.name}: nothing on the line; console: {self._console_end()}')
            octets = self.serial.recv(65536)
            if not octets:
                raise EOFError(f'{self.name} is gone; console: {self._console_end()}')
            self.buffer += octets

    def _console_end(self):
        return open(self.console, errors='replace').read()[-1500:]

    def stop(self):
        """Power off, as if the plug were pulled."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.serial.close()


def prepare(arch):
    """Installs and builds what a machine needs. A driver that leaves the host's network does this before."""
    debian.install(HOST[arch])
    return image.build(arch)


def extended(initrd, files, path):
    """The kernel unpacks one archive after the other: the image, then the files of this machine."""
    archive = cpio.Archive()
    for name, data in files.items():
        archive.file(name.lstrip('/'), data)
    archive.write(path)
    with open(path, 'rb') as extra:
        tail = extra.read()
    with open(initrd, 'rb') as base, open(path, 'wb') as out:
        out.write(base.read() + tail)
    return path


def end_with_parent():
    """No machine outlives a driver that was killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
