"""Plays the clients' half of a recording to an ubusd and compares its half octet by octet, but for
the numbers that ubusd draws: those are learnt when they are told first."""
import json
import os
import socket
import time

from busmsg import HELLO, Message, Stream

DATA_DIR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../data/ubus")


def load(name):
    with open(os.path.join(DATA_DIR, f"{name}.frames.json")) as file:
        return json.load(file)


class Replay:
    def __init__(self, path, entries):
        self.path, self.entries, self.known = path, entries, {}
        self.socks, self.streams, self.queues, self.added = {}, {}, {}, set()

    def run(self):
        """The number of messages of ubusd that were compared."""
        compared = 0
        for entry in self.entries:
            connection, octets = entry["conn"], bytes.fromhex(entry["hex"])
            if connection not in self.socks:
                self.open(connection)
            if entry["dir"] == "C>D":
                if entry["type"] == "ADD_OBJECT":
                    self.added.add((connection, entry["seq"]))
                self.socks[connection].sendall(self.translate(octets))
            else:
                self.compare(entry, octets)
                compared += 1
        for sock in self.socks.values():
            sock.close()
        return compared

    def open(self, connection):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(5)
        sock.connect(self.path)
        self.socks[connection], self.streams[connection] = sock, Stream()
        self.queues[connection] = []

    def translate(self, octets):
        """Recorded numbers become those of this run."""
        words = [octets[at:at + 4] for at in range(0, len(octets), 4)]
        return b"".join(self.known.get(word, word) for word in words)

    def receive(self, connection):
        until = time.monotonic() + 5
        while not self.queues[connection]:
            assert time.monotonic() < until, f"connection {connection}: nothing came"
            octets = self.socks[connection].recv(65536)
            assert octets, f"connection {connection} was closed"
            self.queues[connection] += self.streams[connection].feed(octets)
        return self.queues[connection].pop(0).octets

    def compare(self, entry, recorded):
        live = self.receive(entry["conn"])
        if self.tells_numbers(entry):
            self.learn(recorded, live)
        expected = self.translate(recorded)
        assert live == expected, (f"{entry['type']} of connection {entry['conn']}: "
                                  f"{live.hex()} instead of {expected.hex()}")

    def tells_numbers(self, entry):
        added = (entry["conn"], entry["seq"]) in self.added
        return entry["type"] == "HELLO" or entry["type"] == "DATA" and added

    def learn(self, recorded, live):
        before, now = Message.unpack(recorded), Message.unpack(live)
        if before.kind == HELLO:
            self.note(before.peer, now.peer)
        for name in before.attrs:
            self.note(before.get(name), now.get(name))

    def note(self, before, now):
        self.known[before.to_bytes(4, "big")] = now.to_bytes(4, "big")


def runs(name):
    """The messages of a recording, one list for each life of ubusd; in f-restart a connection is
    one, and its second ends with a caller who was not recorded."""
    entries = load(name)
    if name != "f-restart":
        return [entries]
    calls = [e for e in entries if (e["dir"], e["type"]) == ("D>C", "INVOKE")]
    entries = entries[:entries.index(calls[0])]
    return [[e for e in entries if e["conn"] == connection] for connection in (1, 2)]


def replay(path, entries):
    return Replay(path, entries).run()
