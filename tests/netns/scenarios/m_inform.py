"""DHCPINFORM inside the tunnel: answers that others understand, Wireshark and dhcpcd among them."""
import json
import os
import shutil
import signal
import struct
import subprocess

import ip
from bed import GATEWAY, LAN
from personality import WINDOWS
from server import USERS
from suite import Skip, scenario

BROADCAST = "255.255.255.255"
# Windows' own list: mask, domain, router, DNS, NetBIOS and routes, the old and the new.
WANTED = bytes((1, 15, 3, 6, 44, 46, 47, 31, 33, 121, 249, 43))
OPTIONS = {"lan_device": "br-lan", "domain": "home.lan", "wins": ["192.168.1.9"],
           "push_route": ["10.20.0.0/16"],
           "users": [{**USERS[0], "push_route": "172.16.5.128/25"}, *USERS[1:]]}
ROUTES = ["192.168.1.0/24", "192.168.77.0/25", "10.20.0.0/16", "172.16.5.128/25"]


def message(address, kind=8, wanted=WANTED):
    """What Windows sends over a PPTP link: hardware "hyperchannel", an address that says RAS."""
    front = struct.pack(">BBBBIHH4s12x16s192xI", 1, 8, 16, 0, 0x5A010203, 0, 0,
                        bytes(map(int, address.split("."))), b"RAS ", 0x63825363)
    return front + bytes((53, 1, kind, 61, 4, 8)) + b"RAS" + bytes((55, len(wanted))) + wanted + b"\xff"


def ask(bed, caller, octets, to=BROADCAST, dport=67, wait=3):
    """The answers to a datagram of the caller's."""
    caller.inner.clear()
    caller.send_ip(ip.udp(caller.address, to, 68, dport, octets, df=False))
    try:
        bed.loop.until(lambda: caller.inner, wait, "an answer")
    except Exception:
        return []
    return list(caller.inner)


def told(packet):
    """The routes of options 121 and 249, as Wireshark reads them, and the other fields."""
    frame = bytes(12) + b"\x08\x00" + packet
    pcap = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    pcap += struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame
    tshark = shutil.which("tshark")
    if not tshark:
        raise Skip("no tshark here (Debian: tshark)")
    done = subprocess.run([tshark, "-r", "-", "-T", "json", "--no-duplicate-keys", "-o", "ip.check_checksum:TRUE",
                           "-o", "udp.check_checksum:TRUE"], input=pcap, capture_output=True)
    return json.loads(done.stdout)[0]["_source"]["layers"]


def values(tree, name):
    """Every value of a field, wherever it stands."""
    if isinstance(tree, list):
        return [value for part in tree for value in values(part, name)]
    if not isinstance(tree, dict):
        return []
    found = [value for key, part in tree.items() if key != name for value in values(part, name)]
    mine = tree.get(name, [])
    return (mine if isinstance(mine, list) else [mine]) + found


