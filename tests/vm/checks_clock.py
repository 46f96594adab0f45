"""The wall clock of the server's machine jumps (a bed of pair.py): at the start of a router, by NTP, by hand."""
from check import check, expect
from server import ALICE, BOB

HOURS = {**BOB, 'hours': ['00:00-24:00']}
NEVER_SET, LATER, FAR = 0, 1_900_000_000, 4_000_000_000     # 1970, 2030, 2096


@check
def clock_stepped(bed):
    """A call and its echoes do not notice, and new callers get in; who may be online at certain hours only does so
    while the clock is set."""
    bed.server.start(users=[ALICE, HOURS], lcp_echo_interval='1', lcp_echo_failures='2', echo_interval='5')
    bed.machine.sh(f'date -s @{LATER}')
    bed.first.dial(ALICE).wait_open()
    for seconds in (NEVER_SET, FAR, LATER - 7200, LATER):
        bed.machine.sh(f'date -s @{seconds}')
        bed.first.expect_ping(options='-c 40 -i 0.1')       # more than the echoes would bear
        bed.second.dial(HOURS)
        if seconds == NEVER_SET:
            bed.second.wait_end(20)
            bed.server.wait_log('clock is not set', 2)
        else:
            bed.second.wait_open().expect_ping()
            bed.second.hang_up()
    expect(bed.first.is_open(), 'the call is gone')
    expect(bed.server.log().count('"alice" is online') == 1, 'alice had to call again')
