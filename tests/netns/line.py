"""A bad line between a caller and the server: a child process that copies frames between two
interfaces and loses, delays or doubles some. Its dice are seeded, so a failing run can be repeated,
and it needs nothing of the kernel (netem is a module that many test machines do not have)."""
import heapq
import itertools
import random
import select
import socket
import time

_ETH_P_ALL = 3
_GRE = 47


def relay(near, far, loss=0.0, reorder=0.0, duplicate=0.0, delay=0.005, seed=1, gre_only=True):
    """Runs until it is killed."""
    dice, order, waiting = random.Random(seed), itertools.count(), []
    sockets = {near: far, far: near}
    for sock in sockets:
        sock.setblocking(False)
    while True:
        wait = max(0, waiting[0][0] - time.monotonic()) if waiting else None
        for sock in select.select(list(sockets), [], [], wait)[0]:
            for frame in frames(sock):
                spared = gre_only and not is_gre(frame)
                for when in fates(dice, loss, reorder, duplicate, delay, spared):
                    heapq.heappush(waiting, (when, next(order), sockets[sock], frame))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, out, frame = heapq.heappop(waiting)
            put(out, frame)


def frames(sock):
    while True:
        try:
            frame, address = sock.recvfrom(65536)
        except BlockingIOError:
            return
        if address[2] != socket.PACKET_OUTGOING:
            yield frame


def is_gre(frame):
    return frame[12:14] == b"\x08\x00" and frame[23] == _GRE


def fates(dice, loss, reorder, duplicate, delay, spared):
    """When each copy of a frame goes on; none at all when it is lost."""
    now = time.monotonic()
    if spared:
        return [now]
    if dice.random() < loss:
        return []
    late = delay if dice.random() < reorder else 0
    again = [now + late] if dice.random() < duplicate else []
    return [now + late, *again]


def put(sock, frame):
    try:
        sock.send(frame)
    except OSError:
        pass                        # a full queue is one more loss


def packet_socket(netns, device):
    with netns:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    sock.bind((device, 0))
    return sock
