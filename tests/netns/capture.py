"""A packet socket on one interface: everything that passes, for checks and for a pcap file."""
import socket
import struct
import time

import ip

_ETH_P_ALL, _PACKET_STATISTICS, _SOL_PACKET, _SO_RCVBUFFORCE = 3, 6, 263, 33


class Capture:
    def __init__(self, loop, netns, device):
        with netns:
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                        socket.htons(_ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 32 << 20)
        self.socket.bind((device, 0))
        self.socket.setblocking(False)
        self.loop, self.frames = loop, []
        loop.watch(self.socket, self.read)

    def read(self):
        for _ in range(256):
            try:
                frame, address = self.socket.recvfrom(65536)
            except BlockingIOError:
                return
            self.frames.append((time.time(), address[2] == socket.PACKET_OUTGOING, frame))

    def packets(self, protocol=None, outgoing=None):
        """IPv4 packets (fields of ip.parse), of one protocol and one direction."""
        self.read()
        found = []
        for _, out, frame in self.frames:
            if frame[12:14] != b"\x08\x00" or (outgoing is not None and out != outgoing):
                continue
            fields = ip.parse(frame[14:])
            if fields and protocol in (None, fields.protocol):
                found.append(fields)
        return found

    def octets(self):
        """Whole IPv4 packets as they are."""
        self.read()
        return [frame[14:] for _, _, frame in self.frames if frame[12:14] == b"\x08\x00"]

    def dropped(self):
        value = self.socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        return struct.unpack("II", value)[1]

    def write(self, path):
        with open(path, "wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
            for when, _, frame in self.frames:
                file.write(struct.pack("<IIII", int(when), int(when % 1 * 1e6), len(frame),
                                       len(frame)) + frame)

    def close(self):
        self.loop.forget(self.socket)
        self.socket.close()