def described(network):
    """A route as RFC 3442 writes it and Wireshark shows it."""
    address, prefix = network.split("/")
    octets = address.split(".")[:(int(prefix) + 7) // 8] + GATEWAY.split(".")
    return ":".join(f"{int(octet):02x}" for octet in (prefix, *octets))


@scenario(**OPTIONS)
def inform(bed, check):
    """A caller that asks is told routes, a domain and servers, as Wireshark reads the answer."""
    caller = bed.dial("c1", personality=WINDOWS, tun=False)
    with check("answer"):
        answers = ask(bed, caller, message(caller.address))
        assert len(answers) == 1, f"{len(answers)} answers"
        packet = ip.parse(answers[0])
        assert (packet.source, packet.destination) == (GATEWAY, caller.address)
        assert ip.checksum(answers[0][:20]) == 0
    with check("wireshark") as suite:
        tree = told(answers[0])
        assert not values(tree, "_ws.expert.message"), values(tree, "_ws.expert.message")
        assert values(tree, "udp.checksum.status") == ["1"], "the UDP checksum is wrong"
        assert values(tree, "dhcp.option.dhcp") == ["5"]
        assert values(tree, "dhcp.option.dhcp_server_id") == [GATEWAY]
        assert values(tree, "dhcp.option.domain_name") == ["home.lan"]
        assert values(tree, "dhcp.option.netbios_over_tcpip_name_server") == ["192.168.1.9"]
        assert values(tree, "dhcp.ip.your") == ["0.0.0.0"]
        codes = values(tree, "dhcp.option.type")
        assert codes == ["53", "54", "61", "6", "44", "15", "249", "121", "0"], codes
        routes = values(tree, "dhcp.option.classless_static_route")
        assert routes == 2 * [described(network) for network in ROUTES], routes
        suite.note = ", ".join(ROUTES)
    with check("discover-and-request-are-not-answered"):
        for kind in (1, 3, 4, 7):
            assert not ask(bed, caller, message(caller.address, kind), wait=0.3), kind
    with check("nothing-leaks-to-the-lan"):
        lan = bed.capture("lan", "eth0")
        assert ask(bed, caller, message(caller.address), to=GATEWAY)
        bed.assert_ping("router", LAN)
        assert not [p for p in lan.packets(ip.UDP) if p.payload[2:4] == b"\0C"]
    with check("a-flood-is-capped") as suite:
        caller.inner.clear()
        for _ in range(300):
            caller.send_ip(ip.udp(caller.address, GATEWAY, 68, 67, message(caller.address)))
        caller.send_ip(ip.udp(caller.address, GATEWAY, 68, 9, b"end"))
        bed.loop.until(lambda: any(ip.parse(p).protocol == ip.ICMP for p in caller.inner), 5, "end")
        count = sum(ip.parse(p).protocol == ip.UDP for p in caller.inner)
        assert count <= 6, f"{count} answers to 300 questions"
        suite.note = f"{count} answers"


_SCRIPT = """#!/bin/sh
[ -n "$new_classless_static_routes" ] || exit 0
env | grep '^new_' >%s.new
mv %s.new %s
"""


@scenario(**OPTIONS)
def dhcpcd(bed, check):
    """A real client understands the answer, and with the routes in it a kernel reaches the LAN."""
    program = shutil.which("dhcpcd")
    caller = bed.dial("c1", routes=[])
    space, device = bed.spaces["c1"], caller.tun.name
    with check("asks-and-is-told"):
        if not program:
            raise Skip("no dhcpcd here (Debian: dhcpcd-base)")
        line(space, caller)
        found = variables(bed, space, program, device)
        expected = " ".join(f"{network} {GATEWAY}" for network in ROUTES)
        assert found["new_classless_static_routes"] == expected, found
        assert found["new_ms_classless_static_routes"] == expected, found
        assert found["new_domain_name"] == "home.lan", found
    with check("routes"):
        # dhcpcd takes the other end of a line for a broadcast address, and then no gateway is valid.
        line(space, caller)
        words = found["new_classless_static_routes"].split()
        pairs = zip(words[::2], words[1::2])
        space.ip_batch([f"route add {network} via {gateway}" for network, gateway in pairs])
        bed.assert_ping("c1", LAN)


def line(space, caller):
    """The caller's device as pppd makes it: its address, and that of the other end."""
    space.ip_batch([f"addr flush dev {caller.tun.name}",
                    f"addr add {caller.address} peer {GATEWAY}/32 dev {caller.tun.name}"])


def variables(bed, space, program, device):
    """What dhcpcd hands to its script."""
    seen, script = (os.path.join(bed.directory, name) for name in ("dhcpcd.env", "dhcpcd.sh"))
    with open(script, "w") as file:
        file.write(_SCRIPT % (seen, seen, seen))
    os.chmod(script, 0o755)
    wanted = "classless_static_routes,ms_classless_static_routes,domain_name,domain_name_servers"
    process = space.popen([program, "--inform", "--nobackground", "--ipv4only", "--option", wanted,
                           "--script", script, "--config", "/dev/null", "--timeout", "15", device],
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True)
    try:
        bed.loop.until(lambda: os.path.exists(seen) or process.poll() is not None, 20, "dhcpcd")
    finally:
        process.terminate()
        process.wait(10)
        end_helpers(space)
    said = process.stderr.read()
    assert os.path.exists(seen), said[-600:]
    with open(seen) as file:
        return dict(text.split("=", 1) for text in file.read().splitlines())


def end_helpers(space):
    """dhcpcd's own helpers outlive it when it is told to end this early."""
    listed = subprocess.run(["ip", "netns", "pids", space.name], text=True, capture_output=True)
    for pid in map(int, listed.stdout.split()):
        try:
            with open(f"/proc/{pid}/cmdline") as file:
                if file.read().startswith("dhcpcd"):
                    os.kill(pid, signal.SIGKILL)
        except OSError:
            continue                # it ended by itself
