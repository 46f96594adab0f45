"""Ends and beginnings: servers and callers that die, come back, change their minds."""
import signal
import threading

from caller import UP, last_words
from capture import Capture
from check import check, expect
from server import ALICE, BOB

# The first ten octets of a Stop-Control-Connection-Request: Wireshark names only the first message of a segment.
STOP_REQUEST = '00:10:00:01:1a:2b:3c:4d:00:03'


@check
def server_killed(bed):
    """A client that persists is in again soon after the server is back."""
    bed.server.start()
    caller = bed.first.dial(ALICE, 'persist', 'maxfail 0', 'holdoff 1').wait_open()
    bed.server.stop(signal.SIGKILL)
    caller.forget_log()
    bed.server.start()
    caller.wait_open(45)
    caller.expect_ping()


@check
def server_goodbye(bed):
    """SIGTERM: LCP Terminate, Call-Disconnect-Notify, Stop-Control-Connection, all within 2 s."""
    bed.server.start()
    with Capture(f'{bed.folder}/goodbye.pcap') as session:
        caller = bed.first.dial(ALICE).wait_open()
        seconds = bed.server.stop()
        caller.wait_end(5)
    expect(seconds <= 2.2, f'the server took {seconds:.1f} s to end')
    expect(bed.server.process.returncode == 0, f'the server ended with status {bed.server.process.returncode}')
    expect(caller.saw(r'rcvd \[LCP TermReq'), f'no LCP Terminate-Request: {last_words(caller.log())}')
    session.expect_some('pptp.control_message_type == 13')
    session.expect_some(f'tcp.payload contains {STOP_REQUEST}')
    return f'{seconds:.2f} s'


@check
def client_killed(bed):
    """Without a word of PPP: the closed TCP connection is the only sign."""
    bed.server.start(pool='192.168.77.10-192.168.77.10')
    bed.first.dial(ALICE).wait_open()
    bed.first.kill()
    bed.second.dial(BOB).wait_open().expect_ping()  # the one address of the pool is free again
    bed.second.kill()
    bed.first.dial(ALICE).wait_open().expect_ping()


@check
def client_vanished(bed):
    """Without any sign: echoes stay unanswered, and the session goes."""
    bed.server.start(pool='192.168.77.10-192.168.77.10', lcp_echo_interval='1', lcp_echo_failures='3')
    bed.first.dial(ALICE).wait_open()
    bed.first.vanish()
    bed.server.wait_log('stopped answering LCP echoes', 15)
    bed.second.dial(BOB).wait_open().expect_ping()
    bed.second.kill()
    bed.first.reappear()
    bed.first.dial(ALICE).wait_open().expect_ping()


@check
def second_call(bed):
    """The new call of an account replaces the old one."""
    bed.server.start()
    bed.first.dial(ALICE).wait_open()
    bed.second.dial(ALICE).wait_open()
    bed.first.wait_end(10)
    bed.server.wait_log('the same account called again', 2)
    bed.second.expect_ping()


@check
def second_call_refused(bed):
    """Where the configuration says so, the old call stays."""
    bed.server.start(duplicate='refuse')
    bed.first.dial(ALICE).wait_open()
    bed.second.dial(ALICE).wait_end(20)
    expect(not bed.second.saw(UP), 'the second call came up')
    bed.server.wait_log('the account is in use', 2)
    bed.first.expect_ping()


@check
def reload_keeps(bed):
    """SIGHUP with another account changed: not one packet of this call is lost."""
    bed.server.start()
    bed.first.dial(ALICE).wait_open()
    reload = threading.Timer(1, bed.server.reload, [[ALICE, {**BOB, 'password': 'new'}]])
    reload.start()
    bed.first.expect_ping(options='-c 30 -i 0.1')
    reload.join()
    expect(bed.first.is_open(), 'the call is gone')
    bed.second.dial({**BOB, 'password': 'new'}).wait_open()


@check
def reload_password(bed):
    """SIGHUP with another password: the call ends, the new password opens a new one."""
    changed = {**ALICE, 'password': 'brand-new-one'}
    expect_dropped(bed, [changed, BOB])
    bed.first.dial(changed).wait_open().expect_ping()


@check
def reload_disabled(bed):
    expect_dropped(bed, [{**ALICE, 'enabled': '0'}, BOB])
    bed.first.dial(ALICE).wait_end(20)
    expect(not bed.first.saw(UP), 'a disabled account came in')
    bed.server.wait_log('the account is disabled', 2)


@check
def reload_removed(bed):
    expect_dropped(bed, [BOB])


def expect_dropped(bed, users):
    """Alice's call ends by the reload, Bob's goes on."""
    bed.server.start()
    bed.first.dial(ALICE)
    bed.second.dial(BOB).wait_open()
    bed.first.wait_open()
    bed.server.reload(users)
    bed.first.wait_end(10)
    bed.server.wait_log('the account was removed, disabled or got another password', 2)
    bed.second.expect_ping()
