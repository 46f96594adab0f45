"""IPv6 in the tunnel, with pppd's IPV6CP and a real kernel that makes its address itself."""
import re
import subprocess

from check import check, expect
from server import ALICE, BOB

PREFIX = 'fd12:3456:789a:77::'
INTERNET = '2001:db8:1::1'


@check
def ipv6_address(bed):
    """pppd with +ipv6: an address by router advertisement, and traffic with it in both directions."""
    bed.server.start(ipv6_prefix=[f'{PREFIX}/64'])
    with_internet()
    caller = bed.first.dial(ALICE, '+ipv6').wait_open()
    address = global_address(caller)
    route = caller.sh('ip -6 route show default')
    expect('dev ppp0' in route and 'proto ra' in route, f'no default route by the advertisement: {route!r}')
    for target in (f'{PREFIX}1', INTERNET, 'fe80::1%ppp0'):
        caller.expect_ping(target, '-6 -c 3 -i 0.2')
    caller.expect_ping()
    up, down = (caller.speed('-6', *way, target=INTERNET, seconds=2) for way in ((), ('-R',)))
    expect(min(up, down) > 0.2, f'{up:.2f} and {down:.2f} Mbit/s')
    second = bed.second.dial(BOB, '+ipv6').wait_open()
    caller.expect_ping(global_address(second), '-6 -c 3 -i 0.2')
    return f'{address}, {up:.1f} up, {down:.1f} Mbit/s down'


@check
def ipv6_refused(bed):
    """A pppd that wants none, and a server that has none: IPv4 lives on."""
    bed.server.start(ipv6_prefix=[f'{PREFIX}/64'])
    bed.first.dial(ALICE, 'noipv6').wait_open().expect_ping()
    bed.first.hang_up()
    bed.server.stop()
    bed.server.start()
    caller = bed.first.dial(ALICE, '+ipv6').wait_open()
    expect(caller.saw('Protocol-Reject for .IPv6 Control Protocol', 10), 'IPV6CP was not rejected')
    caller.expect_ping(options='-c 20 -i 0.2')


def with_internet():
    """The server's machine has an address and a way out beyond the tunnel; this process is in its namespace."""
    with open('/proc/sys/net/ipv6/conf/all/forwarding', 'w') as forward:
        forward.write('1')
    for words in ('link add beyond type bridge', 'link set beyond up', f'addr replace {INTERNET}/64 dev beyond nodad',
                  'route replace ::/0 dev beyond'):
        subprocess.run(['ip', *words.split()], check='add' not in words.split(), stderr=subprocess.DEVNULL)


def global_address(caller):
    show = f'ip -n {caller.name} -6 addr show dev ppp0 scope global'
    expect(caller.machine.until(f'{show} | grep -q inet6', 15), 'no address by router advertisement within 15 s')
    return re.search(r'inet6 ([0-9a-f:]+)/64', caller.machine.sh(show)).group(1)
