#!/usr/bin/env python3
"""A stand-in for OpenWrt's netifd as far as dynamic interfaces go; what it does to the device was
seen with netifd itself. Usage: netifd.py SOCKET, in the router's namespace.

A device that is new to it loses its addresses and routes. The same interface again changes nothing;
with another zone it is removed, and the device is taken down. It also goes with its device."""
import select
import socket
import subprocess
import sys

from busclient import BusClient
from busmsg import INVALID_ARGUMENT, OK


class Netifd:
    def __init__(self, path):
        self.bus, self.interfaces, self.doomed = BusClient(path), {}, []
        self.bus.add("network", {"add_dynamic": self.add_dynamic})
        self.bus.add("network.interface", {"dump": self.dump})

    def run(self):
        while True:
            select.select([self.bus], [], [], 0.2)
            while (message := self.bus.receive(0)) is not None:
                self.bus.serve(message)
            gone = [name for name, (config, _, index) in self.interfaces.items()
                    if number(config["device"]) != index]
            for name in self.doomed + gone:
                self.remove(name)
            self.doomed.clear()

    def add_dynamic(self, config):
        name = config.get("name")
        if not name:
            return INVALID_ARGUMENT, None
        if name in self.interfaces:
            if self.interfaces[name][0] != config:
                self.doomed.append(name)
            return OK, None
        device = config["device"]
        ip("addr", "flush", "dev", device, "scope", "global")
        ip("route", "flush", "dev", device)
        ip("link", "set", device, "up")
        self.offer(name, config)
        return OK, None

    def dump(self, _):
        """What fw4 asks for: which device each interface has, and the zone it is to be in."""
        found = [{"interface": name, "up": True, "l3_device": config["device"],
                  "device": config["device"], "data": {"zone": config["zone"]}}
                 for name, (config, *_) in self.interfaces.items()]
        return OK, {"interface": found}

    def offer(self, name, config):
        methods = {"remove": lambda _: (self.doomed.append(name), (OK, None))[1],
                   "status": lambda _: (OK, {"up": True, "data": {"zone": config["zone"]}})}
        thing = self.bus.add(f"network.interface.{name}", methods)
        self.interfaces[name] = (config, thing, number(config["device"]))

    def remove(self, name):
        config, thing, _ = self.interfaces.pop(name, (None, None, None))
        if config:
            ip("link", "set", config["device"], "down")
            self.bus.remove(thing)


def number(device):
    """The number of a device; one that is made anew has another one."""
    try:
        return socket.if_nametoindex(device)
    except OSError:
        return None


def ip(*arguments):
    subprocess.run(["ip", "-4", *arguments], stderr=subprocess.DEVNULL, check=False)


if __name__ == "__main__":
    Netifd(sys.argv[1]).run()
