"""The server in a MIPS machine (a bed of router.py) and the real client in an amd64 one. Where the same must hold
as for the server on the host, it is the same check."""
import checks_life
import checks_login
import checks_refusal
from caller import last_words
from check import check, expect
from server import ALICE, GATEWAY

IDLE_LIMIT = 1536  # KiB


@check
def mips_start(bed):
    bed.server.start()
    return bed.router.sh('uname -mr').strip()


@check
def mips_login(bed):
    """MPPE-128, address, DNS, the largest packet whole; and packets from the other side."""
    note = checks_login.stateless(bed)
    address = bed.first.inner_address()
    lost = bed.router.run(f'ping -q -c 10 -i 0.1 -W 3 {address}')[1]
    expect(' 0% packet loss' in lost, f'router to caller: {lost[-200:]}')
    bed.first.expect_ping(GATEWAY, '-c 20 -i 0.1')
    bed.server.wait_log('MPPE-128 stateless', 2)
    return note


@check
def mips_throughput(bed):
    return checks_login.throughput(bed)


@check
def mips_wrong_password(bed):
    checks_refusal.wrong_password(bed)
    bed.first.dial(ALICE).wait_open().expect_ping()


@check
def mips_reload(bed):
    checks_life.reload_keeps(bed)


@check
def mips_goodbye(bed):
    bed.server.start()
    caller = bed.first.dial(ALICE).wait_open()
    seconds = bed.server.stop()
    caller.wait_end(5)
    expect(seconds <= 2.2, f'the server took {seconds:.1f} s to end')
    expect(bed.server.status() == 0, f'the server ended with status {bed.server.status()}')
    expect(caller.saw(r'rcvd \[LCP TermReq'), f'no LCP Terminate-Request: {last_words(caller.log())}')
    expect('pptps0' not in bed.router.sh('ip link'), 'the device is still there')
    return f'{seconds:.2f} s'


@check
def mips_memory(bed):
    """Resident memory of the server without a call, with one, and after traffic."""
    bed.server.start()
    idle, shared = bed.server.memory()
    caller = bed.first.dial(ALICE).wait_open()
    one, _ = bed.server.memory()
    caller.speed(seconds=1)
    caller.speed('-R', seconds=1)
    busy, _ = bed.server.memory()
    expect(idle <= IDLE_LIMIT, f'{idle} KiB resident without a call, {one} with one; {IDLE_LIMIT} are allowed')
    return f'{idle} KiB idle, {one} with a call, {busy} after traffic; beside {shared} of the libc that all programs share'
