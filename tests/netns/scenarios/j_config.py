"""The command line: --check with its error lines, nt-hash, --version, --help."""
import json
import os
import re
import subprocess

from scenarios.a_caller import _DATA
from server import uci
from suite import scenario

_GOOD = uci()
# what is wrong: (text of the file, what the error line must name)
_BROKEN = {
    "no-number": ("config server 'main'\n\toption port 'many'\n", ":2: main.port:"),
    "port-range": ("config server 'main'\n\toption port '70000'\n", ":2: main.port:"),
    "bad-address": ("config server 'main'\n\toption local_ip '192.168.77.256'\n",
                    ":2: main.local_ip:"),
    "bad-pool": ("config server 'main'\n\toption pool '192.168.77.99-192.168.77.10'\n",
                 ":2: main.pool:"),
    "mtu": ("config server 'main'\n\toption mtu '1457'\n", ":2: main.mtu:"),
    "mtu-small": ("config server 'main'\n\toption mtu '575'\n", ":2: main.mtu:"),
    "mppe": ("config server 'main'\n\toption mppe 'maybe'\n", ":2: main.mppe:"),
    "bits": ("config server 'main'\n\toption mppe_min_bits '64'\n", ":2: main.mppe_min_bits:"),
    "duplicate-value": ("config server 'main'\n\toption duplicate 'both'\n", ":2: main.duplicate:"),
    "log-level": ("config server 'main'\n\toption log_level 'loud'\n", ":2: main.log_level:"),
    "quote": ("config server 'main'\n\toption name 'open\n", ":2:"),
    "no-section": ("option port '1723'\n", ":1:"),
    "nonsense": ("config server 'main'\nwhatever\n", ":2:"),
    "user-without-password": ("config user\n\toption username 'x'\n", "password"),
    "user-without-name": ("config user\n\toption password 'long-Pass1'\n", "username"),
    "bad-hash": ("config user\n\toption username 'x'\n\toption nt_hash '12'\n", ":3:"),
    "empty-password": ("config user\n\toption username 'x'\n\toption password ''\n",
                       ".password:"),
    "user-ip": ("config user\n\toption username 'x'\n\toption password 'long-Pass1'\n"
                "\toption ip 'here'\n", ":4:"),
    "three-dns": ("config server 'main'\n\tlist dns '1.1.1.1'\n\tlist dns '1.1.1.2'\n"
                  "\tlist dns '1.1.1.3'\n", ":4: main.dns:"),
    "same-name-twice": ("config user\n\toption username 'x'\n\toption password 'long-Pass1'\n"
                        "config user\n\toption username 'x'\n\toption password 'long-Pass2'\n",
                        ":5:"),
    "same-ip-twice": ("config user\n\toption username 'x'\n\toption password 'long-Pass1'\n"
                      "\toption ip '192.168.77.20'\nconfig user\n\toption username 'y'\n"
                      "\toption password 'long-Pass2'\n\toption ip '192.168.77.20'\n", ":8:"),
    "binary": ("config server 'main'\n\toption name '\x01\x02'\n\x00\n", ":"),
}


def tool(bed, *arguments, **keywords):
    return subprocess.run([bed.binary, *arguments], capture_output=True, timeout=10, **keywords)


@scenario(serve=False)
def check_files(bed, check):
    """--check: good files pass, every broken one names its line and option."""
    path = os.path.join(bed.directory, "checked")
    with check("good"):
        done = check_text(bed, path, _GOOD)
        assert done.returncode == 0, done.stderr
    with check("good-in-other-spelling"):
        text = ("# a comment\n\nconfig server main\n  option port \"1723\"\n"
                "\toption name a'b'\"c\"\n"
                "config 'user' 'named'\n\toption username x\n\toption password 'it'\\''s # long'\n")
        done = check_text(bed, path, text)
        assert done.returncode == 0, done.stderr
    for name, (text, wanted) in _BROKEN.items():
        with check(name) as suite:
            done = check_text(bed, path, text)
            line = done.stderr.decode().strip()
            right = [told for told in line.splitlines() if wanted in told]
            suite.note = " ".join(right).replace(path, "FILE")
            assert done.returncode == 1, f"status {done.returncode}: {line}"
            assert re.search(rf"^{re.escape(path)}:\d+: \S+", line, re.M), line
            assert wanted in line, f"{line!r} does not have {wanted!r}"
    with check("all-errors-at-once"):
        text = "config server 'main'\n\toption port 'x'\n\toption mtu 'y'\n\toption pool 'z'\n"
        lines = check_text(bed, path, text).stderr.decode().strip().splitlines()
        assert sum(": main." in line for line in lines) == 3, lines
    with check("unknown-option-is-told"):
        done = check_text(bed, path, _GOOD.replace("\toption name", "\toption colour 'red'\n"
                                                   "\toption name", 1))
        assert done.returncode == 0 and b"main.colour:" in done.stderr, done.stderr
    with check("no-such-file"):
        done = tool(bed, "--check", "-c", path + "-none")
        assert done.returncode == 1 and path.encode() in done.stderr, done.stderr
    with check("secrets-not-printed"):
        text = "config user\n\toption username 'x'\n\toption nt_hash 'sEcReT-value'\n"
        assert b"sEcReT" not in check_text(bed, path, text).stderr


def check_text(bed, path, text):
    with open(path, "wb") as file:
        file.write(text.encode())
    return tool(bed, "--check", "-c", path)


@scenario(serve=False)
def nt_hash(bed, check):
    """nt-hash prints the NT hash of a password on standard input."""
    with open(os.path.join(_DATA, "mschap-mppe.json")) as file:
        vectors = json.load(file)
    for vector in (vectors["base"], *vectors["extra"]):
        if not vector["password"]:
            continue
        with check(vector["user_on_wire"].replace("\\", "-")):
            for ending in ("\n", "", "\r\n"):
                done = tool(bed, "nt-hash", input=(vector["password"] + ending).encode())
                assert done.returncode == 0, done.stderr
                assert done.stdout.decode().strip() == vector["nt_password_hash"], done.stdout
    with check("not-utf8"):
        done = tool(bed, "nt-hash", input=b"\xff\xfe\n")
        assert done.returncode == 1 and done.stderr, done
    with check("nothing"):
        assert tool(bed, "nt-hash", input=b"").returncode == 1


@scenario(serve=False)
def command_line(bed, check):
    """--version, --help, and arguments that do not exist."""
    with check("version"):
        done = tool(bed, "--version")
        assert done.returncode == 0 and re.search(rb"\d+\.\d+\.\d+", done.stdout), done
    with check("help"):
        done = tool(bed, "--help")
        words = (b"-c", b"--check", b"nt-hash", b"--version")
        assert done.returncode == 0 and all(w in done.stdout for w in words), done.stdout
    with check("unknown"):
        done = tool(bed, "--colour")
        assert done.returncode not in (0, -6) and done.stderr and not done.stdout, done
    with check("missing-value"):
        assert tool(bed, "-c").returncode not in (0, -6)
