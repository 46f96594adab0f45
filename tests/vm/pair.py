"""Two servers in the place of one: ours and poptop with pppd, each in turn in one machine with the callers, so that
kernel, client and line are the same."""
import shlex

from bed import Bed
from machine import Machine
from router import PROGRAM, RouterServer, built, contents
from server import ADDRESSES, ALICE, GATEWAY

TARGET = 'x86_64'
PAIR_MTU = 1400

# As poptop's own manual page has it, without logging; pppd's MPPE keeps 4 octets of the MTU for itself.
OPTIONS = f'''name pptpd
refuse-pap
refuse-chap
refuse-mschap
refuse-eap
require-mschap-v2
require-mppe-128
nobsdcomp
nodeflate
novj
novjccomp
nologfd
lcp-echo-interval 20
lcp-echo-failure 4
mtu {PAIR_MTU + 4}
mru {PAIR_MTU + 4}
'''


class PairBed(Bed):
    """Needs no root: all of it is inside the machine."""

    def __init__(self, folder):
        machine = Machine('pair', folder, files={PROGRAM: contents(f'{built(TARGET)}/pptp-server')})
        super().__init__(folder, Ours(machine), machine)
        self.poptop = Poptop(machine)

    def start(self):
        self.machine.start()
        self.connect_callers(cable=False)
        self.machine.sh(''.join(f'ip addr add {address}/24 dev bridge\n' for address in ADDRESSES)
                        + 'echo 1 >/proc/sys/net/ipv4/ip_forward')

    def clear(self):
        super().clear()
        self.poptop.stop()


class Ours(RouterServer):
    name, device = 'pptp-server', 'pptps0'

    def begin(self):
        self.start(mtu=str(PAIR_MTU))

    def end(self):
        self.stop()


class Poptop:
    name, device = 'poptop', 'ppp0'

    def __init__(self, machine):
        self.machine = machine

    def begin(self):
        config = f'option /etc/ppp/options.pptpd\nlisten {ADDRESSES[0]}\nlocalip {GATEWAY}\nremoteip 192.168.77.10-20\nppp /usr/sbin/pppd\n'
        secret = f'"{ALICE["username"]}" * "{ALICE["password"]}" *\n'
        self.machine.sh(f'''umask 077
            printf %s {shlex.quote(OPTIONS)} >/etc/ppp/options.pptpd
            printf %s {shlex.quote(config)} >/etc/pptpd.conf
            printf %s {shlex.quote(secret)} >/etc/ppp/chap-secrets
            pptpd -f -c /etc/pptpd.conf >/run/pptpd.log 2>&1 & echo $! >/run/pptpd.pid
            sleep 1''')

    def end(self):
        self.stop()

    def stop(self):
        """pptpd, and the process that it started for each call; their pppd ends with them."""
        self.machine.run('''[ -s /run/pptpd.pid ] || exit 0
            kill $(ps -o pid,ppid | awk -v p=$(cat /run/pptpd.pid) '$2 == p { print $1 }') $(cat /run/pptpd.pid)
            rm -f /run/pptpd.pid
            for i in $(seq 50); do [ -e /sys/class/net/ppp0 ] || break; sleep 0.1; done''')
