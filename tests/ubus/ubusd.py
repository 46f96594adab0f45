#!/usr/bin/env python3
"""A stand-in for OpenWrt's ubusd, written from the recordings in tests/data/ubus, which it passes
octet by octet (recordings.py). Usage: ubusd.py -s SOCKET [--pieces N] [--garbage] [--deaf].
--pieces sends N octets at a time; --garbage answers the first request with nonsense; --deaf accepts
connections and says nothing."""
import argparse
import os
import random
import selectors
import socket
import time

from busmsg import (A_ACTIVE, A_DATA, A_GROUP, A_METHOD, A_NO_REPLY, A_OBJID, A_OBJPATH, A_OBJTYPE,
                    A_SIGNATURE, A_STATUS, A_SUBSCRIBERS, A_TARGET, A_USER, ADD_OBJECT, DATA, HELLO,
                    INVALID_ARGUMENT, INVALID_COMMAND, INVOKE, LOOKUP, NOT_FOUND, NOTIFY, OK,
                    PERMISSION_DENIED, REMOVE_OBJECT, STATUS, SUBSCRIBE, UNSUBSCRIBE, Message,
                    Stream, blobmsg, values)

EVENTS = 1
QUEUE = 1 << 20


class Thing:
    """An object on the bus."""

    def __init__(self, owner, path, signature):
        self.id, self.type = (random.randrange(1024, 1 << 32) for _ in "ab")
        self.owner, self.path, self.signature = owner, path, signature
        self.subscribers, self.patterns = [], []


class Client:
    def __init__(self, bus, sock):
        self.bus, self.sock, self.id = bus, sock, random.randrange(1 << 32)
        self.stream, self.queue, self.events = Stream(), bytearray(), 0
        sock.setblocking(False)

    def push(self, message):
        octets = message.pack()
        if len(self.queue) + len(octets) <= QUEUE:
            self.queue += octets
        self.flush()

    def flush(self):
        size = self.bus.options.pieces or len(self.queue)
        try:
            while self.queue:
                del self.queue[:self.sock.send(self.queue[:size])]
                if self.bus.options.pieces:
                    time.sleep(0.0002)
        except BlockingIOError:
            pass
        except OSError:
            self.queue.clear()
        self.bus.watch(self)


