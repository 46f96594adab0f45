"""A game's lobby as a small UDP program: hosts wait for searches that come to everybody, and answer
whoever searched. Runs in a child process inside a namespace (netns.Task)."""
import select
import socket
import time

PORT = 6112
_SO_BINDTODEVICE = 25
SEARCH, ROOM = b"who plays?", b"a room of "


def _socket(port, device=None, group=None, own=None):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    if device:
        sock.setsockopt(socket.SOL_SOCKET, _SO_BINDTODEVICE, device.encode())
    sock.bind(("0.0.0.0", port))
    if group:
        member = socket.inet_aton(group) + socket.inet_aton(own)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    return sock


def host(name, port=PORT, seconds=5.0, searches=1, group=None, own=None, quiet=False):
    """Answers searches until there were enough, and tells who searched."""
    sock = _socket(port, group=group, own=own)
    seen, end = [], time.monotonic() + seconds
    while len(seen) < searches and _ready(sock, end):
        data, source = sock.recvfrom(2048)
        if data.startswith(SEARCH):
            seen.append(source)
            if not quiet:
                sock.sendto(ROOM + name.encode(), source)
    return seen


def search(destination, device, own_port, port=PORT, seconds=4.0, rooms=1, own=None):
    """Searches again and again until there are enough rooms: who answered, from where."""
    sock = _socket(own_port, device)
    if own:         # where a search to a group goes out
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
    found, end = {}, time.monotonic() + seconds
    while len(found) < rooms and time.monotonic() < end:
        sock.sendto(SEARCH, (destination, port))
        again = min(end, time.monotonic() + 0.3)
        while len(found) < rooms and _ready(sock, again):
            data, source = sock.recvfrom(2048)
            if data.startswith(ROOM):
                found[data[len(ROOM):].decode()] = source
    return found


def storm(destination, device, own_port, port=PORT, count=10_000, seconds=1.0):
    """So many searches, each another one, in about that time."""
    sock = _socket(own_port, device)
    began = time.monotonic()
    for number in range(count):
        sock.sendto(SEARCH + b" %d" % number, (destination, port))
        ahead = began + number * seconds / count - time.monotonic()
        if ahead > 0.005:
            time.sleep(ahead)
    return time.monotonic() - began


def _ready(sock, end):
    left = end - time.monotonic()
    return left > 0 and bool(select.select([sock], [], [], left)[0])
