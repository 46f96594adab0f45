"""Seconds of processor that the real server takes for a gigabyte of real TCP, and how fast that is, on this machine. Beside
it, in turn with it, the same without encryption: the floor that no cipher can get under. And the same with many rules in
the firewall."""
import itertools
import statistics

from firewall import rules
from flows import transfer
from hostbed import LAN, Site
from report import Table

# Name: (cipher, rules in the firewall, or None without any).
CASES = {'mppe': ('mppe', None), 'no cipher': ('plain', None), 'mppe, 100 rules': ('mppe', 100), 'mppe, 1000 rules': ('mppe', 1000)}
# What is compared with what, and its name.
RATIOS = [('mppe', 'no cipher', 'no-cipher'), ('mppe, 100 rules', 'mppe', 'rules=100'), ('mppe, 1000 rules', 'mppe', 'rules=1000')]
GIGABYTE = 1e9


def run(options):
    """`options`: rounds=N size=MIB of each transfer."""
    rounds, size = int(options.get('rounds', 5)), int(options.get('size', 128))
    found = {}
    with Site() as site:
        for number in range(rounds + 1):
            for name, case in CASES.items():
                for direction, values in turn(site, *case, size).items():
                    if number:      # the first turn warms up
                        found.setdefault((name, direction), []).append(values)
    show(found)


def turn(site, cipher, count, size):
    """A fresh server and call, and a transfer each way: {direction: (CPU seconds per GB, MB per second, part of a core)}."""
    site.firewall(rules(count) if count else '')
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
    for (name, direction), values in found.items():
        cost, speed, busy = zip(*values)
        table.row(f'{name} {direction}', *words(cost, '.2f'), *words(speed, '.0f'), f'{statistics.median(busy):.0%}')
    table.show()
    for (name, other, label), direction in itertools.product(RATIOS, ('up', 'down')):
        cost = [statistics.median(value[0] for value in found[case, direction]) for case in (name, other)]
        print(f'ratio {label} {direction} {cost[0] / cost[1]:.2f}')
    print()


def words(values, form):
    return f'{statistics.median(values):{form}}', f'({min(values):{form}} to {max(values):{form}})'
