"""The service script, the import from pptpd and the jail's capabilities, run by OpenWrt's shell
(busybox ash) against the stand-ins in openwrt/.
"""

import json
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
FILES = HERE.parents[1] / "openwrt/pptp-server/files"

SERVER = "config server 'main'\n\toption enabled '{enabled}'\n\toption port '1724'\n\tlist src 'wan'\n\tlist src 'guest'\n\toption zone 'lan'\n"
ALICE = "config user\n\toption enabled '1'\n\toption username 'alice'\n\toption password 'secret'\n"
FIREWALL = "".join(f"config zone\n\toption name '{name}'\n" for name in ("lan", "wan", "guest"))


def check(report):
    check_syntax(report)
    check_capabilities(report)
    check_start(report)
    check_firewall(report)
    check_warnings(report)
    check_import(report)
    check_hook(report)


def check_syntax(report):
    for name in ("pptp-server.init", "pptp-server.uci-defaults", "pptp-server.hotplug"):
        result = subprocess.run(["busybox", "ash", "-n", FILES / name], capture_output=True, text=True)
        report.check(f"{name}: syntax", result.returncode == 0, result.stderr)
        # 1091: files of the router; 2317: functions that OpenWrt's code calls.
        result = subprocess.run(["shellcheck", "-s", "dash", "-e", "SC1091,SC2317", FILES / name],
                                capture_output=True, text=True)
        report.check(f"{name}: shellcheck", result.returncode == 0, result.stdout)


def check_capabilities(report):
    sets = json.loads((FILES / "pptp-server.capabilities.json").read_text())
    wanted = ["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_NET_BIND_SERVICE"]
    report.equal("capabilities", sets, {
        "bounding": wanted, "effective": wanted, "permitted": wanted, "inheritable": wanted, "ambient": []})


class Run:
    """One run of a function of the service script; `calls` is what it asked procd for."""

    def __init__(self, config, command="start_service; service_started", problems="", **environment):
        with tempfile.TemporaryDirectory() as root:
            folder = Path(root, "etc/config")
            folder.mkdir(parents=True)
            (folder / "pptp-server").write_text(config)
            (folder / "firewall").write_text(environment.pop("firewall", FIREWALL))
            program = Path(root, "program")
            self.program = str(program)
            program.write_text(f"#!/bin/sh\n[ -z '{problems}' ] || {{ echo '{problems}' >&2; exit 1; }}\n")
            program.chmod(0o755)
            script = (FILES / "pptp-server.init").read_text().replace("/etc/config/firewall", f"{folder}/firewall")
            text = f". {HERE}/openwrt/functions.sh\n. {HERE}/openwrt/procd.sh\n{script}\nPROG={program}\n{command}\n"
            self.output = ash(text, folder, environment)
        self.calls = [line.split("\x1f")[:-1] for line in self.output.splitlines()]

    def all(self, name):
        return [call[1:] for call in self.calls if call[0] == name]

    def parameters(self):
        return {call[0]: call[1:] for call in self.all("procd_set_param")}

    def logged(self):
        return [call[-1] for call in self.all("logger")]

    def rules(self):
        """The firewall data as a list of dictionaries."""
        rules = []
        for name, *arguments in self.calls:
            if name == "json_add_object":
                rules.append({})
            elif name == "json_add_string":
                rules[-1][arguments[0]] = arguments[1]
        return rules


def ash(text, folder, environment):
    path = f"{HERE}/openwrt:{os.environ['PATH']}"
    result = subprocess.run(["busybox", "ash", "-c", text], capture_output=True, text=True,
                            env={"PATH": path, "UCI_DIR": str(folder), **environment})
    return result.stdout + "".join(f"stderr\x1f{line}\x1f\n" for line in result.stderr.splitlines())


