"""What somebody could do who had taken the process over, and what it keeps in memory: rights,
descriptors, children, files, secrets."""
import os
import re
import subprocess

import mschap
from bed import LAN
from server import USERS, Server
from suite import scenario

_NET_BIND_SERVICE, _NET_ADMIN, _NET_RAW = 10, 12, 13
_KEPT = 1 << _NET_BIND_SERVICE | 1 << _NET_ADMIN | 1 << _NET_RAW


def status(server):
    with open(f"/proc/{server.process.pid}/status") as file:
        return dict(re.findall(r"^(\w+):\s*(.*)$", file.read(), re.M))


@scenario()
def rights(bed, check):
    """After the start it has three capabilities and can get no others, also without a jail."""
    found = status(bed.server)
    with check("capabilities") as suite:
        for name in ("CapEff", "CapPrm", "CapBnd"):
            assert int(found[name], 16) == _KEPT, f"{name} is {found[name]}"
        for name in ("CapInh", "CapAmb"):
            assert int(found[name], 16) == 0, f"{name} is {found[name]}"
        suite.note = "net_bind_service, net_admin, net_raw"
    with check("no-new-privileges"):
        assert found["NoNewPrivs"] == "1"
    with check("no-core-file"):
        with open(f"/proc/{bed.server.process.pid}/limits") as file:
            assert re.search(r"Max core file size\s+0\s+0\s", file.read())
    with check("still-works"):
        # A new device, a reload and a new caller need all of them.
        bed.router.ip_batch(["link del pptps0"])
        bed.loop.sleep(0.3)
        bed.server.signal(1)
        bed.server.wait_log("configuration read again")
        bed.dial("c1")
        bed.assert_ping("c1", LAN)


@scenario(serve=False)
def descriptors(bed, check):
    """No file is open but the TUN device, no child runs, and no file system was written to."""
    server = bed.server = Server(bed)
    # In memory: its log is not counted as written to a disk.
    server.log_path = f"/dev/shm/pptp-netns-{os.getpid()}.log"
    try:
        server.start()
        descriptors_of(bed, check)
    finally:
        server.stop()
        os.unlink(server.log_path)


def descriptors_of(bed, check):
    bed.dial("c1")
    pid = bed.server.process.pid
    with check("descriptors") as suite:
        links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        files = sorted(link for link in links if link.startswith("/"))
        right = {"/dev/null", "/dev/net/tun", bed.server.log_path}
        suite.note = f"{len(links)} descriptors, files {files}"
        assert set(files) <= right, suite.note
    with check("one-thread-no-child"):
        assert len(os.listdir(f"/proc/{pid}/task")) == 1
        # A hook that is not there may be tried at this moment.
        bed.loop.until(lambda: not children(pid), 2, "the end of every child")
    with check("nothing-written"):
        with open(f"/proc/{pid}/io") as file:
            written = int(re.search(r"^write_bytes: (\d+)", file.read(), re.M)[1])
        assert written == 0, f"{written} octets"


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return file.read()


def memory(server):
    """All that is in the memory of the process: where each mapping begins, its name, its octets."""
    pid = server.process.pid
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as octets:
        for line in maps:
            first, last = (int(x, 16) for x in line.split()[0].split("-"))
            if "r" in line.split()[1] and "[v" not in line:
                octets.seek(first)
                try:
                    yield first, line.split()[-1], octets.read(last - first)
                except OSError:
                    pass            # a page of the kernel's


def places(server, secret):
    """Where it stands."""
    return [f"{name} {first + found.start():#x}" for first, name, octets in memory(server)
            for found in re.finditer(re.escape(secret), octets)]


def holds(server, secret):
    return bool(places(server, secret))


def assert_gone(server, secrets):
    """Soon: what a turn of the loop leaves is wiped at its end."""
    server.loop.sleep(0.1)
    for name, secret in secrets.items():
        found = places(server, secret)
        assert not found, f"{name} is in the memory: {found}"


