"""The process: signals, reload, rights, ports, memory."""
import os
import re
import signal
import socket
import subprocess

import ip
import pptp
from bed import LAN, WAN
from server import USERS, Server, resident
from suite import Skip, scenario


@scenario()
def sigterm(bed, check):
    """SIGTERM: LCP Terminate, Call-Disconnect-Notify, StopCCRQ within 2 s, status 0."""
    one, two = bed.dial("c1", "alice"), bed.dial("c2", "bob")
    with check("within-two-seconds"):
        bed.server.signal(signal.SIGTERM)
        assert bed.server.wait_exit(2) == 0, bed.server.process.returncode
    with check("goodbyes"):
        bed.loop.sleep(0.1)
        for caller in (one, two):
            kinds = [m.kind for m in caller.control.seen]
            assert "LCP Terminate-Request" in str(caller.link.ended), caller.link.ended
            assert pptp.CDN in kinds and pptp.STOPRQ in kinds, [pptp.name(k) for k in kinds]
            assert kinds.index(pptp.CDN) < kinds.index(pptp.STOPRQ)
    with check("device-is-gone"):
        assert "pptps0" not in bed.router.ip("link")


@scenario()
def sigterm_deaf_peers(bed, check):
    """SIGTERM with callers that do not answer any more, and SIGINT."""
    for name in ("c1", "c2"):
        caller = bed.dial(name, "alice" if name == "c1" else "bob", tun=False)
        bed.loop.forget(caller.control.socket)      # reads nothing from now on
        caller.tunnel.close()
    bed.problems.clear()
    with check("within-two-seconds"):
        bed.server.signal(signal.SIGTERM)
        assert bed.server.wait_exit(2.5) == 0


@scenario()
def kill_and_restart(bed, check):
    """Killed without a word and started again: callers get in again at once."""
    caller = bed.dial("c1")
    with check("restart"):
        bed.server.kill()
        bed.loop.until(caller.finished, 5, "the end of the connection")
        caller.drop()
        bed.serve()
        bed.dial("c1")
        bed.assert_ping("c1", LAN)


@scenario()
def reload(bed, check):
    """SIGHUP: calls of unchanged accounts stay, of changed ones end."""
    server, base = bed.server, list(USERS)
    alice, bob, carol = (bed.dial(w, u, tun=u != "carol") for w, u in
                         (("c1", "alice"), ("c2", "bob"), ("crowd", "carol")))
    with check("nothing-changed"):
        hup(bed, users=base)
        assert not any(c.finished() for c in (alice, bob, carol))
        bed.assert_ping("c1", LAN)
    with check("removed-account"):
        hup(bed, users=base[:2])
        bed.loop.until(carol.finished, 3, "the end of carol's call")
        bed.assert_ping("c1", LAN)
    with check("new-password"):
        hup(bed, users=[base[0], {**base[1], "password": "bob-Pass2"}])
        bed.loop.until(bob.finished, 3, "the end of bob's call")
        bob.drop()
        bob = bed.dial("c2", "bob", password="bob-Pass2")
        assert not alice.finished()
    with check("disabled"):
        hup(bed, users=[base[0], {**base[1], "password": "bob-Pass2", "enabled": "0"}])
        bed.loop.until(bob.finished, 3, "the end of bob's call")
    with check("broken-file-changes-nothing"):
        server.configure("config server 'main'\n\toption port 'many'\n")
        server.signal(signal.SIGHUP)
        server.wait_log(r"main\.port|option port")
        bed.loop.sleep(0.2)
        assert server.alive() and not alice.finished()
        bed.assert_ping("c1", LAN)
    with check("file-gone-changes-nothing"):
        os.unlink(server.config)
        server.signal(signal.SIGHUP)
        bed.loop.sleep(0.3)
        assert server.alive() and not alice.finished()
    with check("new-account"):
        hup(bed, users=[*base, {"username": "dave", "password": "dave-Pass1"}])
        bed.dial("c2", "dave", tun=False)
        assert not alice.finished()
        bed.assert_ping("c1", LAN)


def hup(bed, **options):
    bed.server.configure(**options)
    bed.server.signal(signal.SIGHUP)
    bed.loop.sleep(0.3)