def check_start(report):
    run = Run(SERVER.format(enabled=1) + ALICE)
    parameters = run.parameters()
    report.equal("start: no complaints", (run.all("stderr"), run.logged()), ([], []))
    report.equal("start: command", parameters.get("command"), [run.program, "-c", "/etc/config/pptp-server"])
    report.equal("start: one instance", len(run.all("procd_open_instance")), 1)
    report.equal("start: reload by HUP when the file changes",
                 (parameters.get("reload_signal"), parameters.get("file")), (["HUP"], ["/etc/config/pptp-server"]))
    report.equal("start: output to the log", (parameters.get("stdout"), parameters.get("stderr")), (["1"], ["1"]))
    report.equal("start: again without end", parameters.get("respawn"), ["3600", "10", "0"])
    report.equal("start: jail", run.all("procd_add_jail"), [["pptp-server", "procfs", "ronly"]])
    report.equal("start: read-only mounts", run.all("procd_add_jail_mount"), [["/etc/config", "/var/run/ubus"]])
    report.equal("start: writable mounts", run.all("procd_add_jail_mount_rw"), [["/dev/net/tun"]])
    report.equal("start: rights", (parameters.get("capabilities"), parameters.get("no_new_privs")),
                 (["/etc/capabilities/pptp-server.json"], ["1"]))
    report.equal("reload on Save & Apply", Run("", "service_triggers").all("procd_add_reload_trigger"), [["pptp-server"]])

    run = Run(SERVER.format(enabled=0) + ALICE)
    report.check("disabled: not started, and says so", not run.all("procd_open_instance") and "disabled" in run.logged()[0])
    report.equal("disabled: firewall left alone", run.all("procd_set_config_changed"), [])

    broken = SERVER.format(enabled=1) + ALICE
    run = Run(broken, problems="pptp-server:3: main.port: bad")
    report.equal("broken configuration: not started", run.all("procd_open_instance"), [])
    report.check("broken configuration: the log names the place", "pptp-server:3: main.port: bad" in run.logged())
    run = Run(broken, problems="pptp-server:3: main.port: bad", RUNNING="1")
    report.equal("broken configuration: a running server stays", len(run.all("procd_open_instance")), 1)


def rule(zone, **more):
    return {"type": "rule", "src": zone, "family": "ipv4", "target": "ACCEPT", **more}


def check_firewall(report):
    expected = [rule("wan", proto="tcp", dest_port="1724"), rule("wan", proto="gre"),
                rule("guest", proto="tcp", dest_port="1724"), rule("guest", proto="gre")]
    run = Run(SERVER.format(enabled=1) + ALICE)
    report.equal("firewall: port and GRE from each zone", run.rules(), expected)
    listed = Run(SERVER.format(enabled=1) + "\tlist listen '0.0.0.0'\n\tlist listen '203.0.113.2'\n" + ALICE)
    kept = [{**rule(zone, proto="gre", src_ip="203.0.113.2"), "type": "nat"} for zone in ("wan", "guest")]
    report.equal("firewall: GRE keeps the address that it comes from",
                 listed.rules(), [*expected[:2], kept[0], *expected[2:], kept[1]])
    report.equal("firewall: fw4 is told", run.all("procd_set_config_changed"), [["firewall"]])
    names = [call[0] for call in run.calls if call[0].startswith(("json_", "procd_open_data", "procd_close_data"))]
    report.check("firewall: well-formed data", balanced(names), f"{names}")
    hashed = ALICE.replace("password 'secret'", "nt_hash '8846F7EAEE8FB117AD06BDD830B7586C'")
    report.equal("firewall: an account by hash counts", Run(SERVER.format(enabled=1) + hashed).rules(), expected)
    for name, users in {"no account": "", "a disabled account": ALICE.replace("enabled '1'", "enabled '0'"),
                        "an account without password": ALICE.replace("\toption password 'secret'\n", "")}.items():
        run = Run(SERVER.format(enabled=1) + users)
        report.check(f"firewall: closed with {name}",
                     run.rules() == [] and len(run.all("procd_open_instance")) == 1 and "no account" in run.logged()[0],
                     run.output)
        report.equal(f"firewall: fw4 is told with {name}", run.all("procd_set_config_changed"), [["firewall"]])


def balanced(names):
    depth = 0
    for name in names:
        depth += bool(re.match(r"json_add_(array|object)|procd_open", name)) - ("_close_" in name)
        if depth < 0:
            return False
    return depth == 0


