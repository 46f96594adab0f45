"""What a lossy line leaves of a call, beside poptop with pppd (a bed of pair.py): the same client on the same line.

PPTP_LOSS='0 1 2 5 10 20 30' PPTP_SECONDS=15 tests/vm/run loss-beside-poptop    the table of the README
"""
import os
import time

from check import check, expect
from server import ALICE, GATEWAY

RATES = [int(rate) for rate in os.environ.get('PPTP_LOSS', '10').split()]
SECONDS = int(os.environ.get('PPTP_SECONDS', 6))    # of TCP, in each direction
PACKETS = 250 * SECONDS
DELAY = 20      # ms each way
# What chance may take from us: points of the packets that arrive; part of what TCP carries. Where more is lost than
# COMPARED, one TCP connection is silent for most of such a time, and chance decides: it is shown, not compared.
PACKET_MARGIN, TCP_MARGIN, COMPARED = 4, 0.6, 10
PORT = 5001


@check
def loss_beside_poptop(bed):
    """As many packets arrive, and TCP carries as much."""
    found = {server.name: figures(bed, server) for server in (bed.server, bed.poptop)}
    ours, theirs = found.values()
    print(table(found))
    for rate in RATES:
        for way in 'up', 'down':
            mine, other = ours[rate, way], theirs[rate, way]
            expect(mine[0] >= other[0] - PACKET_MARGIN,
                   f'{rate} % loss {way}: {mine[0]:.1f} % of the packets arrive, {other[0]:.1f} % with poptop')
            expect(rate > COMPARED or mine[1] >= other[1] * TCP_MARGIN,
                   f'{rate} % loss {way}: TCP carries {mine[1]:.0f} kbit/s, {other[1]:.0f} with poptop')
    return f'{len(RATES)} rates of loss'


def figures(bed, server):
    """{(loss in percent, direction): (percent of the packets that arrive, kbit/s of TCP, whether the call lived on)}."""
    server.begin()
    caller, found = dial(bed), {}
    for rate in RATES:
        caller.spoil(f'delay {DELAY}ms' + (f' loss {rate}%' if rate else ''))
        packets = arrivals(bed, caller, server)
        tcp = tcp_up(caller, bed), tcp_down(caller, bed)
        lives = packets is not None and caller.is_open()
        expect(lives or server is bed.poptop, f'the call ended at {rate} % loss')
        up, down = packets or (0, 0)
        found[rate, 'up'], found[rate, 'down'] = (up, tcp[0], lives), (down, tcp[1], lives)
        caller.spoil()
        if not lives:
            caller.kill()
            dial(bed)
    caller.hang_up()
    server.end()
    return found


def dial(bed):
    return bed.first.dial(ALICE, 'mtu 1400').wait_open()


def arrivals(bed, caller, server):
    """Percent of the packets that arrive in each direction, or None if the call ended. The requests of one ping go
    up and its answers down; the network devices at both ends count them."""
    def counters():
        far = bed.machine.sh(f'cd /sys/class/net/{server.device}/statistics; cat rx_packets tx_packets')
        near = caller.sh('cd /sys/class/net/ppp0/statistics; cat tx_packets rx_packets')
        return [int(number) for number in (near + far).split()]
    before = counters()
    caller.run(f'ping -q -c {PACKETS} -i 0.006 -s 572 -W 1 {GATEWAY}', PACKETS * 0.006 * 5 + 60)
    if not caller.is_open():
        return None
    sent_up, got_down, got_up, sent_down = [now - then for now, then in zip(counters(), before)]
    expect(sent_up >= PACKETS, f'ping sent {sent_up} of {PACKETS} packets')
    return 100 * got_up / sent_up, 100 * got_down / sent_down


def tcp_up(caller, bed):
    """kbit/s that reach a program on the server's side within SECONDS. nc ends with its input, so the one that
    receives has one that never ends."""
    bed.machine.sh(f'''rm -f /run/carried; [ -e /run/never ] || mkfifo /run/never
        (timeout {SECONDS + 3} nc -l -p {PORT} <>/run/never | wc -c >/run/carried) >/dev/null 2>&1 & sleep 0.3''')
    caller.run(f'timeout {SECONDS} nc {GATEWAY} {PORT} </dev/zero', SECONDS + 30)
    return carried(bed)


def tcp_down(caller, bed):
    bed.machine.sh(f'rm -f /run/carried; timeout {SECONDS + 3} nc -l -p {PORT} </dev/zero >/dev/null 2>&1 & sleep 0.3')
    caller.run(f'timeout {SECONDS} nc {GATEWAY} {PORT} <>/run/never | wc -c >/run/carried', SECONDS + 30)
    return carried(bed)


def carried(bed):
    expect(bed.machine.until('[ -s /run/carried ]', 15), 'nobody counted')
    time.sleep(3)       # until the other end is gone as well
    return int(bed.machine.sh('cat /run/carried')) * 8 / SECONDS / 1000


def table(found):
    """For the README: rows are rates of loss."""
    names = list(found)
    lines = ['| loss | direction | ' + ' | '.join(f'packets, {name} | TCP, {name}' for name in names) + ' |',
             '|---' * (2 + 2 * len(names)) + '|']
    for rate, way in found[names[0]]:
        cells = [f'{packets:.1f} % | {tcp:.0f} kbit/s{"" if lives else ", call ended"}'
                 for packets, tcp, lives in (found[name][rate, way] for name in names)]
        lines.append(f'| {rate} % | {way} | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)
