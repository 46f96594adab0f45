"""A real caller at home: names, routes and rights, a network behind it, and lobbies of games."""
import subprocess
import sys

import home
from check import check, expect
from home import at_home
from machine import end_with_parent
from server import ALICE, BOB, GATEWAY

BEHIND = '192.168.5.1'


@check
def lan_names(bed):
    """pppd is told the name server; the caller asks it, and reaches the machine of that name."""
    with at_home() as lan:
        bed.server.start(lan_device=home.DEVICE, dns=[GATEWAY])
        lan.keep(subprocess.Popen([sys.executable, home.__file__, 'names', GATEWAY], preexec_fn=end_with_parent))
        caller = dial(bed.first, ALICE)
        told = caller.sh("sed -n 's/^nameserver //p' /etc/ppp/resolv.conf").split()
        expect(told == [GATEWAY], f'pppd wrote {told} into resolv.conf')
        answer = caller.run(f'busybox nslookup {home.NAME} {told[0]}')[1]
        expect(home.ADDRESS in answer, f'{home.NAME} is not known: {answer}')
        caller.expect_ping(home.ADDRESS)


@check
def lan_rights(bed):
    """The caller reaches the LAN and is reached from there; without the right to, no packet arrives."""
    with at_home() as lan:
        bed.server.start(users=[ALICE, {**BOB, 'lan': '0'}], lan_device=home.DEVICE)
        caller, other = dial(bed.first, ALICE), dial(bed.second, BOB)
        before = lan.echoes()
        caller.expect_ping(home.ADDRESS)
        expect(lan.echoes() == before + 5, f'the LAN counted {lan.echoes() - before} of 5 echoes')
        expect(lan.pings(caller.inner_address()), 'the caller does not answer the LAN')
        before = lan.echoes()
        expect(other.ping_loss(home.ADDRESS) == 100, 'an account without LAN was answered')
        expect(lan.echoes() == before, 'packets of an account without LAN arrived')
        expect(not lan.pings(other.inner_address()), 'an account without LAN was reached')
        other.expect_ping(caller.inner_address())


@check
def network_behind_a_caller(bed):
    """A router dials in and brings its network along: the LAN reaches it, and it the LAN."""
    with at_home() as lan:
        bed.server.start(users=[{**ALICE, 'route': [f'{BEHIND[:-1]}0/24']}, BOB], lan_device=home.DEVICE)
        caller = dial(bed.first, ALICE)
        caller.sh(f'ip addr add {BEHIND}/32 dev lo')
        try:
            expect(lan.pings(BEHIND), 'the network behind the caller is not reached')
            caller.expect_ping(home.ADDRESS, f'-I {BEHIND} -c 5 -i 0.2')
            other = dial(bed.second, BOB)
            other.sh(f'ip route add {BEHIND} dev ppp0')
            other.expect_ping(BEHIND)
        finally:
            caller.sh(f'ip addr del {BEHIND}/32 dev lo')


@check
def lobbies(bed):
    """A search by broadcast finds the room: of the LAN, of the caller, and of another caller."""
    with at_home() as lan:
        bed.server.start(lan_device=home.DEVICE)
        caller, other = dial(bed.first, ALICE), dial(bed.second, BOB)
        room = lan.start('host', '6112')
        found = caller.sh('lobby search 6112 ppp0').split(maxsplit=3)
        expect(found == ['found', home.ADDRESS, '6112', 'room of the LAN\n'], f'in the LAN: {found}')
        heard = room.communicate(timeout=20)[0].split()
        expect(heard[1:3] == [caller.inner_address(), '40123'], f'the LAN heard {heard}')
        for way, searches in ((f'{home.ADDRESS} 40321', None), (f'{other.inner_address()} 40123', other)):
            caller.sh('lobby host 6113 >/run/room 2>&1 & sleep 0.3')
            if searches:
                found = searches.sh('lobby search 6113 ppp0')
            else:
                found = lan.start('search', '6113').communicate(timeout=20)[0]
            expect(found.split() == f'found {caller.inner_address()} 6113 room of the caller'.split(), f'from {way}: {found!r}')
            heard = caller.sh('sleep 0.2; cat /run/room')
            expect(heard.split() == f'searched {way} room?'.split(), f'the caller heard {heard!r}, not {way}')


def dial(caller, account):
    """A caller with the way to the LAN that a split tunnel has."""
    caller.dial(account).wait_open()
    caller.sh(f'ip route replace {home.NETWORK} dev ppp0')
    caller.sh('ip route replace 192.168.77.0/24 dev ppp0')
    return caller
