"""Hotplug scripts through procd: the server calls its object, and runs nothing itself."""
import os
import stat

from busbed import meet, serve
from busmsg import OK
from suite import scenario

HOTPLUG = "hotplug.pptp-server"


class Procd:
    """What procd does with the calls: here they are only kept."""

    def __init__(self, bed):
        self.bus, self.calls, self.bed = bed.bus.client(), [], bed
        self.thing = self.bus.add(HOTPLUG, {"call": self.call})
        bed.loop.watch(self.bus, self.serve)

    def call(self, arguments):
        self.calls.append(dict(text.split("=", 1) for text in arguments["env"]))
        return OK, None

    def serve(self):
        while (message := self.bus.receive(0)) is not None:
            self.bus.serve(message)

    def end(self):
        self.bus.remove(self.thing)
        self.bed.loop.forget(self.bus)

    def wait(self, count):
        self.bed.loop.until(lambda: len(self.calls) >= count, 5, f"{count} calls")
        assert len(self.calls) == count, self.calls
        return self.calls[-1]


@scenario(serve=False)
def hotplug(bed, check):
    """procd runs the scripts while it is there; without it the server does."""
    bed.bus.start()
    seen, program = (os.path.join(bed.directory, name) for name in ("seen", "hook"))
    with open(program, "w") as file:
        file.write(f'#!/bin/sh\necho "$ACTION $USERNAME" >>{seen}\n')
    os.chmod(program, stat.S_IRWXU)
    procd = Procd(bed)
    serve(bed, hook=program)
    meet(bed)
    with check("up"):
        caller = bed.dial("c1", "alice")
        told = procd.wait(1)
        assert told == {"ACTION": "up", "DEVICE": "pptps0", "USERNAME": "alice", "MTU": "1396",
                        "ADDRESS": caller.address, "PEER": "203.0.113.11", "HOOK": program,
                        "SESSION": told["SESSION"]}, told
    with check("down"):
        caller.hang_up()
        told = procd.wait(2)
        assert (told["ACTION"], told["CAUSE"]) == ("down", "peer_terminated"), told
        assert told["SESSION"] == procd.calls[0]["SESSION"]
        assert {"DURATION", "RX_BYTES", "TX_BYTES"} <= set(told), told
    with check("the-program-is-procds-business"):
        assert not os.path.exists(seen)
    with check("without-procd"):
        procd.end()
        caller = bed.dial("c1", "bob")
        bed.loop.until(lambda: os.path.exists(seen), 5, "the program's file")
        caller.hang_up()
        bed.loop.until(lambda: open(seen).read() == "up bob\ndown bob\n", 5, "both runs")
    with check("procd-comes-back"):
        procd = Procd(bed)
        bed.loop.stays(lambda: not procd.calls, 0.5, "a call without reason")
        bed.dial("c1", "alice")
        procd.wait(1)
        assert open(seen).read() == "up bob\ndown bob\n"
