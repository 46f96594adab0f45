"""Instructions of the library for a packet or a second, against the number of calls and what the line does to them."""
import itertools

from counting import build, callgrind
from report import Table, compare

COUNTED = 'pptp_bench::counted::*'
CALLS = [1, 8, 32, 128, 1000]
BURST = 16              # packets of one caller that come together, as segments of TCP do
PACKETS = 4000          # and at least a burst for each call
LINES = [(0, 0), (1, 0), (5, 0), (0, 1), (0, 5), (5, 5)]
SECONDS = 60


def run(options):
    program = build('pptp-bench')

    def cost(*words):
        """Instructions for each packet that arrived, or each second of a call."""
        instructions, printed = callgrind(program, *words, only=COUNTED)
        return round(instructions / int(printed))
    found = {**calls(cost), **lines(cost), **idle(cost)}
    compare({f'scale {name}': value for name, value in found.items()}, options)


def calls(cost):
    table, found = Table('instructions of the library per packet of 64 octets', 'up', 'up, mixed', 'down'), {}
    for count in CALLS:
        packets = max(PACKETS, BURST * count)
        costs = {'up': cost('calls-up', count, BURST, packets), 'mixed': cost('calls-up', count, 1, PACKETS),
                 'down': cost('calls-down', count, BURST, packets)}
        table.row(f'{count} calls', *costs.values())
        found.update({f'calls {way} {count}': value for way, value in costs.items()})
    table.show()
    for way, count in itertools.product(costs, CALLS[1:]):
        print(f"ratio one-call {way} 64 calls={count} {found[f'calls {way} {count}'] / found[f'calls {way} 1']:.3f}")
    print()
    return found


def lines(cost):
    table, found = Table('instructions of the library per packet that arrives', 'lost %', 'late %', '1 call', '8 calls'), {}
    for loss, late in LINES:
        costs = {count: cost('line', count, loss, late, 2 * PACKETS) for count in (1, 8)}
        table.row('64 octets', loss, late, *costs.values())
        found.update({f'line {count} calls lost {loss} late {late}': value for count, value in costs.items()})
    table.show()
    return found


def idle(cost):
    table, found = Table('instructions of the library while nobody sends', 'a call, a second', 'all, a second'), {}
    for count in CALLS:
        value = found[f'idle {count}'] = cost('idle', count, SECONDS)
        table.row(f'{count} calls', value, value * count)
    table.show()
    return found
