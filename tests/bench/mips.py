"""Instructions that a router spends on a packet, kernel and program together: a MIPS machine under -icount, in which
Debian's kernel runs the server, poptop with pppd, or its own PPTP socket; mips/load.c makes the load."""
import os
import statistics
import subprocess
import sys

from firewall import rules
from report import ROOT, Table, compare

sys.path.insert(0, f'{ROOT}/tests/vm')
import debian  # noqa: E402
from machine import Machine  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
WORK = f'{ROOT}/target/bench'
TARGET = 'mipsel_24kc'
# shift=3: one instruction is 8 ns of the machine's clock. As OpenWrt's kernels are built, and Debian's are not: memory is
# not zeroed when it is handed out, and there is no security module.
OPTIONS = ['-icount', 'shift=3', '-rtc', 'clock=vm', '-seed', '1', '-append',
           'console=ttyS0 quiet panic=-1 mitigations=off cryptomgr.notests init_on_alloc=0 lsm=capability']
CALIBRATION = 3 * 100000    # instructions of load.c's calibration loop
BURST = 64
PATIENCE = 600              # seconds for the machine to answer: this one may be busy

SERVER = '/usr/sbin/pptp-server'
ADDRESS, PEER, GATEWAY, CALLER, HOST = '10.99.0.1', '203.0.113.2', '192.168.77.1', '192.168.77.10', '192.168.50.2'
# pppd's MPPE keeps 4 octets of it for itself.
PPPD = 'nodeflate nobsdcomp novj novjccomp noipx mtu 1404 mru 1404 lcp-echo-interval 0'
POPTOP = '\n'.join(['nodeflate', 'nobsdcomp', 'novj', 'novjccomp', 'noipx', 'mtu 1404', 'mru 1404', 'name pptp', 'nologfd',
                    'refuse-pap', 'refuse-chap', 'refuse-mschap', 'refuse-eap', 'require-mschap-v2', 'require-mppe-128'])

CABLES = f'''
rm -f /run/load.commands /run/load.answers; mkfifo /run/load.commands /run/load.answers
ip netns add far; load wire OFFLOAD >/run/load.log 2>&1 &
until [ -e /sys/class/net/far0 ]; do sleep 0.1; done
ip link set wan0 address 02:00:00:00:00:01 up; ip addr add {ADDRESS}/24 dev wan0
ip neigh replace 10.99.0.2 lladdr 02:00:00:00:00:03 dev wan0 nud permanent; ip route add default via 10.99.0.2
ip link set lan0 address 02:00:00:00:00:02 up; ip addr add 192.168.50.1/24 dev lan0
ip neigh replace {HOST} lladdr 02:00:00:00:00:04 dev lan0 nud permanent
ip link set far0 netns far; ip -n far link set lo up; ip -n far link set far0 address 02:00:00:00:00:03 up
ip -n far addr add {PEER}/24 dev far0; ip -n far route add {ADDRESS} dev far0
ip -n far neigh replace {ADDRESS} lladdr 02:00:00:00:00:01 dev far0 nud permanent
sysctl -w net.ipv4.ip_forward=1 net.core.rmem_max=212992
for module in crc32c_generic nf_conntrack nf_tables nft_ct nft_masq nft_chain_nat nft_reject_inet nft_limit; do modprobe $module; done
# As OpenWrt has them: no checksums and no TCP windows are looked at.
sysctl -w net.netfilter.nf_conntrack_checksum=0 net.netfilter.nf_conntrack_tcp_be_liberal=1'''

DIAL = f'''
printf '"alice" pptp "secret" *\n' >/etc/ppp/chap-secrets; chmod 600 /etc/ppp/chap-secrets
ip netns exec far pppd pty "pptp {ADDRESS} --nolaunchpppd --loglevel 0" user alice remotename pptp noauth nodetach \\
    nodefaultroute noipdefault {PPPD} require-mppe-128 refuse-pap refuse-chap refuse-mschap refuse-eap \\
    logfile /run/caller.log >/run/caller.out 2>&1 & echo $! >/run/caller.pid'''