@scenario(serve=False)
def missing_rights(bed, check):
    """Without the rights: an error that names the capability, status 1."""
    wrappers = {
        "nobody": (["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                    "--inh-caps=-all"], "CAP_NET_ADMIN"),
        "no-net-admin": (["setpriv", "--bounding-set=-net_admin", "--inh-caps=-all"],
                         "CAP_NET_ADMIN"),
        "no-net-raw": (["setpriv", "--bounding-set=-net_raw", "--inh-caps=-all"], "CAP_NET_RAW")}
    for name, (command, capability) in wrappers.items():
        with check(name) as suite:
            server = bed.server = Server(bed, command=command, mode=0o644)
            server.launch()
            assert server.wait_exit(5) == 1, f"status {server.process.returncode}"
            assert capability in server.log(), server.tail()
            suite.note = server.log().strip().splitlines()[-1]


@scenario(serve=False)
def port_in_use(bed, check):
    """The port is taken: an error that says which one, status 1."""
    with bed.router:
        taken = socket.create_server(("0.0.0.0", 1723))
    with check("said"):
        server = bed.server = Server(bed)
        server.launch()
        assert server.wait_exit(5) == 1, f"status {server.process.returncode}"
        assert "1723" in server.log() and re.search("(?i)in use", server.log()), server.tail()
    taken.close()
    with check("address-not-ours"):
        server = bed.server = Server(bed, listen=["198.51.100.1"])
        server.launch()
        assert server.wait_exit(5) == 1 and "198.51.100.1" in server.log(), server.tail()


@scenario(serve=False)
def no_tun_module(bed, check):
    """No /dev/net/tun, as without kmod-tun, or no driver behind it: an error that names the module,
    status 1, nothing left behind; with the device the same start serves."""
    hidden = ["unshare", "--mount", "sh", "-c"]
    ways = {"no-file": "mount -t tmpfs none /dev/net", "no-driver": "mount -t tmpfs none /dev/net && mknod /dev/net/tun c 10 199"}
    for name, way in ways.items():
        with check(name) as suite:
            server = bed.server = Server(bed, command=[*hidden, way + ' && exec "$@"', "sh"])
            server.launch()
            assert server.wait_exit(5) == 1, f"status {server.process.returncode}"
            errors = [line for line in server.log().splitlines() if line.startswith("error: ")]
            assert len(errors) == 1 and "/dev/net/tun" in errors[0] and "kmod-tun" in errors[0], server.tail()
            assert "listening" not in server.log() and "pptps0" not in bed.router.ip("link")
            suite.note = errors[0]
    with check("serves-once-it-is-there"):
        bed.serve()
        bed.dial("c1")


@scenario(serve=False)
def embedded_default(bed, check):
    """No arguments: the embedded default prints an account, and a caller gets in with it."""
    server = bed.server = Server(bed)
    output = os.path.join(bed.directory, "output")
    with open(output, "w") as out, open(server.log_path, "w") as log:
        server.process = bed.router.popen([bed.binary], stdin=subprocess.DEVNULL, stdout=out,
                                          stderr=log)
    with check("prints-an-account"):
        bed.loop.until(lambda: server.ready(1) or not server.alive(), 5, "listening")
        with open(output) as file:
            text = file.read()
        password = re.search(r"(?<![\w-])[\w-]{20}(?![\w-])", text)
        assert password and re.search(r"\bvpn\b", text), text
    with check("dials-in"):
        bed.dial("c1", "vpn", password=password[0])
        bed.assert_ping("c1", "192.168.77.1")
        bed.assert_ping("c1", LAN)
    with check("password-not-logged"):
        assert password[0] not in server.log()


@scenario(users=[{"username": f"user{n}", "password": f"user{n}-Pass1"} for n in range(33)])
def memory(bed, check):
    """32 calls: memory stays under 1 MiB; the 33rd is refused."""
    with check("start") as suite:
        suite.note = resident(bed)
    with check("32-calls") as suite:
        callers = [bed.dial("c1", f"user{n}", tun=False) for n in range(32)]
        addresses = {c.address for c in callers}
        assert len(addresses) == 32
        suite.note = resident(bed)
    with check("with-traffic") as suite:
        for _ in range(20):
            for caller in callers:
                caller.send_ip(ip.udp(caller.address, LAN, 9, 9, bytes(1200)))
            bed.loop.turn(0.01)
        bed.loop.sleep(0.2)
        suite.note = resident(bed, "VmHWM")
    with check("one-too-many"):
        assert not try_attempt(bed.caller("c2", "user32", tun=False))
        bed.problems.clear()
    with check("all-again"):
        for caller in callers[:4]:
            caller.hang_up()
        bed.dial("c2", "user32", tun=False)


def try_attempt(caller):
    try:
        return caller.attempt(5)
    except AssertionError:
        return False                # refused at the OCRP is refused as well


@scenario()
def clean_capture(bed, check):
    """tshark reads a whole session of ours without one malformed packet."""
    path = os.path.join(bed.directory, "session.pcap")
    with check("tshark") as suite:
        if not tshark():
            raise Skip("tshark is not installed")
        wan = bed.capture("router", "wan")
        caller = bed.dial("c1")
        bed.assert_ping("c1", LAN)
        caller.hang_up()
        wan.write(path)
        bad = subprocess.run(["tshark", "-r", path, "-Y", "_ws.malformed or _ws.expert.severity"
                              " == error"], capture_output=True, text=True).stdout
        assert not bad, bad.splitlines()[:3]
        suite.note = f"{len(wan.frames)} frames, from {WAN}"


def tshark():
    return any(os.access(os.path.join(d, "tshark"), os.X_OK)
               for d in os.environ["PATH"].split(":"))
