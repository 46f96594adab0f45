"""The measuring program (src/main.rs): built for this machine and for MIPS, and its instructions by callgrind."""
import os
import re
import subprocess
import sys

from report import ROOT

sys.path.insert(0, f'{ROOT}/tests/vm')
import debian  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
WORK = f'{ROOT}/target/bench'
CARGO = f'{WORK}/cargo'
TARGET, TRIPLE = 'mipsel_24kc', 'mipsel-unknown-linux-musl'


def build(program):
    """Builds one of the programs of this folder for this machine; its path."""
    subprocess.run(['cargo', 'build', '--release', '--quiet', '--locked', '--bin', program, '--manifest-path', f'{HERE}/Cargo.toml'],
                   check=True, env={**os.environ, 'CARGO_TARGET_DIR': CARGO})
    return f'{CARGO}/release/{program}'


def build_mips():
    """Builds pptp-bench for MIPS; its path. `qemu-mipsel` runs it."""
    debian.install('qemu-user')
    subprocess.run([f'{ROOT}/cross/cargo', TARGET, 'build', '--release', '--quiet', '--bin', 'pptp-bench',
                    '--manifest-path', f'{HERE}/Cargo.toml'], check=True)
    return f'{ROOT}/target/cross/cargo/{TRIPLE}/release/pptp-bench'


def callgrind(program, *words, only=None):
    """Instructions of a run, and what it printed. `only`: a pattern of the functions that count, with what they call."""
    debian.install('valgrind')
    choice = [f'--toggle-collect={only}'] if only else []
    done = subprocess.run(['valgrind', '--tool=callgrind', '--callgrind-out-file=/dev/null', *choice, program, *map(str, words)],
                          check=True, capture_output=True, text=True)
    return int(re.search(r'Collected : (\d+)', done.stderr).group(1)), done.stdout
