"""Round trips of a ping through the tunnel, alone and beside transfers at full speed, of another caller and of the same
one; and past the tunnel over the same cables, where a transfer takes nothing but the processors."""
import contextlib
import statistics

from flows import Stream, pings
from hostbed import CALLERS, LAN, Site
from report import Table

PINGS = 500
LOADS = {'alone': None, 'beside another caller, up': ('two', 'up'), 'beside another caller, down': ('two', 'down'),
         'beside its own, up': ('one', 'up'), 'beside its own, down': ('one', 'down')}


def run(options):
    """`options`: pings=N."""
    count = int(options.get('pings', PINGS))
    table = Table('round trip in ms', 'past it: median', '99 %', 'tunnel: median', '99 %', 'lost', 'MB/s beside it')
    with Site() as site:
        site.serve()
        inner = {name: site.call(name)[0] for name in CALLERS}
        site.pass_by('one')
        for name, load in LOADS.items():
            with transfer(site, inner, load) as stream:
                # In turn, so that both have the same machine.
                rounds = [pings(site.spaces['one'], LAN, count // 10, source=source)
                          for _ in range(10) for source in (CALLERS['one'], inner['one'])]
            past, tunnel = (sum(rounds[way::2], []) for way in (0, 1))
            table.row(name, *figures(past), *figures(tunnel), tunnel.count(None), f'{stream.speed():.0f}' if stream else '')
    table.show()


def transfer(site, inner, load):
    if not load:
        return contextlib.nullcontext()
    name, direction = load
    caller, lan, address = site.spaces[name], site.spaces['lan'], inner[name]
    return Stream(caller, lan, LAN, address) if direction == 'up' else Stream(lan, caller, address)


def figures(times):
    times = sorted(time for time in times if time is not None)
    return f'{statistics.median(times):.2f}', f'{times[len(times) * 99 // 100]:.2f}'
