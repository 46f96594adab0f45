"""A caller: pppd with pptp-linux in a network namespace of the client machine."""
import json
import re
import shlex

from check import Failed, expect
from server import GATEWAY

# What a PPTP caller sets that wants MS-CHAPv2 and 128 bit, and nothing else. MTU and MRU stay pppd's own.
SECURE = ['require-mppe-128', 'refuse-pap', 'refuse-chap', 'refuse-mschap', 'refuse-eap']
UP = 'local  IP address'


class Caller:
    def __init__(self, machine, name, address, server):
        self.machine = machine
        self.name = name
        self.address = address
        self.server = server
        self.log_file = f'/run/{name}.log'

    def connect_line(self):
        """Namespace and cable to the bridge of the machine. /etc/ppp is the namespace's own."""
        self.machine.sh(f'''set -e
            mkdir -p /etc/netns/{self.name}/ppp && touch /etc/netns/{self.name}/ppp/options
            ip netns add {self.name}
            ip link add v{self.name} type veth peer name eth0 netns {self.name}
            ip link set v{self.name} master bridge up
            ip -n {self.name} addr add {self.address}/24 dev eth0
            ip -n {self.name} link set lo up
            ip -n {self.name} link set eth0 up''')

    def dial(self, account, *options, encryption=SECURE):
        """Starts pppd with a fresh log. Several words in one option are several arguments."""
        words = [word for option in [*encryption, *options] for word in option.split()]
        pppd = ['pppd', 'pty', f'pptp {self.server} --nolaunchpppd', 'user', account['username'], 'password', account['password'],
                'noauth', 'nodetach', 'noipdefault', 'nodefaultroute', 'usepeerdns', 'nobsdcomp', 'nodeflate',
                'debug', 'logfile', self.log_file, *words]
        self.machine.sh(f'''rm -f {self.log_file}
            ip netns exec {self.name} {shlex.join(pppd)} >/run/{self.name}.out 2>&1 &
            echo $! >/run/{self.name}.pid''')
        return self

    def wait_open(self, seconds=30):
        self.machine.until(f'grep -q "{UP}" {self.log_file} || ! {self.alive()}', seconds)
        log = self.log()
        expect(UP in log, f'no call within {seconds} s; pppd says: {last_words(log)}')
        return self

    def wait_end(self, seconds=15):
        if not self.machine.until(f'! {self.alive()}', seconds):
            raise Failed(f'the call is still there after {seconds} s; pppd says: {last_words(self.log())}')

    def alive(self):
        return f'kill -0 $(cat /run/{self.name}.pid)'

    def is_open(self):
        return self.machine.run(f'{self.alive()} && ip -n {self.name} addr show dev ppp0')[0] == 0

    def log(self):
        return self.machine.run(f'cat {self.log_file}')[1]

    def forget_log(self):
        self.machine.sh(f': >{self.log_file}')

    def saw(self, pattern, seconds=0):
        """Whether pppd's log has a line that matches an extended pattern."""
        return self.machine.until(f'grep -qE {shlex.quote(pattern)} {self.log_file}', seconds)

    def sh(self, script, timeout=60):
        return self.machine.sh(f'ip netns exec {self.name} sh -c {shlex.quote(script)}', timeout)

    def run(self, script, timeout=60):
        return self.machine.run(f'ip netns exec {self.name} sh -c {shlex.quote(script)}', timeout)

    def inner_address(self):
        return re.search(r'inet (\S+) peer', self.sh('ip -4 addr show dev ppp0')).group(1)

    def mtu(self):
        return int(self.sh('cat /sys/class/net/ppp0/mtu'))

    def ping_loss(self, target=GATEWAY, options='-c 5 -i 0.2'):
        """Lost answers in percent."""
        output = self.run(f'ping -q -W 3 {options} {target}')[1]
        lost = re.search(r'([\d.]+)% packet loss', output)
        return float(lost.group(1)) if lost else 100.0

    def expect_ping(self, target=GATEWAY, options='-c 5 -i 0.2'):
        loss = self.ping_loss(target, options)
        expect(loss == 0, f'ping {options} {target}: {loss:g} % lost')

    def speed(self, *options, target=GATEWAY, seconds=3):
        """Mbit/s that iperf3 carried by TCP; `-R` is towards the caller."""
        status, output = self.run(f'iperf3 -c {target} -t {seconds} -J {" ".join(options)}', seconds + 60)
        expect(status == 0, f'iperf3 {" ".join(options)}: {output[-300:]}')
        return json.loads(output)['end']['sum_received']['bits_per_second'] / 1e6

    def spoil(self, both='', to_server='', to_caller=''):
        """Loss, delay and reordering on this caller's line, in netem's words; nothing given: a clean line again."""
        self._netem(f'-n {self.name}', 'eth0', to_server or both)
        self._netem('', f'v{self.name}', to_caller or both)

    def _netem(self, space, device, words):
        if words:
            self.machine.sh(f'tc {space} qdisc replace dev {device} root netem {words}')
        else:
            self.machine.run(f'tc {space} qdisc del dev {device} root')

    def vanish(self):
        """Pulls the cable, then ends the caller: the server hears nothing of it."""
        self.machine.sh(f'ip link set v{self.name} down')
        self.kill()

    def reappear(self):
        self.machine.sh(f'ip link set v{self.name} up')

    def kill(self):
        """The end without a goodbye of pppd, and of the processes that it started."""
        self._end('kill -9 $(ip netns pids {0})')

    def hang_up(self):
        self._end('kill $(cat /run/{0}.pid)')

    def _end(self, script):
        self.machine.run(script.format(self.name))
        self.machine.until(f'[ -z "$(ip netns pids {self.name})" ]', 5)

    def restoring(self):
        """A script that brings all back to the beginning: nobody calls, the line is up and clean."""
        return f'''
            while pids=$(ip netns pids {self.name}); [ "$pids" ]; do kill -9 $pids; sleep 0.05; done
            tc -n {self.name} qdisc del dev eth0 root
            tc qdisc del dev v{self.name} root
            ip link set v{self.name} up'''


def last_words(log):
    return ' / '.join([line for line in log.splitlines() if not line.startswith(('sent', 'rcvd'))][-4:])
