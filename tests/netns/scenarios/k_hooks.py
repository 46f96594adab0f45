"""Programs that are run when callers come and go: in order, in time, and without secrets."""
import os
import signal

from bed import GATEWAY
from server import USERS
from suite import scenario

_SHELL = "#!/bin/sh\n"


def program(bed, text):
    """Writes the hook; `seen` stands for the file that it writes to."""
    path, seen = (os.path.join(bed.directory, name) for name in ("hook", "seen"))
    if os.path.exists(seen):
        os.unlink(seen)
    with open(path, "w") as file:
        file.write(_SHELL + text.replace("seen", seen))
    os.chmod(path, 0o700)
    return path, lambda: open(seen).read() if os.path.exists(seen) else ""


def lines(bed, read, count, timeout=5):
    bed.loop.until(lambda: read().count("\n") >= count, timeout, f"{count} lines of {read()!r}")
    return read().splitlines()


@scenario(serve=False)
def hooks(bed, check):
    """A program for each caller that comes online or goes: its variables, its order, its limits."""
    path, read = program(bed, "env | sort >>seen\necho . >>seen\n")
    bed.serve(hook=path)
    with check("up"):
        caller = bed.dial("c1", "alice")
        found = variables(runs(bed, read, 1)[0])
        assert found == {"ACTION": "up", "ADDRESS": caller.address, "DEVICE": "pptps0",
                         "HOOK": path, "MTU": "1396", "PEER": "203.0.113.11",
                         "SESSION": str(caller.server_call_id), "USERNAME": "alice"}, found
    with check("down"):
        bed.assert_ping("c1", GATEWAY)
        caller.hang_up()
        found = variables(runs(bed, read, 2)[1])
        assert (found["ACTION"], found["CAUSE"]) == ("down", "peer_terminated"), found
        assert int(found["RX_BYTES"]) >= 192 and int(found["TX_BYTES"]) >= 192, found
        assert found["SESSION"] == str(caller.server_call_id)
    with check("no-secrets"):
        assert not any(user["password"] in read() for user in USERS)
    with check("not-for-a-failed-login"):
        before = read()
        assert not bed.caller("c1", "alice", password="wrong-Pass1").attempt()
        bed.loop.stays(lambda: read() == before, 1, "a hook ran")
    with check("none-left"):
        bed.loop.until(lambda: not children(bed), 5, "the end of all children")
    with check("the-last-goodbye"):
        bed.dial("c1", "alice")
        bed.server.stop()
        bed.loop.until(lambda: "CAUSE=shutdown" in read(), 3, "the hook of the end")


def runs(bed, read, count):
    """What each run of the first hook wrote; its last line is a dot."""
    bed.loop.until(lambda: read().splitlines().count(".") >= count, 5, f"{count} runs")
    return read().split("\n.\n")


def variables(text):
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    # The shell's own.
    assert found.pop("PATH") == "/usr/sbin:/usr/bin:/sbin:/bin", found
    for name in ("PWD", "OLDPWD", "SHLVL", "_"):
        found.pop(name, None)
    return found


def children(bed):
    pid = bed.server.process.pid
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return file.read().split()


@scenario(serve=False)
def slow_hooks(bed, check):
    """Hooks that hang cost nobody anything and are killed, with what they started."""
    path, read = program(bed, "echo $ACTION >>seen\nsleep 1234 &\nexec sleep 1234\n")
    bed.serve(hook=path)
    with check("callers-do-not-wait"):
        one, two = bed.dial("c1", "alice"), bed.dial("c2", "bob")
        bed.assert_ping("c1", two.address)
        assert lines(bed, read, 2) == ["up", "up"]
    with check("going-waits-for-coming"):
        one.hang_up()
        bed.loop.stays(lambda: read() == "up\nup\n", 1, "the second hook of a call")
    with check("killed-after-ten-seconds"):
        bed.server.wait_log(r"hook: took more than 10 s and was killed \(said once\)", 12)
        assert lines(bed, read, 3) == ["up", "up", "down"]
    with check("and-what-they-started"):
        bed.loop.until(lambda: len(children(bed)) <= 1, 3, "the end of the first two")
        bed.loop.until(lambda: sleepers(bed) <= 2, 3, "the end of their children")
    with check("nothing-outlives-the-server"):
        assert bed.server.stop(4) == 0
        bed.loop.until(lambda: sleepers(bed) == 0, 3, "the end of all")


def sleepers(bed):
    """Processes of the hooks in the router's namespace."""
    router = os.stat(f"/run/netns/{bed.router.name}").st_ino
    count = 0
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/cmdline") as file:
                is_ours = file.read() == "sleep\x001234\x00"
            count += is_ours and os.stat(f"/proc/{entry}/ns/net").st_ino == router
        except OSError:
            continue
    return count


@scenario(serve=False)
def broken_hooks(bed, check):
    """A hook that is not there is said once; a new one counts after a reload."""
    bed.serve(hook="/nowhere/hook")
    with check("said-once"):
        for _ in range(2):
            bed.dial("c1", "alice").hang_up()
        bed.assert_ping("router", GATEWAY)
        assert bed.server.log().count("(said once)") == 1, bed.server.tail()
        assert "hook: /nowhere/hook: No such file or directory" in bed.server.log()
    with check("reload"):
        path, read = program(bed, "echo $ACTION $USERNAME >>seen\n")
        bed.server.configure(hook=path)
        bed.server.signal(signal.SIGHUP)
        bed.server.wait_log("configuration read again")
        bed.dial("c1", "alice").hang_up()
        assert lines(bed, read, 2) == ["up alice", "down alice"]
