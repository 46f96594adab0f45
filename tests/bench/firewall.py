"""Rules that every forwarded packet walks through and none of them matches: the worst that a large ruleset can do. (In a
ruleset of fw4's shape the first rule accepts what belongs to a known connection, however many follow.)"""


def rules(count):
    """A ruleset for `nft -f`."""
    lines = (f'\t\tip saddr 198.18.{number // 250}.{number % 250 + 1} tcp dport {1000 + number} counter drop' for number in range(count))
    return '\n'.join(['table inet more {', '\tchain forward {', '\t\ttype filter hook forward priority -1; policy accept;', *lines,
                      '\t}', '}', ''])