def check_warnings(report):
    config = SERVER.format(enabled=1) + ALICE
    for other in ("pptpd", "accel-pppd"):
        logged = Run(config, OTHERS=other).logged()
        report.check(f"warns of {other}", len(logged) == 1 and other in logged[0], f"{logged}")
    logged = Run(config, firewall=FIREWALL.replace("guest", "other")).logged()
    report.check("warns of an unknown zone", len(logged) == 1 and "'guest'" in logged[0], f"{logged}")
    logged = Run(config.replace("'guest'", "'*'")).logged()
    report.equal("any zone is no unknown zone", logged, [])


PPTPD = """config service 'pptpd'
	option 'enabled' '1'
	option 'localip' '192.168.0.1'

config 'login'
	option 'username' 'youruser'
	option 'password' 'yourpass'

config 'login'
	option 'username' 'bob'
	option 'password' 'a "b" # c'

config 'login'
	option 'username' 'nopassword'
"""
BOB = {"enabled": "1", "username": "bob", "password": 'a "b" # c'}


def check_import(report):
    shipped = (FILES / "pptp-server.config").read_text()
    report.equal("import: accounts of pptpd, not its example", import_users(shipped, PPTPD), [BOB])
    report.equal("import: nothing without pptpd", import_users(shipped, None), [])
    report.equal("import: not when updated", import_users(shipped, PPTPD, PKG_UPGRADE="1"), [])
    report.equal("import: not beside own accounts", len(import_users(shipped + ALICE, PPTPD)), 1)
    report.equal("import: not into a server in use",
                 import_users(shipped.replace("enabled '0'", "enabled '1'"), PPTPD), [])
    report.check("import: touches no other file", import_leaves_others(shipped))


def check_hook(report):
    """As procd does: the file is sourced, with the variables of the call."""
    with tempfile.TemporaryDirectory() as root:
        hook, seen = Path(root, "hook"), Path(root, "seen")
        hook.write_text(f'#!/bin/sh\necho "$ACTION $USERNAME" >>{seen}\ncat\n')
        text = (FILES / "pptp-server.hotplug").read_text()
        environment = {"HOOK": str(hook), "ACTION": "up", "USERNAME": "a b; c"}
        report.equal("hook: not without rights", ash(text, root, environment), "")
        report.check("hook: did not run", not seen.exists())
        hook.chmod(0o755)
        ash(text, root, environment)
        report.equal("hook: its variables", seen.read_text(), "up a b; c\n")
        hook.write_text("#!/bin/sh\nexec sleep 60\n")
        began = time.monotonic()
        ash(text.replace("sleep 10", "sleep 1"), root, environment)
        report.check("hook: is killed when it takes too long", time.monotonic() - began < 20)
        report.equal("hook: none", ash(text, root, {"ACTION": "up"}), "")


def run_import(folder, environment):
    text = (FILES / "pptp-server.uci-defaults").read_text()
    text = text.replace("/lib/functions.sh", f"{HERE}/openwrt/functions.sh").replace("/etc/config", str(folder))
    return ash("logger() { :; }\n" + text, folder, environment)


def import_users(config, pptpd, **environment):
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        (folder / "pptp-server").write_text(config)
        if pptpd:
            (folder / "pptpd").write_text(pptpd)
        complaint = run_import(folder, environment)
        return complaint or users(folder)


def users(folder):
    """The accounts, through the same eyes as the script's."""
    listing = subprocess.run([HERE / "openwrt/uci", "shell", "pptp-server"], env={"UCI_DIR": str(folder), **os.environ},
                             capture_output=True, text=True, check=True).stdout
    names = re.findall(r"CONFIG_(\w+)_TYPE=user", listing)
    found = []
    for name in names:
        values = re.findall(rf"^CONFIG_{name}_(\w+)='(.*)'$", listing, re.M)
        found.append(dict(values))
    return found


def import_leaves_others(shipped):
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        others = {"pptpd": PPTPD, "firewall": FIREWALL}
        for name, text in (others | {"pptp-server": shipped}).items():
            (folder / name).write_text(text)
        run_import(folder, {})
        enabled = "option enabled '0'" in (folder / "pptp-server").read_text()
        return enabled and all((folder / name).read_text() == text for name, text in others.items())
