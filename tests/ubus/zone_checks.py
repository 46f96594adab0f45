"""The callers' device in its firewall zone, with a netifd that does to it what netifd does."""
import os
import signal

from bed import GATEWAY, LAN
from behind import nft
from busbed import call, meet, on_bus, serve
from busclient import Refused
from suite import scenario

INTERFACE = "network.interface.pptpsrv"
FW4 = os.path.join(os.path.dirname(__file__), "../bench/mips/fw4.nft")
ROUTE = "192.168.77.64/27"


def zone(client):
    """The zone that netifd has, or None."""
    try:
        return client.call(INTERFACE, "status", timeout=1)["data"]["zone"]
    except (Refused, TimeoutError):      # it is not there, or goes right now
        return None


def joined(bed, client, name, timeout=10):
    def is_so():
        return zone(client) == name and call(client, "status")["zone_joined"] is True
    bed.loop.until(is_so, timeout, f"zone {name}")


def is_set_up(bed):
    routes = bed.router.ip("route", "show", "dev", "pptps0")
    device = bed.router.ip("addr", "show", "dev", "pptps0")
    return ROUTE in routes and f"{GATEWAY}/24" in device and ",UP" in device


def works(bed):
    bed.loop.until(lambda: is_set_up(bed), 5, "the device's address and routes")
    bed.assert_ping("c1", GATEWAY)


def reload(bed, **options):
    bed.server.configure(**options)
    bed.server.signal(signal.SIGHUP)


@scenario(serve=False)
def zones(bed, check):
    """The zone is joined, joined again after everything that ends it, and left."""
    client = on_bus(bed)
    bed.dial("c1", "alice")
    with check("without-netifd"):
        bed.server.wait_log("no netifd on ubus: pptps0 is in no firewall zone")
        assert call(client, "status")["zone_joined"] is False
        works(bed)
    with check("netifd-comes"):
        bed.bus.start_netifd()
        joined(bed, client, "lan")
        bed.server.wait_log("pptps0 is in the firewall zone lan")
        works(bed)
    with check("netifd-starts-anew"):
        bed.bus.stop_netifd()
        bed.loop.until(lambda: not call(client, "status")["zone_joined"], 5, "the zone's end")
        bed.bus.start_netifd()
        joined(bed, client, "lan")
        works(bed)
    with check("another-zone"):
        reload(bed, zone="guest")
        joined(bed, client, "guest")
        works(bed)
    with check("the-interface-is-removed"):
        client.call(INTERFACE, "remove")
        bed.loop.until(lambda: zone(client) is None, 5, "the interface's end")
        joined(bed, client, "guest")
        works(bed)
    with check("the-device-is-removed"):
        bed.router.ip("link", "del", "pptps0")
        bed.loop.until(lambda: zone(client) is None, 5, "the interface's end")
        joined(bed, client, "guest")
        works(bed)
    with check("ubusd-starts-anew"):
        bed.bus.stop_netifd()
        bed.bus.stop()
        bed.bus.start()
        client = meet(bed)
        bed.bus.start_netifd()
        joined(bed, client, "guest")
        works(bed)
    with check("no-zone"):
        reload(bed, zone="none")
        bed.loop.until(lambda: zone(client) is None, 5, "the interface's end")
        bed.loop.stays(lambda: not client.has(INTERFACE), 4, "the interface came back")
        works(bed)
    with check("a-zone-again"):
        reload(bed, zone="lan")
        joined(bed, client, "lan")
        works(bed)
    with check("nothing-stays-behind"):
        assert bed.server.stop() == 0
        bed.loop.until(lambda: not client.has(INTERFACE), 5, "the interface's end")


def fw4(bed, client):
    """Rules as fw4 makes them at every start and reload: it asks netifd which devices are in a zone
    beside those of its configuration (firewall4's fw4.uc), and names the devices in its rules."""
    interfaces = client.call("network.interface", "dump")["interface"]
    devices = ["br-lan", *(each["l3_device"] for each in interfaces if each["data"]["zone"] == "lan")]
    with open(FW4) as file:
        rules = file.read().replace('"lan0", "pptps0", "ppp*"', ", ".join(f'"{name}"' for name in devices))
    nft(bed.router, "flush ruleset\n" + rules.replace('"wan0"', '"wan"'))


def reaches_lan(bed):
    try:
        return bed.ping("c1", LAN, count=1, wait=0.5)["received"] == 1
    except AssertionError as refused:
        assert "Connection refused" in str(refused), refused
        return False


@scenario(serve=False)
def firewall(bed, check):
    """fw4 and netifd start anew in any order under a call: the zone is what it was."""
    client = on_bus(bed)
    bed.bus.start_netifd()
    joined(bed, client, "lan")
    try:
        fw4(bed, client)
        caller = bed.dial("c1", "alice")
        with check("in-the-zone"):
            assert reaches_lan(bed)
        with check("fw4-reloads"):
            for _ in range(5):
                fw4(bed, client)
                assert reaches_lan(bed)
        with check("fw4-starts-anew"):
            nft(bed.router, "flush ruleset")
            fw4(bed, client)
            assert reaches_lan(bed)
        with check("netifd-starts-anew"):
            # Whose rules are made while the interface is gone knows it no more; with the interface
            # netifd's hotplug event has fw4 reload.
            bed.bus.stop_netifd()
            bed.bus.start_netifd()
            bed.loop.until(lambda: client.has("network.interface"), 5, "netifd")
            fw4(bed, client)
            joined(bed, client, "lan")
            fw4(bed, client)
            works(bed)
            assert reaches_lan(bed)
        with check("the-device-is-made-again"):
            bed.router.ip("link", "del", "pptps0")
            bed.loop.until(lambda: zone(client) is None, 5, "the interface's end")
            joined(bed, client, "lan")
            works(bed)
            assert reaches_lan(bed)         # the rules know it by its name
        with check("the-call-is-the-same"):
            assert not caller.finished() and "ended" not in bed.server.log()
        with check("another-zone-keeps-out"):
            reload(bed, zone="guest")
            joined(bed, client, "guest")
            fw4(bed, client)
            assert not reaches_lan(bed), "the LAN is reached from a zone that does not forward there"
    finally:
        nft(bed.router, "flush ruleset")


@scenario(serve=False)
def no_zone(bed, check):
    """No zone is wanted: netifd is never asked."""
    bed.bus.start()
    bed.bus.start_netifd()
    serve(bed, zone="none")
    client = meet(bed)
    with check("never-asked"):
        bed.loop.stays(lambda: not client.has(INTERFACE), 4, "an interface came")
        assert "zone" not in bed.server.log()
