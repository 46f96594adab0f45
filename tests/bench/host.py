"""Seconds of processor that the real server takes for a gigabyte of real TCP, and how fast that is, on this machine. Beside
it, in turn with it, the same without encryption: the floor that no cipher can get under."""
import statistics

from flows import transfer
from hostbed import LAN, Site
from report import Table

CIPHERS = ['mppe', 'plain']
GIGABYTE = 1e9


def run(options):
    """`options`: rounds=N size=MIB of each transfer."""
    rounds, size = int(options.get('rounds', 5)), int(options.get('size', 128))
    found = {}
    with Site() as site:
        for number in range(rounds + 1):
            for cipher in CIPHERS:
                for direction, values in turn(site, cipher, size).items():
                    if number:      # the first turn warms up
                        found.setdefault((cipher, direction), []).append(values)
    show(found)


def turn(site, cipher, size):
    """A fresh server and call, and a transfer each way: {direction: (CPU seconds per GB, MB per second, part of a core)}."""
    site.serve(mppe='required' if cipher == 'mppe' else 'off')
    [address] = site.call(cipher=cipher)
    caller, lan = site.spaces['one'], site.spaces['lan']
    ways = {'up': (caller, lan, LAN, size, address), 'down': (lan, caller, address, size)}
    found = {direction: measure(site, size, *way) for direction, way in ways.items()}
    site.stop()
    return found


def measure(site, size, *way):
    octets, before = size * (1 << 20), site.cpu()
    seconds = transfer(*way)
    cpu = site.cpu() - before
    return cpu / octets * GIGABYTE, octets / seconds / 1e6, cpu / seconds


def show(found):
    table = Table('real TCP, median (least to most)', 'CPU s per GB', '', 'MB/s', '', 'server busy')
    for (cipher, direction), values in found.items():
        cost, speed, busy = zip(*values)
        table.row(f'{cipher} {direction}', *words(cost, '.2f'), *words(speed, '.0f'), f'{statistics.median(busy):.0%}')
    table.show()
    for direction in 'up', 'down':
        cost = {cipher: statistics.median(value[0] for value in found[cipher, direction]) for cipher in CIPHERS}
        print(f"ratio no-cipher {direction} {cost['mppe'] / cost['plain']:.2f}")
    print()


def words(values, form):
    return f'{statistics.median(values):{form}}', f'({min(values):{form}} to {max(values):{form}})'
