"""Instructions of the program alone for a packet: MPPE, and the whole library in both directions; by QEMU on MIPS, by
callgrind on this machine."""
import itertools
import os
import subprocess

from counting import HERE, WORK, build, build_mips, callgrind, debian
from report import Table, compare

SIZES = [1400, 576, 64]
COUNT = 640
# What is measured, and what of it is the measuring program's own.
PARTS = {'seal': None, 'open': 'seal', 'up': 'caller', 'down': None}


def run(options):
    debian.install('gcc', 'libc6-dev')
    counters = {'mipsel': on_mips(), 'host': on_host()}
    table, found = Table('instructions of the program per packet', 'octets', *counters), {}
    for part, size in itertools.product(PARTS, SIZES):
        costs = {machine: cost(counter, part, size) for machine, counter in counters.items()}
        table.row(part, size, *costs.values())
        found.update({f'cipher {machine} {part} {size}': value for machine, value in costs.items()})
    table.show()
    compare(found, options)


def cost(counter, part, size):
    """Two lengths of run: what starting and ending cost falls out."""
    own = cost(counter, PARTS[part], size) if PARTS.get(part) else 0
    return round((counter(part, size, 2 * COUNT) - counter(part, size, COUNT)) / COUNT) - own


def on_mips():
    program, plugin = build_mips(), f'{WORK}/count.so'
    os.makedirs(WORK, exist_ok=True)
    subprocess.run(['gcc', '-O2', '-Wall', '-fPIC', '-shared', '-o', plugin, f'{HERE}/count.c'], check=True)
    out = f'{WORK}/count'

    def count(part, size, packets):
        subprocess.run(['qemu-mipsel', '-cpu', '24Kc', '-plugin', f'{plugin},out={out}', program, part, str(size), str(packets)], check=True)
        with open(out, encoding='ascii') as file:
            return int(file.read())
    return count


def on_host():
    program = build('pptp-bench')
    return lambda part, size, packets: callgrind(program, part, size, packets)[0]
