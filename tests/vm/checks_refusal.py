"""Calls that must not come up, and what both sides say about it."""
import time

from caller import UP, last_words
from capture import Capture
from check import check, expect
from server import ALICE, BOB

NO_EAP = ['refuse-pap', 'refuse-chap', 'refuse-mschap', 'refuse-eap']


@check
def wrong_password(bed):
    bed.server.start()
    expect_login_refused(bed, {**ALICE, 'password': 'not-it'})
    bed.server.wait_log('wrong password', 2)
    bed.server.wait_log('alice', 2)


@check
def unknown_user(bed):
    """The client cannot tell it from a wrong password; the log can."""
    bed.server.start()
    expect_login_refused(bed, {**ALICE, 'username': 'mallory'})
    bed.server.wait_log('no account of that name', 2)
    bed.server.wait_log('mallory', 2)


def expect_login_refused(bed, account):
    caller = bed.first.dial(account)
    caller.wait_end(20)
    expect(caller.saw(r'rcvd \[CHAP Failure .*E=691 R=0 C=[0-9A-F]{32} V=3'), f'no E=691 R=0: {last_words(caller.log())}')
    expect(not caller.saw('rcvd .IPCP'), 'the server began IPCP with a caller that did not log in')


@check
def back_off(bed):
    """After some failures the right password must wait, too; nobody else does."""
    bed.server.start(backoff_failures='2', backoff_time='12')
    for _ in range(2):
        bed.first.dial({**ALICE, 'password': 'not-it'}).wait_end(20)
    end = time.monotonic() + 12
    bed.first.dial(ALICE).wait_end(20)
    expect(not bed.first.saw(UP), 'no back-off after 2 failures')
    bed.server.wait_log('too many failed logins', 2)
    bed.second.dial(BOB).wait_open()
    time.sleep(max(0, end - time.monotonic()))
    bed.first.dial(ALICE).wait_open()


@check
def weak_authentication(bed):
    """PAP, MD5, MS-CHAPv1 and EAP are not offered, even to a client that knows nothing else."""
    bed.server.start()
    caller = bed.first.dial(ALICE, encryption=['refuse-mschap-v2'])
    caller.wait_end(40)
    expect(not caller.saw('sent .(PAP|CHAP Response|EAP)'), 'the client was asked to log in by something else')
    bed.server.wait_log('refuses MS-CHAPv2', 2)


@check
def no_encryption(bed):
    """The client rejects MPPE inside of CCP."""
    expect_encryption_refused(bed, [*NO_EAP, 'nomppe'])


@check
def no_compression_protocol(bed):
    """The client knows no CCP at all, and says so by LCP Protocol-Reject."""
    expect_encryption_refused(bed, [*NO_EAP, 'nomppe', 'noccp'])


@check
def forty_bits(bed):
    expect_encryption_refused(bed, [*NO_EAP, 'require-mppe-40', 'nomppe-128'])


def expect_encryption_refused(bed, encryption):
    bed.server.start()
    with Capture(f'{bed.folder}/refused.pcap') as session:
        caller = bed.first.dial(ALICE, encryption=encryption)
        caller.wait_end(40)
    expect(not caller.saw(UP), 'the call came up')
    bed.server.wait_log('refuses MPPE encryption', 2)
    session.expect_some('chap')
    session.expect_none('ppp.protocol == 0x0021')