class Bus:
    def __init__(self, options):
        self.options, self.clients, self.things, self.sequence = options, {}, {}, 0
        self.selector = selectors.DefaultSelector()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(options.socket)
        self.listener.listen(16)
        self.selector.register(self.listener, selectors.EVENT_READ)

    def watch(self, client):
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.queue else 0)
        if client.sock.fileno() >= 0:
            self.selector.modify(client.sock, wanted, client)

    def run(self):
        while True:
            for key, mask in self.selector.select():
                if key.data is None:
                    self.accept()
                elif mask & selectors.EVENT_WRITE:
                    key.data.flush()
                elif key.fileobj.fileno() >= 0:
                    self.read(key.data)

    def accept(self):
        sock, _ = self.listener.accept()
        client = Client(self, sock)
        self.clients[client.id] = client
        self.selector.register(sock, selectors.EVENT_READ, client)
        if not self.options.deaf:
            client.push(Message(HELLO, 0, client.id))

    def read(self, client):
        try:
            octets = client.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            octets = b""
        if not octets:
            return self.lose(client)
        if self.options.garbage:
            client.sock.send(bytes(range(7, 64)))
            return
        for message in client.stream.feed(octets):
            self.handle(client, message)

    def lose(self, client):
        self.selector.unregister(client.sock)
        client.sock.close()
        del self.clients[client.id]
        for thing in [t for t in self.things.values() if t.owner is client]:
            self.remove(thing)

    def handle(self, client, message):
        handler = {ADD_OBJECT: self.add_object, REMOVE_OBJECT: self.remove_object,
                   LOOKUP: self.lookup, INVOKE: self.invoke, STATUS: self.respond,
                   DATA: self.respond, NOTIFY: self.notify, SUBSCRIBE: self.subscribe,
                   UNSUBSCRIBE: self.unsubscribe}.get(message.kind)
        status = handler(client, message) if handler else INVALID_COMMAND
        if status is not None:
            client.push(Message(STATUS, message.seq, message.peer, {A_STATUS: status}))

    # Objects

    def add_object(self, client, message):
        path = message.get(A_OBJPATH)
        if path and any(t.path == path for t in self.things.values()):
            return INVALID_ARGUMENT
        thing = Thing(client, path, message.get(A_SIGNATURE))
        self.things[thing.id] = thing
        kind = {A_OBJTYPE: thing.type} if thing.signature is not None else {}
        client.push(Message(DATA, message.seq, message.peer, {A_OBJID: thing.id, **kind}))
        self.announce("ubus.object.add", thing)
        return OK

    def remove_object(self, client, message):
        thing = self.things.get(message.get(A_OBJID))
        if not thing or thing.owner is not client:
            return NOT_FOUND if not thing else PERMISSION_DENIED
        attrs = {A_OBJID: thing.id, A_OBJTYPE: thing.type}
        client.push(Message(DATA, message.seq, message.peer, attrs))
        self.remove(thing)
        return OK

    def remove(self, thing):
        del self.things[thing.id]
        for other in self.things.values():
            if thing in other.subscribers:
                self.drop_subscriber(other, thing)
        self.announce("ubus.object.remove", thing)

    def announce(self, name, thing):
        if thing.path:
            self.event(None, name, blobmsg({"id": thing.id, "path": thing.path}))

    def lookup(self, client, message):
        path = message.get(A_OBJPATH)
        found = [t for t in self.things.values() if t.path and (path in (None, t.path))]
        for thing in found:
            attrs = {A_OBJPATH: thing.path, A_OBJID: thing.id, A_OBJTYPE: thing.type,
                     A_SIGNATURE: thing.signature or b""}
            client.push(Message(DATA, message.seq, message.peer, attrs))
        return OK if found or path is None else NOT_FOUND

    # Calls

    def invoke(self, client, message):
        if message.get(A_OBJID) == EVENTS:
            return self.event_method(client, message)
        thing = self.things.get(message.get(A_OBJID))
        if not thing:
            return NOT_FOUND
        self.forward(client, thing, message, {})
        return None

    def forward(self, client, thing, message, first):
        attrs = {**first, A_OBJID: thing.id, A_METHOD: message.get(A_METHOD), A_USER: "root",
                 A_GROUP: "root", A_DATA: message.get(A_DATA, b"")}
        thing.owner.push(Message(INVOKE, message.seq, client.id, attrs))

    def respond(self, client, message):
        """Without our object's number the answer is silently dropped."""
        thing, asker = self.things.get(message.get(A_OBJID)), self.clients.get(message.peer)
        if thing and thing.owner is client and asker:
            asker.push(Message(message.kind, message.seq, thing.id, message.attrs))

    # Events and notifications

    def event_method(self, client, message):
        data = values(message.get(A_DATA, b""))
        if message.get(A_METHOD) == "register":
            thing = self.things.get(data["object"])
            if not thing or thing.owner is not client:
                return NOT_FOUND if not thing else PERMISSION_DENIED
            thing.patterns.append(data["pattern"])
            return OK
        inner = blobmsg(data["data"])
        self.event(client, data["id"], inner)
        return OK

    def event(self, sender, name, data):
        def wanted(pattern):
            return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
        for thing in list(self.things.values()):
            if thing.owner is not sender and any(map(wanted, thing.patterns)):
                self.sequence += 1
                attrs = {A_OBJID: thing.id, A_METHOD: name, A_DATA: data}
                thing.owner.push(Message(INVOKE, self.sequence & 0xFFFF, 0, attrs))

    def subscribe(self, client, message):
        thing, target = (self.things.get(message.get(a)) for a in (A_OBJID, A_TARGET))
        if not thing or not target:
            return NOT_FOUND
        target.subscribers.append(thing)
        if len(target.subscribers) == 1:
            self.tell_active(target, True)
        return OK

    def unsubscribe(self, client, message):
        thing, target = (self.things.get(message.get(a)) for a in (A_OBJID, A_TARGET))
        if not thing or not target or thing not in target.subscribers:
            return NOT_FOUND
        self.drop_subscriber(target, thing)
        return OK

    def drop_subscriber(self, target, thing):
        target.subscribers.remove(thing)
        if not target.subscribers:
            self.tell_active(target, False)

    def tell_active(self, thing, active):
        owner = thing.owner
        owner.events += 1
        owner.push(Message(NOTIFY, owner.events, 0, {A_OBJID: thing.id, A_ACTIVE: active}))

    def notify(self, client, message):
        thing = self.things.get(message.get(A_OBJID))
        if not thing or thing.owner is not client:
            return NOT_FOUND if not thing else PERMISSION_DENIED
        quiet = {A_NO_REPLY: True} if message.get(A_NO_REPLY) else {}
        if not quiet:
            attrs = {A_OBJID: thing.id, A_SUBSCRIBERS: b"", A_STATUS: OK}
            client.push(Message(STATUS, message.seq, message.peer, attrs))
        for subscriber in thing.subscribers:
            self.forward(client, subscriber, message, quiet)
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-s", dest="socket", required=True)
    parser.add_argument("--pieces", type=int, default=0)
    parser.add_argument("--garbage", action="store_true")
    parser.add_argument("--deaf", action="store_true")
    options = parser.parse_args()
    if os.path.exists(options.socket):
        os.unlink(options.socket)
    Bus(options).run()


if __name__ == "__main__":
    main()
