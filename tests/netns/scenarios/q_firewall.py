"""The router's firewall is loaded again, and connection tracking forgets everything, in the middle of
calls: here, and at a NAT between caller and server."""
import os
import subprocess

import traffic
from bed import LAN, WAN, WAN2
from behind import FAR, HOP, behind, nft
from scenarios.m_lines import back_again, cut
from suite import Skip, scenario

# As OpenWrt's fw4 makes it; the benchmark's router has other names for the same devices.
_FILE = os.path.join(os.path.dirname(__file__), "../../bench/mips/fw4.nft")
_SIZE = 3_000_000
_SHUT = """
flush ruleset
table inet shut {
  chain everything { type filter hook input priority 0; policy drop; }
}
"""
# A NAT with the helper for PPTP, as home routers have it, and one that hands all GRE to one machine.
_HELPER = """
table ip nat {
  ct helper pptp { type "pptp" protocol tcp; l3proto ip; }
  chain helper { type filter hook prerouting priority 0; tcp dport 1723 ct helper set "pptp"; }
  chain source { type nat hook postrouting priority srcnat; oifname "wan" masquerade; }
}
"""
_PASS_THROUGH = f"""
table ip nat {{
  chain destination {{ type nat hook prerouting priority dstnat; iifname "wan" ip protocol gre dnat to {FAR}; }}
  chain source {{ type nat hook postrouting priority srcnat; oifname "wan" masquerade; }}
}}
"""


def rules():
    with open(_FILE) as file:
        return file.read().replace('"wan0"', '"wan"').replace('"lan0"', '"br-lan"')


def forget(space):
    """Empties the table of connection tracking, as `conntrack -F`."""
    with space:
        subprocess.run(["conntrack", "-F"], check=True, capture_output=True)


def refuses(bed, port=80):
    """Whether the firewall is there at all: it lets nobody on the Internet in but for the callers."""
    return bed.spawn("c2", traffic.knock, WAN, port).result(5) == "refused"


def lives(bed, caller, where="c1"):
    """The call is the one that it was, its control connection too, and packets pass both ways."""
    bed.assert_ping(where, LAN)
    bed.assert_ping("lan", caller.address)
    caller.control.echo()
    assert not caller.finished(), caller.finished()
    assert "ended" not in bed.server.log(), bed.server.tail()


@scenario()
def firewall(bed, check):
    """fw4 reloads, restarts and is gone for a moment, and conntrack is emptied, under traffic."""
    reload(bed.router)
    try:
        caller = bed.dial("c1")
        bed.dial("c2", "bob")
        with check("is-there"):
            assert refuses(bed)
            lives(bed, caller)
        for name, step in (("reload", reload), ("restart", restart), ("conntrack-emptied", forget),
                           ("all-of-it", lambda space: (forget(space), restart(space)))):
            with check(name) as suite:
                ends = [bed.begin_transfer("lan", "c1", caller.address, _SIZE),
                        bed.begin_transfer("c1", "lan", LAN, _SIZE)]
                for _ in range(5):
                    bed.loop.sleep(0.05)
                    step(bed.router)
                took = max(end(30) for end in ends)
                suite.note = f"five times within a transfer of {took:.1f} s"
                assert took < 10, suite.note
                lives(bed, caller)
                assert refuses(bed)
        with check("shut-for-a-while"):
            nft(bed.router, _SHUT)
            forget(bed.router)
            bed.loop.sleep(3)
            reload(bed.router)
            lives(bed, caller)
        with check("a-new-caller"):
            bed.dial("crowd", "carol", tun=False)
        with check("second-address-of-the-wan"):
            # Masquerading would answer from the first: the service has a rule for listed addresses.
            kept = f"ip saddr {WAN2} meta l4proto gre accept\nmeta nfproto ipv4 masquerade"
            kept = rules().replace("meta nfproto ipv4 masquerade", kept)
            nft(bed.router, "flush ruleset\n" + kept)
            bed.dial("crowd", "carol", server=WAN2, source="203.0.113.70", tun=False)
    finally:
        nft(bed.router, "flush ruleset")


def reload(space):
    """As `fw4 reload`: the kernel puts new rules in the old ones' place at one stroke."""
    nft(space, "flush ruleset\n" + rules())


def restart(space):
    """As `fw4 restart`: without any rules for a moment."""
    nft(space, "flush ruleset")
    nft(space, rules())


@scenario()
def nat_forgets(bed, check):
    """A NAT on the caller's side forgets its connections: a call lives on as far as NAT lets it."""
    with behind(bed, known=False):
        with check("that-hands-on-gre") as suite:
            nft(bed.hop, _PASS_THROUGH)
            caller = bed.dial("far", source=FAR)
            end = bed.begin_transfer("lan", "far", caller.address, 4 * _SIZE)
            for _ in range(5):
                bed.loop.sleep(0.05)
                forget(bed.hop)
            suite.note = f"five times within a transfer of {end(30):.1f} s"
            lives(bed, caller, "far")
            assert f"from {HOP}" in bed.server.log()
            caller.hang_up()
        with check("with-helper") as suite:
            helper(bed.hop)
            old = bed.dial("far", source=FAR, lossy=True)
            bed.assert_ping("far", LAN)
            forget(bed.hop)
            # Only a control connection tells the helper whose GRE it is: the caller must dial again.
            heard = bed.ping("far", LAN, count=3, wait=0.3)["received"]
            cut(old)
            old, note = back_again(bed, old, where="far", source=FAR, lossy=True)
            suite.note = f"{heard} of 3 answers came through; {note}"
    bed.problems.clear()


def helper(space):
    try:
        nft(space, "flush ruleset\n" + _HELPER)
    except subprocess.CalledProcessError:
        raise Skip("this kernel has no NAT helper for PPTP") from None
    forget(space)