OPEN = f'''
for i in $(seq 100); do ip -n far -o addr show ppp0 2>/dev/null | grep -q "inet {CALLER}" && break; sleep 0.2; done
# The default queue of three packets would drop most of a burst.
ip -n far -o addr show ppp0 | grep -q "inet {CALLER}" || exit 1
ip -n far link set ppp0 mtu 1400 txqueuelen 1000; ip -n far route add {HOST} dev ppp0
ip link set ppp0 mtu 1400 txqueuelen 1000 2>/dev/null || true'''


class Ours:
    name = 'ours'
    start = f'''
printf %s "config server 'main'
	list listen '{ADDRESS}'
	option local_ip '{GATEWAY}'
	option pool '{CALLER}-192.168.77.20'
config user
	option username 'alice'
	option password 'secret'
" >/run/server.uci; chmod 600 /run/server.uci
{SERVER} -c /run/server.uci >/run/server.log 2>&1 & echo $! >/run/server.pid
until grep -q listening /run/server.log; do sleep 0.1; done''' + DIAL
    stop = 'kill $(cat /run/caller.pid); sleep 2; kill $(cat /run/server.pid); sleep 3'


class Poptop:
    name = 'poptop'
    start = f'''
cat >/etc/ppp/options.pptpd <<X
{POPTOP}
X
printf 'option /etc/ppp/options.pptpd\\nlisten {ADDRESS}\\nlocalip {GATEWAY}\\nremoteip {CALLER}-20\\nppp /usr/sbin/pppd\\n' >/etc/pptpd.conf
printf '"alice" * "secret" *\\n' >/etc/ppp/chap-secrets; chmod 600 /etc/ppp/chap-secrets
pptpd -f -c /etc/pptpd.conf >/run/pptpd.log 2>&1 & echo $! >/run/server.pid
sleep 1''' + DIAL
    stop = 'kill $(cat /run/caller.pid); sleep 3; kill $(cat /run/server.pid); sleep 1'


class Kernel:
    name = 'kernel'
    start = f'''
modprobe pptp
load call server >/run/server.out 2>&1 & echo $! >/run/server.pid
ip netns exec far load call caller >/run/caller.out 2>&1 & echo $! >/run/caller.pid
until grep -q up /run/server.out && grep -q up /run/caller.out; do sleep 0.2; done
ip addr add {GATEWAY} peer {CALLER} dev ppp0; ip link set ppp0 mtu 1400 up
ip -n far addr add {CALLER} peer {GATEWAY} dev ppp0; ip -n far link set ppp0 mtu 1400 up'''
    stop = 'kill $(cat /run/caller.pid) $(cat /run/server.pid); sleep 1; rmmod pptp gre'


SERVERS = [Ours, Poptop, Kernel]


def run(options):
    """`options`: boots=N, sizes=1400,64, servers=ours,kernel, protocol=udp, lan=plain (a LAN device that cannot split segments),
    server=FILE (another program), rules=N (also with so many rules more in the firewall)."""
    sizes = [int(size) for size in options.get('sizes', '1400,576,64').split(',')]
    servers = [server for server in SERVERS if server.name in options.get('servers', 'ours,poptop,kernel').split(',')]
    rounds, protocol = int(options.get('rounds', 5)), options.get('protocol', 'tcp')
    found = {}
    for _ in range(int(options.get('boots', 1))):
        for key, values in boot(servers, sizes, rounds, protocol, options).items():
            found.setdefault(key, []).extend(values)
    show(found)
    ours = {key: values for key, values in found.items() if key[0] == 'ours'}
    kind = f"mips {protocol}{' plain' if 'lan' in options else ''}"
    compare({f'{kind} {direction} {size} {fw}': round(statistics.median(values)) for (_, direction, size, fw), values in ours.items()}, options)


