"""Calls that must come up, and what passes in them."""
import re

import image
from caller import SECURE
from capture import Capture
from check import check, expect
from server import ALICE, BOB, DNS

UTF8 = {'username': 'zoë', 'password': 'пароль-ñandú-€'}
ODD = {'username': 'odd one', 'password': ' a #b "c" \'d\' \\e $f '}
HASHED = {'username': 'hashed', 'nt_hash': '44ebba8d5312b8d611474411f56989ae'}  # of clientPass, RFC 2759 section 9.2
FIXED = {'username': 'fixed', 'password': 'always-the-same', 'ip': '192.168.77.50'}
STATEFUL = [*SECURE, 'plugin /usr/lib/stateful.so']


@check
def stateless(bed):
    """The call of a stock client: address, DNS, and the largest packet whole."""
    bed.server.start()
    caller = bed.first.dial(ALICE).wait_open()
    expect(in_pool(caller.inner_address()), f'{caller.inner_address()} is not in the pool')
    expect(caller.saw(r'rcvd \[CCP ConfAck .*\+H -M \+S -L -D -C'), 'the client did not get stateless 128 bit')
    names = caller.sh('cat /etc/ppp/resolv.conf').split()[1::2]
    expect(names == DNS, f'the client got the name servers {names}')
    caller.expect_ping()
    expect_full_size(caller)
    return f'mtu {caller.mtu()}'


def in_pool(address):
    start, _, last = address.rpartition('.')
    return start == '192.168.77' and 10 <= int(last) <= 99


def expect_full_size(caller):
    """The largest packet of ppp0 passes whole; 28 octets of it are the headers of IP and ICMP."""
    mtu = caller.mtu()
    expect(1300 <= mtu <= 1456, f'ppp0 has an MTU of {mtu}')
    caller.expect_ping(options=f'-c 5 -i 0.2 -M do -s {mtu - 28}')
    expect(caller.ping_loss(options=f'-c 1 -M do -s {mtu - 27}') == 100, 'a packet larger than the MTU passed')


@check
def defaults(bed):
    """Without a configuration: the account that the server prints is the one that works."""
    said = bed.server.start_unconfigured()
    password = re.search(r'password\W+([0-9A-Za-z]{20})\b', said, re.IGNORECASE)
    expect(password and re.search(r'\bvpn\b', said), f'no account in what the server says: {said!r}')
    caller = bed.first.dial({'username': 'vpn', 'password': password.group(1)}).wait_open()
    expect(in_pool(caller.inner_address()), f'{caller.inner_address()} is not in the pool')
    caller.expect_ping()


@check
def throughput(bed):
    bed.server.start()
    caller = bed.first.dial(ALICE).wait_open()
    return speeds(caller)


def speeds(caller, least=0.5):
    to_server, to_caller = caller.speed(), caller.speed('-R')
    expect(min(to_server, to_caller) >= least, f'TCP carries {to_server:.2f} Mbit/s up, {to_caller:.2f} down')
    return f'{to_server:.1f} Mbit/s up, {to_caller:.1f} down'


@check
def capture(bed):
    """A whole session as Wireshark sees it: well-formed, in one piece, and with nothing inside to read."""
    bed.server.start()
    with Capture(f'{image.OUTPUT}/session.pcap') as session:
        caller = bed.first.dial(ALICE).wait_open()
        expect_full_size(caller)
        caller.speed(seconds=1)
        caller.speed('-R', seconds=1)
        caller.hang_up()
    for layer in ('pptp', 'gre', 'lcp', 'chap', 'ccp', 'ipcp', 'ppp.protocol == 0x00fd'):
        session.expect_some(layer)
    session.expect_none('_ws.malformed || _ws.expert.severity == "Error"')
    session.expect_none('ip.flags.mf == 1 || ip.frag_offset > 0')
    session.expect_none('ppp.protocol == 0x0021')


@check
def clear(bed):
    """Only where the configuration lets it: a call without encryption, which a recording shows to be clear."""
    bed.server.start(mppe='optional')
    with Capture(f'{bed.folder}/clear.pcap') as session:
        bed.first.dial(ALICE, encryption=['refuse-eap', 'nomppe']).wait_open().expect_ping()
    session.expect_some('ppp.protocol == 0x0021')
    session.expect_none('_ws.malformed || _ws.expert.severity == "Error"')


