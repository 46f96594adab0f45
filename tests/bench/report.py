"""Tables and lines of the benchmark."""
import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Table:
    """Columns of words, as wide as they need to be."""

    def __init__(self, *head):
        self.rows = [head]

    def row(self, *words):
        self.rows.append([str(word) for word in words])

    def show(self):
        widths = [max(map(len, column)) for column in zip(*self.rows)]
        for first, *rest in self.rows:
            print(first.ljust(widths[0]), *(word.rjust(width) for word, width in zip(rest, widths[1:])), sep='  ')
        print(flush=True)


BASELINE = f'{ROOT}/tests/bench/baseline'
TOLERANCE = 0.03


def compare(found, options):
    """Says what got worse or better than in the stored baseline; ends with an error if anything got worse. The option
    `baseline=write` stores the figures instead."""
    known = {}
    if os.path.exists(BASELINE):
        with open(BASELINE, encoding='ascii') as file:
            known = {name: int(value) for name, value in (line.rsplit(' ', 1) for line in file)}
    if options.get('baseline') == 'write':
        with open(BASELINE, 'w', encoding='ascii') as out:
            out.writelines(f'{name} {value}\n' for name, value in sorted({**known, **found}.items()))
        return
    worse = [name for name, value in found.items() if value > known.get(name, value) * (1 + TOLERANCE)]
    better = [name for name, value in found.items() if value < known.get(name, value) * (1 - TOLERANCE)]
    for word, names in ('worse', worse), ('better', better):
        for name in names:
            print(f'{word} {name}: {found[name]} instead of {known[name]}')
    if worse:
        raise SystemExit(1)
