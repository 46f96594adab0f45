"""The wall clock of the server's machine jumps (a bed of pair.py): at the start of a router, by NTP, by hand."""
from check import check, expect
from server import ALICE, BOB

NEVER_SET, LATER, FAR = 0, 1_900_000_000, 4_000_000_000     # 1970, 2030, 2096


@check
def clock_stepped(bed):
    """A call and its echoes do not notice, and others get in."""
    bed.machine.sh(f'date -s @{LATER}')
    bed.server.start(users=[ALICE, BOB], lcp_echo_interval='1', lcp_echo_failures='2', echo_interval='5')
    bed.first.dial(ALICE).wait_open()
    for seconds in (FAR, LATER - 7200, NEVER_SET):
        bed.machine.sh(f'date -s @{seconds}')
        bed.first.expect_ping(options='-c 40 -i 0.1')       # for longer than echoes may stay unanswered
    bed.second.dial(BOB).wait_open().expect_ping()
    bed.first.expect_ping()
    expect(bed.first.is_open(), 'the call is gone')
    expect(bed.server.log().count('"alice" is online') == 1, 'alice had to call again')
