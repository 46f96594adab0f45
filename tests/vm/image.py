"""Kernel and initramfs of a test machine, made from Debian packages. `image.py ARCH` builds them into target/vm/ARCH."""
import fcntl
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys

import debian
from cpio import Archive

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
OUTPUT = f'{ROOT}/target/vm'

KERNELS = {'amd64': 'linux-image-amd64', 'mipsel': 'linux-image-4kc-malta'}
PACKAGES = ['dash', 'busybox-static', 'iproute2', 'iputils-ping', 'iperf3', 'ppp', 'pptp-linux', 'pptpd']
PROGRAMS = ['dash', 'busybox', 'ip', 'tc', 'ping', 'iperf3', 'pppd', 'pptp', 'pptpd', 'pptpctrl']
# In the order in which the guest loads them. sch_netem spoils a line, tun serves a server inside the machine.
MODULES = ['virtio_pci', 'virtio_net', 'ppp_async', 'ppp_mppe', 'veth', 'bridge', 'sch_netem', 'tun']
# What tests/bench adds to its router: programs by package, and modules that are there but not loaded.
BENCH = {'mipsel': {'nftables': 'nft'}}
BENCH_MODULES = {'mipsel': ['pptp', 'nf_tables', 'nft_ct', 'nft_masq', 'nft_chain_nat', 'nft_reject_inet', 'nft_limit',
                            'nf_conntrack', 'crc32c_generic']}
HOST = ['kmod', 'binutils']
TEXTS = {
    'etc/passwd': 'root:x:0:0::/root:/bin/sh\n',
    'etc/group': 'root:x:0:\n',
    'etc/hosts': '127.0.0.1 localhost\n',
    'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files\nprotocols: files\n',
    'etc/protocols': 'icmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\ngre 47 GRE\n',
    'etc/ppp/options': '',
    'etc/modules': '\n'.join(MODULES) + '\n',
}


