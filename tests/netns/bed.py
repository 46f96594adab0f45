"""The bed: an internet of callers, a router with the real server, a LAN behind it.

    c1 203.0.113.11 --+
    c2 203.0.113.12 --+-- internet (bridge) -- wan 203.0.113.1-3 [router] br-lan 192.168.1.1 -- lan
    crowd .64-.193  --+                              pptps0 192.168.77.1                192.168.1.10
"""
import os

import gre
import line
import traffic
from caller import Caller
from capture import Capture
from loop import Loop
from netns import Netns, remove_orphans
from server import Server

WAN, WAN2, WAN3 = "203.0.113.1", "203.0.113.2", "203.0.113.3"
CALLERS = {"c1": ["203.0.113.11"], "c2": ["203.0.113.12"],
           "crowd": [f"203.0.113.{n}" for n in range(64, 194)]}
LAN_ROUTER, LAN, GATEWAY = "192.168.1.1", "192.168.1.10", "192.168.77.1"


class Bed:
    def __init__(self, binary, directory):
        self.loop, self.binary, self.directory = Loop(), binary, directory
        self.tag = f"pn{os.getpid()}"
        self.callers, self.problems, self.hubs, self.captures, self.children = [], [], {}, [], []
        self.routes, self.mtu, self.port = ["192.168.1.0/24", "192.168.77.0/24"], 1400, 1723
        self.lines, self.spaces, self.server = {}, {}, None

    # Namespaces

    def build(self):
        remove_orphans("pn")
        for name in ("internet", "router", "lan", *CALLERS):
            self.spaces[name] = Netns(f"{self.tag}-{name}")
        self.internet.ip_batch(["link add br0 type bridge forward_delay 0", "link set br0 up"])
        self.wire("router", "wan", "internet", "w-router")
        for name, addresses in CALLERS.items():
            self.wire(name, "wan", "internet", f"w-{name}")
            self.spaces[name].ip_batch([f"addr add {a}/24 dev wan" for a in addresses])
        for port in ("router", *CALLERS):
            self.internet.ip_batch([f"link set w-{port} master br0"])
        self.router.ip_batch([f"addr add {a}/24 dev wan" for a in (WAN, WAN2, WAN3)])
        self.build_lan()

    def build_lan(self):
        self.router.ip_batch(["link add br-lan type bridge forward_delay 0", "link set br-lan up",
                              f"addr add {LAN_ROUTER}/24 dev br-lan"])
        self.wire("lan", "eth0", "router", "lan0")
        self.router.ip_batch(["link set lan0 master br-lan"])
        self.lan.ip_batch([f"addr add {LAN}/24 dev eth0", f"route add default via {LAN_ROUTER}"])
        self.router.sysctl("net.ipv4.ip_forward", 1)
        self.router.sysctl("net.ipv4.icmp_ratelimit", 0)

    def wire(self, a, device, b, other):
        """A veth pair; senders compute checksums, so that frames can be copied by hand."""
        first, second = self.spaces[a], self.spaces[b]
        first.ip_batch([f"link add {device} type veth peer name {other} netns {second.name}",
                        f"link set {device} up"])
        second.ip_batch([f"link set {other} up"])
        first.checksums(device)
        second.checksums(other)

    def __getattr__(self, name):
        try:
            return self.__dict__["spaces"][name]
        except KeyError:
            raise AttributeError(name) from None

    def demolish(self):
        self.clean()
        for space in self.spaces.values():
            space.remove()

    def bad_line(self, name, **faults):
        """From now on this caller's frames pass through `line.relay`."""
        self.internet.ip_batch([f"link set w-{name} nomaster",
                                f"link add l-{name} type veth peer name m-{name}",
                                f"link set l-{name} up", f"link set m-{name} up",
                                f"link set m-{name} master br0"])
        self.internet.checksums(f"l-{name}")
        self.internet.checksums(f"m-{name}")
        ends = [line.packet_socket(self.internet, d) for d in (f"w-{name}", f"l-{name}")]
        self.lines[name] = self.internet.spawn(self.loop, line.relay, *ends, **faults)

    def good_line(self, name):
        self.lines.pop(name).kill()
        self.internet.ip_batch([f"link del l-{name}", f"link set w-{name} master br0"])

    # The server

    def serve(self, text=None, **options):
        """Starts the server with this configuration and waits until it serves."""
        self.mtu = int(options.get("mtu", 1400))
        self.server = Server(self, text, **options)
        self.server.start()
        return self.server

    # Callers

    def report(self, problem):
        if len(self.problems) < 50:
            self.problems.append(problem)

    def hub(self, netns):
        if netns.name not in self.hubs:
            self.hubs[netns.name] = gre.Hub(self.loop, netns, self.report)
        return self.hubs[netns.name]

    def caller(self, where="c1", user="alice", server=WAN, **keywords):
        keywords.setdefault("password", f"{user}-Pass1")
        return Caller(self, self.spaces[where], server, user, **keywords)

    def dial(self, where="c1", user="alice", timeout=10, **keywords):
        return self.caller(where, user, **keywords).dial(timeout)

    # Traffic

    def capture(self, where, device):
        self.captures.append(Capture(self.loop, self.spaces[where], device))
        return self.captures[-1]

    def spawn(self, where, function, *arguments, **keywords):
        task = self.spaces[where].spawn(self.loop, function, *arguments, **keywords)
        self.children.append(task)
        return task

    def ping(self, where, destination, **keywords):
        timeout = 5 + keywords.get("count", 3) * 2.5
        return self.spawn(where, traffic.ping, destination, **keywords).result(timeout)

    def assert_ping(self, where, destination, **keywords):
        result = self.ping(where, destination, **keywords)
        if result["received"] != result["sent"] or result["damaged"]:
            raise AssertionError(f"ping {where} -> {destination} {keywords}: {result}")

    def transfer(self, sender, receiver, address, size, timeout=60, mss=None):
        """TCP, every octet compared; returns seconds."""
        return self.begin_transfer(sender, receiver, address, size, mss)(timeout)

    def begin_transfer(self, sender, receiver, address, size, mss=None):
        """The same in two steps: what is returned waits for the end."""
        listening = traffic.listener(self.spaces[receiver], address)
        port = listening.getsockname()[1]
        taken = self.spawn(receiver, traffic.sink, listening, size)
        sent = self.spawn(sender, traffic.source, address, port, size, mss)

        def end(timeout=60):
            result = sent.result(timeout)
            got = taken.result(timeout)
            if not got["right"]:
                raise AssertionError(f"TCP {sender} -> {receiver}: {got} of {size} octets")
            return result["seconds"]
        return end

    # Between scenarios

    def clean(self):
        """Everything of one scenario goes; the namespaces stay."""
        for child in self.children:
            child.kill()
        for name in list(self.lines):
            self.good_line(name)
        for caller in list(self.callers):
            caller.drop()
        for hub in self.hubs.values():
            hub.close()
        for capture in self.captures:
            capture.close()
        if self.server:
            self.server.kill()
        self.children, self.hubs, self.captures = [], {}, []