def boot(servers, sizes, rounds, protocol, options):
    """Everything once, in one machine: {(server, direction, size, fw): instructions of a packet in each round}."""
    found = {}
    machine = Machine('bench', f'{WORK}/run', 'mipsel', files=files(options), options=OPTIONS)
    machine.start(PATIENCE)
    try:
        machine.sh(CABLES.replace('OFFLOAD', options.get('lan', 'tso')), PATIENCE)
        for server in servers:
            machine.sh(server.start, PATIENCE)
            machine.sh(OPEN, PATIENCE)
            for fw, command in firewalls(options).items():
                machine.sh(command, PATIENCE)
                for size in sizes:
                    for direction in 'up', 'down':  # first of all both once: connection tracking must know the flow
                        measure(machine, direction, protocol, size, 1)
                    for direction in 'up', 'down':
                        found[server.name, direction, size, fw] = measure(machine, direction, protocol, size, rounds)
            machine.run(server.stop, PATIENCE)
    except BaseException:
        print(machine.run('tail -n 30 /run/*.log; ip addr; ip -n far addr; dmesg | tail')[1], file=sys.stderr)
        raise
    finally:
        machine.stop()
    return found


def firewalls(options):
    """The commands that make each firewall of the one before."""
    more = {f"fw+{options['rules']}": 'nft -f /etc/more.nft'} if 'rules' in options else {}
    return {'nofw': 'nft flush ruleset', 'fw': 'nft -f /etc/fw4.nft', **more}


def measure(machine, direction, protocol, size, rounds):
    words = f'{direction} {protocol} {size} {rounds}'
    answer = machine.sh(f'echo {words} >/run/load.commands; timeout 40 cat /run/load.answers', PATIENCE)
    calibration, *figures = answer.split()
    return [packet(int(calibration), *map(int, figure.split('/'))) for figure in figures]


def packet(calibration, total, floor, arrived):
    if arrived != BURST:
        raise RuntimeError(f'{arrived} of {BURST} packets arrived')
    return round((total - floor) / BURST * CALIBRATION / calibration)


def show(found):
    table = Table('instructions per packet', 'octets', '', 'least', 'median', 'most')
    for (name, direction, size, fw), values in found.items():
        table.row(f'{name} {direction}', size, fw, min(values), round(statistics.median(values)), max(values))
    table.show()
    for (name, direction, size, fw), values in found.items():
        if name != 'ours' and ('ours', direction, size, fw) in found:
            ratio = statistics.median(found['ours', direction, size, fw]) / statistics.median(values)
            print(f'ratio {name} {direction} {size} {fw} {ratio:.2f}')


def files(options):
    """What the machine gets beside its image."""
    program = options.get('server') or f'{ROOT}/target/openwrt/{TARGET}/pptp-server'
    if 'server' not in options:
        subprocess.run([f'{ROOT}/cross/build', TARGET], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    paths = {SERVER: program, '/usr/sbin/load': load(), '/etc/fw4.nft': f'{HERE}/mips/fw4.nft'}
    more = {'/etc/more.nft': rules(int(options.get('rules', 0))).encode()}
    return {**more, **{path: open(file, 'rb').read() for path, file in paths.items()}}


def load():
    """Compiles load.c with Debian's headers and C library of the machine."""
    debian.install('clang-14', 'lld-14')
    program, source, folder = f'{WORK}/load', f'{HERE}/mips/load.c', f'{WORK}/mipsel'
    if not os.path.exists(f'{folder}/root/usr/include/linux/if_pppox.h'):
        pool = debian.Pool('mipsel', folder)
        pool.fetch('libc6-dev', 'libgcc-12-dev')
        for name in os.listdir(pool.debs):
            if name.endswith('.deb'):
                debian.unpack(f'{pool.debs}/{name}', f'{folder}/root')
    if not os.path.exists(program) or os.path.getmtime(program) < os.path.getmtime(source):
        subprocess.run(['clang-14', '--target=mipsel-linux-gnu', f'--sysroot={folder}/root', '-fuse-ld=lld', '-O2', '-Wall',
                        '-o', program, source], check=True)
    return program