@check
def stateful(bed):
    bed.server.start(mppe_stateful='1')
    caller = bed.first.dial(ALICE, encryption=STATEFUL).wait_open()
    expect_stateful(caller)
    expect_full_size(caller)
    note = speeds(caller)  # past many a count of 256, where the key changes
    caller.expect_ping()
    return note


def expect_stateful(caller):
    mode = r'CCP ConfAck .*-H -M \+S -L -D -C'
    expect(caller.saw(rf'rcvd \[{mode}'), 'the server did not grant stateful mode')
    expect(caller.saw(rf'sent \[{mode}'), 'the server did not ask for stateful mode when told to')


@check
def stateful_loss(bed):
    """Lost packets are asked for and answered with a flushed one, both ways."""
    bed.server.start(mppe_stateful='1')
    caller = bed.first.dial(ALICE, encryption=STATEFUL).wait_open()
    expect_stateful(caller)
    caller.spoil(to_caller='loss 3%')
    down = caller.speed('-R')
    expect(caller.saw(r'sent \[CCP ResetReq'), 'the client lost packets and asked for no reset')
    caller.spoil(to_server='loss 3%')
    up = caller.speed()
    expect(caller.saw(r'rcvd \[CCP ResetReq'), 'the server lost packets and asked for no reset')
    caller.spoil()
    caller.ping_loss(options='-c 2')  # the last loss may cost one more packet
    caller.expect_ping(options='-c 50 -i 0.02')
    return f'{up:.2f} Mbit/s up, {down:.2f} down'


@check
def stateful_not_allowed(bed):
    """Without the option the server brings a stateful client back to stateless."""
    bed.server.start()
    caller = bed.first.dial(ALICE, encryption=STATEFUL).wait_open()
    expect(caller.saw(r'rcvd \[CCP ConfAck .*\+H -M \+S -L -D -C'), 'the call is not stateless')
    caller.expect_ping()


@check
def utf8_password(bed):
    """pppd widens each octet of a password to 16 bits: a server must accept that, too."""
    bed.server.start(users=[UTF8])
    bed.first.dial(UTF8).wait_open().expect_ping()


@check
def domain_user(bed):
    bed.server.start()
    bed.first.dial({**ALICE, 'username': 'WORKGROUP\\alice'}).wait_open().expect_ping()


@check
def odd_password(bed):
    """Blanks, quotes and signs that mean something in configuration files."""
    bed.server.start(users=[ODD])
    bed.first.dial(ODD).wait_open().expect_ping()


@check
def nt_hash(bed):
    bed.server.start(users=[HASHED])
    bed.first.dial({'username': 'hashed', 'password': 'clientPass'}).wait_open().expect_ping()


@check
def fixed_address(bed):
    bed.server.start(users=[ALICE, FIXED])
    address = bed.first.dial(FIXED).wait_open().inner_address()
    expect(address == FIXED['ip'], f'the client got {address}')
    bed.first.expect_ping()


@check
def caller_to_caller(bed):
    """Two callers on two addresses of the server reach each other through it."""
    bed.server.start()
    bed.first.dial(ALICE)
    bed.second.dial(BOB).wait_open()
    bed.first.wait_open()
    for caller in bed.callers:
        caller.sh('ip route add 192.168.77.0/24 dev ppp0')
    bed.first.expect_ping(bed.second.inner_address())
    bed.second.expect_ping(bed.first.inner_address())
    bed.second.sh('iperf3 -s -1 >/dev/null 2>&1 &')
    return f'{bed.first.speed(target=bed.second.inner_address()):.1f} Mbit/s'


@check
def lossy_line(bed):
    """Lost and reordered packets cost speed, not the call."""
    bed.server.start()
    caller = bed.first.dial(ALICE).wait_open()
    caller.spoil('delay 10ms 2ms loss 2% reorder 10% 50%')
    loss = caller.ping_loss(options='-c 100 -i 0.05')
    expect(loss <= 15, f'2 % loss each way became {loss:g} % in ping')
    note = speeds(caller, 0.1)
    caller.spoil()
    caller.expect_ping(options='-c 20 -i 0.05')
    return f'{note}, ping lost {loss:g} %'
