"""What the real server takes of memory: with more and more open calls under one limit, and under other limits, since all
of the memory is taken at the start. And what the library's part of it is on MIPS."""
import subprocess

from counting import build, build_mips
from hostbed import Site
from report import Table

CALLS = [0, 1, 32, 128, 1000]
SPARE = 32      # connections beside those of the calls


def run(_options):
    with Site() as site:
        by_calls(site)
        by_limit(site)
    on_mips()


def by_calls(site):
    """One process, to which calls come."""
    table = Table(f'KiB resident, max_sessions {max(CALLS)}', 'all', 'without the program file')
    serve(site, max(CALLS))
    for before, calls in zip([0, *CALLS], CALLS):
        if calls > before:
            site.call(calls=calls - before)
        table.row(f'{calls} calls', site.memory(), own(site))
    site.stop()
    table.show()


def by_limit(site):
    """A process for each limit, with as many calls as it allows."""
    table, first = Table('KiB resident, all calls open', 'all', 'without the program file', 'octets for each call more'), None
    for limit in CALLS[1:]:
        serve(site, limit)
        site.call(calls=limit)
        first = first or own(site)
        more = (own(site) - first) * 1024 // (limit - 1) if limit > 1 else ''
        table.row(f'max_sessions {limit}', site.memory(), own(site), more)
        site.stop()
    table.show()


def on_mips():
    """The storage that the program hands to the library, by the sizes of the types."""
    table = Table('octets of the library', 'x86-64', 'mipsel', 'for each call more', '')
    programs, first = [[build('pptp-bench')], ['qemu-mipsel', '-cpu', '24Kc', build_mips()]], None
    for limit in CALLS[1:]:
        octets = [int(subprocess.run([*words, 'sizes', str(limit)], check=True, capture_output=True).stdout) for words in programs]
        first = first or octets
        more = [(now - then) // (limit - 1) if limit > 1 else '' for now, then in zip(octets, first)]
        table.row(f'max_sessions {limit}', *octets, *more)
    table.show()


def serve(site, limit):
    site.serve(max_sessions=limit, max_connections=limit + SPARE)


def own(site):
    """Without the pages of the program file, which can be read again at any time."""
    return site.memory() - site.memory('RssFile')
