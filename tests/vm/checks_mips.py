"""The other architecture: a MIPS machine boots, and a cable joins it to an amd64 one."""
import os

from check import check
from machine import Machine, wire


@check
def mips_machine(bed):
    cable = f'{bed.folder}/cable'
    if os.path.exists(cable):
        os.unlink(cable)
    router = Machine('router', bed.folder, 'mipsel', cards=[wire(cable, True)], files={'/etc/who': b'a router\n'})
    client = Machine('peer', bed.folder, 'amd64', cards=[wire(cable, False)])
    try:
        router.power_on()
        client.power_on()
        router.wait_ready()
        client.wait_ready()
        router.sh('grep router /etc/who && ip addr add 10.98.0.1/24 dev eth0 && ip link set eth0 up')
        client.sh('ip addr add 10.98.0.2/24 dev eth0 && ip link set eth0 up && ping -c 3 -i 0.2 10.98.0.1')
        return router.sh('uname -mr').strip()
    finally:
        router.stop()
        client.stop()