def build(arch):
    """Gives (kernel, initramfs) of an architecture; builds them if they are missing or made from other sources."""
    folder = f'{OUTPUT}/{arch}'
    os.makedirs(folder, exist_ok=True)
    with open(f'{folder}/lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two suites may ask for the same image at once
        stamp = f'{folder}/stamp'
        if not os.path.exists(stamp) or open(stamp).read() != sources():
            make(arch, folder)
            with open(stamp, 'w') as out:
                out.write(sources())
    return f'{folder}/kernel', f'{folder}/initrd'


def sources():
    """What the image is made from: a change here builds it anew."""
    files = [f'{HERE}/{name}' for name in ('image.py', 'cpio.py', 'debian.py', 'stateful.c', 'lobby.c')]
    digest = hashlib.sha256()
    for file in files + sorted(glob.glob(f'{HERE}/guest/*')):
        digest.update(open(file, 'rb').read())
    return digest.hexdigest()


def make(arch, folder):
    debian.install(*HOST)
    pool = debian.Pool(arch, folder)
    pool.fetch(*PACKAGES, *BENCH.get(arch, {}))
    kernel = unpacked(pool.fetch_alone(pool.real_name(KERNELS[arch])), f'{folder}/linux')
    shutil.copyfile(glob.glob(f'{kernel}/boot/vmlinu*')[0], f'{folder}/kernel')
    archive = Archive()
    add_base(archive)
    root = unpacked_all(pool.debs, f'{folder}/root')
    add_programs(archive, root, PROGRAMS + list(BENCH.get(arch, {}).values()))
    add_modules(archive, kernel, MODULES + BENCH_MODULES.get(arch, []))
    if arch == 'amd64':
        add_plugin(archive, pool, folder)
        add_lobby(archive, folder)
    archive.write(f'{folder}/initrd')
    for name in ('root', 'linux', 'headers'):  # the packages stay: another build needs no network for them
        shutil.rmtree(f'{folder}/{name}', ignore_errors=True)


def unpacked(deb, folder):
    shutil.rmtree(folder, ignore_errors=True)
    debian.unpack(deb, folder)
    return folder


def unpacked_all(debs, folder):
    shutil.rmtree(folder, ignore_errors=True)
    for deb in sorted(glob.glob(f'{debs}/*.deb')):
        if not os.path.basename(deb).startswith(('linux-', 'perl-')):
            debian.unpack(deb, folder)
    return folder


def add_base(archive):
    for name in ('bin', 'sbin', 'lib'):
        archive.link(name, f'usr/{name}')
    for name in ('proc', 'sys', 'dev', 'tmp', 'run', 'root', 'opt/busybox', 'var/log', 'var/lib'):
        archive.folder(name)
    archive.link('var/run', '../run')
    archive.link('etc/mtab', '/proc/mounts')
    archive.device('dev/console', 5, 1)
    for path, text in TEXTS.items():
        archive.file(path, text.encode(), 0o644)
    archive.file('init', open(f'{HERE}/guest/init', 'rb').read())
    archive.file('usr/sbin/agent', open(f'{HERE}/guest/agent', 'rb').read())


def add_programs(archive, root, programs):
    """The programs at the paths that Debian gives them, and every shared library that they name."""
    for program in programs:
        file = next(path for part in ('sbin', 'bin', 'usr/sbin', 'usr/bin') if is_program(path := f'{root}/{part}/{program}'))
        path = os.path.relpath(file, root).removeprefix('usr/')
        archive.file(f'usr/{path}', open(file, 'rb').read())
        add_libraries(archive, root, file)
    archive.link('usr/bin/sh', 'dash')
    archive.link('usr/sbin/modprobe', '../bin/busybox')  # the kernel itself calls it by this path


def is_program(path):
    return os.path.isfile(path) and not os.path.islink(path)  # Debian's link /sbin/ip leads out of `root`


def add_libraries(archive, root, program):
    text = subprocess.run(['readelf', '-ld', program], check=True, capture_output=True, text=True).stdout
    for loader in re.findall(r'interpreter: /([^]]+)\]', text):
        path = f'usr/{loader}'
        archive.file(path, open(library(root, os.path.basename(loader)), 'rb').read())
        if loader.startswith('lib64/'):
            archive.link('lib64', 'usr/lib64')
    for name in re.findall(r'NEEDED.*\[(.+)\]', text):
        if f'usr/lib/{name}' not in archive.entries:
            file = library(root, name)
            archive.file(f'usr/lib/{name}', open(file, 'rb').read())
            add_libraries(archive, root, file)


def library(root, name):
    places = [place for part in ('lib', 'usr/lib') for place in (f'{root}/{part}/*-linux-*', f'{root}/{part}')]
    return next(path for place in places for path in glob.glob(f'{place}/{name}'))


def add_modules(archive, kernel, modules):
    version = os.listdir(f'{kernel}/lib/modules')[0]
    folder = f'lib/modules/{version}'
    subprocess.run(['depmod', '-b', kernel, version], check=True)
    needs = dict(line.split(':') for line in open(f'{kernel}/{folder}/modules.dep').read().splitlines())
    paths = {os.path.basename(path).removesuffix('.ko'): path for path in needs}
    chosen = {file for name in modules for file in [paths[name], *needs[paths[name]].split()]}
    for file in chosen:
        archive.file(f'usr/{folder}/{file}', open(f'{kernel}/{folder}/{file}', 'rb').read(), 0o644)
    lines = ''.join(f'{file}:{needs[file]}\n' for file in sorted(chosen))
    archive.file(f'usr/{folder}/modules.dep', lines.encode(), 0o644)


def add_plugin(archive, pool, folder):
    """stateful.c for the client's pppd."""
    debian.install('gcc', 'libc6-dev')
    headers = unpacked(pool.fetch_alone('ppp-dev'), f'{folder}/headers')
    subprocess.run(['gcc', '-O2', '-Wall', '-fPIC', '-shared', '-I', f'{headers}/usr/include',
                    '-o', f'{folder}/stateful.so', f'{HERE}/stateful.c'], check=True)
    archive.file('usr/lib/stateful.so', open(f'{folder}/stateful.so', 'rb').read())


def add_lobby(archive, folder):
    """lobby.c for the callers; it needs nothing of theirs."""
    subprocess.run(['gcc', '-O2', '-Wall', '-static', '-o', f'{folder}/lobby', f'{HERE}/lobby.c'], check=True)
    archive.file('usr/bin/lobby', open(f'{folder}/lobby', 'rb').read())


if __name__ == '__main__':
    for path in build(sys.argv[1]):
        print(path)
