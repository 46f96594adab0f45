"""The LAN: which device it is, and what becomes of it."""
import os

from bed import LAN_ROUTER
from suite import scenario

NETWORK = """
config interface 'loopback'
	option device 'lo'
config interface 'lan'
	option device 'br-lan'
config interface 'wan'
	option device 'wan'
"""
FIREWALL = """
config zone
	option name 'lan'
	list network 'lan'
	list network 'more'
config zone
	option name 'wan'
	list network 'wan'
"""


class Files:
    """Files beside the server's own configuration, as in /etc/config."""

    def __init__(self, bed, **texts):
        self.paths = {name: os.path.join(bed.directory, name) for name in texts}
        for name, text in texts.items():
            self.write(name, text)

    def write(self, name, text):
        with open(self.paths[name], "w") as file:
            file.write(text)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for path in self.paths.values():
            os.unlink(path)


def says(bed, pattern, times=1):
    """Waits until the log has had this line so many times."""
    bed.loop.until(lambda: bed.server.log().count(pattern) >= times, 6, f"{times} x {pattern!r}")


@scenario(serve=False)
def lan_found(bed, check):
    """The LAN is found by the files of the router, or by name, or not at all."""
    with check("by-the-zone"), Files(bed, network=NETWORK, firewall=FIREWALL):
        bed.serve()
        says(bed, "the LAN is 192.168.1.0/24, br-lan")
        bed.server.stop()
    with check("by-name"):
        bed.serve(lan_device="br-lan")
        says(bed, "the LAN is 192.168.1.0/24, br-lan")
        bed.server.stop()
    for name, options in (("none", {"lan": "none", "lan_device": "br-lan"}), ("no-files", {})):
        with check(name):
            bed.serve(**options)
            bed.loop.sleep(0.2)
            assert "the LAN is" not in bed.server.log(), bed.server.tail()
            bed.server.stop()


@scenario(serve=False)
def lan_changes(bed, check):
    """Not there yet, another address, another network, gone, and made again."""
    bed.router.ip_batch(["link add br-new type bridge"])
    text = NETWORK + "config interface 'more'\n\toption device 'br-more'\n"
    with Files(bed, network=text.replace("br-lan", "br-late"), firewall=FIREWALL) as files:
        server = bed.serve()
        with check("not-there-yet"):
            says(bed, "the LAN device br-late is not there: waiting for it")
            bed.router.ip_batch(["link set br-new name br-late"])
            says(bed, "the LAN device br-late has no IPv4 address yet")
            bed.router.ip_batch(["addr add 10.5.0.1/22 dev br-late", "link set br-late up"])
            says(bed, "the LAN is 10.5.0.0/22, br-late")
        with check("another-address"):
            bed.router.ip_batch(["addr add 10.6.0.1/24 dev br-late",
                                 "addr del 10.5.0.1/22 dev br-late"])
            says(bed, "the LAN is 10.6.0.0/24, br-late")
        with check("a-second-network"):
            bed.router.ip_batch(["link add br-more type bridge",
                                 "addr add 10.7.0.1/24 dev br-more"])
            says(bed, "the LAN is 10.7.0.0/24, br-late")
        with check("gone-and-made-again"):
            bed.router.ip_batch(["link del br-late"])
            says(bed, "the LAN device br-late is not there: waiting for it", 2)
            bed.router.ip_batch(["link add br-late type bridge",
                                 "addr add 10.8.0.1/24 dev br-late"])
            says(bed, "the LAN is 10.8.0.0/24, br-late")
            assert server.log().count("is not there") == 2, server.log()
        with check("files-changed"):
            files.write("network", NETWORK)
            bed.router.ip_batch(["link del br-late"])
            says(bed, f"the LAN is {LAN_ROUTER[:-1]}0/24, br-lan")
        with check("a-storm-of-news-costs-nothing"):
            before = server.cpu()
            for _ in range(20):
                bed.router.ip_batch(["addr add 10.9.0.1/24 dev br-more",
                                     "addr del 10.9.0.1/24 dev br-more"] * 20)
            bed.loop.sleep(1.2)
            assert server.cpu() - before < 0.1, server.cpu() - before
    bed.router.ip_batch(["link del br-more"])
