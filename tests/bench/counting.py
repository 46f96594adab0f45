"""Instructions of the measuring program (src/main.rs), by callgrind on this machine."""
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


def build(program):
    """Builds one of the programs of this folder for this machine; its path."""
    subprocess.run(['cargo', 'build', '--release', '--quiet', '--locked', '--bin', program, '--manifest-path', f'{HERE}/Cargo.toml'],
                   check=True, env={**os.environ, 'CARGO_TARGET_DIR': CARGO})
    return f'{CARGO}/release/{program}'


def callgrind(program, *words, only=None):
    """Instructions of a run, and what it printed. `only`: a pattern of the functions that count, with what they call."""
    debian.install('valgrind')
    choice = [f'--toggle-collect={only}'] if only else []
    done = subprocess.run(['valgrind', '--tool=callgrind', '--callgrind-out-file=/dev/null', *choice, program, *map(str, words)],
                          check=True, capture_output=True, text=True)
    return int(re.search(r'Collected : (\d+)', done.stderr).group(1)), done.stdout