def passwords(users=USERS):
    """Every password in the forms in which it could be left lying about."""
    found = {}
    for user in users:
        text = user["password"]
        found[f"password of {user['username']}"] = text.encode()
        found[f"UTF-16 password of {user['username']}"] = mschap.utf16(text)
    return found


def proc(server, name):
    with open(f"/proc/{server.process.pid}/{name}", errors="replace") as file:
        return file.read()


@scenario(log_level="trace")
def secrets_in_memory(bed, check):
    """No password is in the memory after the file was read, and no key after its call has ended."""
    server = bed.server
    with check("seen-at-all"):
        # What must be there is found: so the search works.
        assert holds(server, mschap.nt_password_hash(mschap.utf16("alice-Pass1")))
        assert holds(server, b"carol")
    with check("passwords-after-the-start"):
        assert_gone(server, passwords())
    with check("passwords-after-a-reload"):
        users = [*USERS, {"username": "dave", "password": "dave-Pass1-new"}]
        server.configure(users=users)
        server.signal(1)
        server.wait_log("configuration read again")
        assert_gone(server, passwords(users))
    with check("hash-of-a-removed-account"):
        server.configure()
        server.signal(1)
        bed.loop.until(lambda: server.log().count("configuration read again") == 2, 3, "reload")
        gone = mschap.nt_password_hash(mschap.utf16("dave-Pass1-new"))
        assert_gone(server, {"hash of dave": gone})
    caller = bed.dial("c1")
    bed.assert_ping("c1", LAN)
    master = mschap.master_key(caller.link.nt_hash, caller.link.response)
    keys = {f"{way} key": mschap.start_key(master, text, 128)
            for way, text in (("sending", mschap.SERVER_SENDS), ("receiving", mschap.CLIENT_SENDS))}
    with check("keys-of-an-open-call"):
        assert all(holds(server, key) for key in keys.values())
        assert_gone(server, {"master key": master})
    with check("keys-of-a-call-that-ended"):
        caller.hang_up()
        bed.dial("c2", "bob").hang_up()
        assert_gone(server, keys)
        assert_gone(server, passwords())
    with check("not-in-log-or-proc"):
        wrong = bed.caller("c2", "bob", password="not-bobs-Pass9")
        assert not wrong.attempt()
        bed.callers.remove(wrong)
        hashes = [mschap.nt_password_hash(mschap.utf16(user["password"])) for user in users]
        secrets = [user["password"] for user in users] + ["not-bobs-Pass9"]
        secrets += [octets.hex() for octets in (*hashes, *keys.values(), caller.link.response)]
        shown = server.log() + "".join(proc(server, name) for name in ("cmdline", "environ"))
        assert '"alice" is online' in shown, 'no log'
        assert server.config in shown, repr(proc(server, 'cmdline'))
        for secret in secrets:
            assert secret.lower() not in shown.lower(), secret


@scenario(serve=False)
def secrets_of_the_default(bed, check):
    """The password of a start without arguments is shown once and kept nowhere."""
    server = bed.server = Server(bed)
    output = os.path.join(bed.directory, "output")
    with open(output, "w") as out, open(server.log_path, "w") as log:
        server.process = bed.router.popen([bed.binary], stdin=subprocess.DEVNULL, stdout=out,
                                          stderr=log)
    bed.loop.until(lambda: server.ready(1), 5, "listening")
    with open(output) as file:
        password = re.search(r"password +(\S{20})\n", file.read())[1]
    with check("not-in-memory"):
        assert_gone(server, passwords([{"username": "vpn", "password": password}]))
    with check("not-in-proc"):
        for name in ("cmdline", "environ", "status", "comm"):
            with open(f"/proc/{server.process.pid}/{name}", "rb") as file:
                assert password.encode() not in file.read(), name
    with check("dials-in"):
        bed.dial("c1", "vpn", password=password)
        bed.assert_ping("c1", LAN)
