"""A client of ubusd: calls methods, subscribes, offers objects of its own."""
import collections
import select
import socket
import time

from busmsg import (A_DATA, A_METHOD, A_NO_REPLY, A_OBJID, A_OBJPATH, A_SIGNATURE, A_STATUS,
                    A_TARGET, ADD_OBJECT, DATA, HELLO, INVOKE, LOOKUP, METHOD_NOT_FOUND,
                    REMOVE_OBJECT, STATUS, SUBSCRIBE, Message, Stream, blobmsg, values)


class Refused(Exception):
    """A request ended with another status than 0."""

    def __init__(self, status):
        super().__init__(f"status {status}")
        self.status = status


class BusClient:
    def __init__(self, path, timeout=5):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        self.sock.connect(path)
        self.timeout, self.stream, self.waiting = timeout, Stream(), collections.deque()
        self.seq, self.methods, self.heard, self.strangers = 0, {}, [], []
        hello = self.receive(timeout)
        assert hello and hello.kind == HELLO, "no HELLO"
        self.id = hello.peer

    def close(self):
        self.sock.close()

    def fileno(self):
        return self.sock.fileno()

    # Messages

    def receive(self, timeout):
        """The next message, or None; raises ConnectionError at the end."""
        until = time.monotonic() + timeout
        while not self.waiting:
            if not select.select([self.sock], [], [], max(0, until - time.monotonic()))[0]:
                return None
            octets = self.sock.recv(65536)
            if not octets:
                raise ConnectionError("ubusd closed the connection")
            self.waiting.extend(self.stream.feed(octets))
        return self.waiting.popleft()

    def send(self, kind, peer, attrs):
        self.seq = self.seq % 0xFFFF + 1
        self.sock.sendall(Message(kind, self.seq, peer, attrs).pack())
        return self.seq

    def request(self, kind, peer, attrs, timeout=None):
        """The DATA messages of the answer."""
        seq, data = self.send(kind, peer, attrs), []
        until = time.monotonic() + (timeout or self.timeout)
        while True:
            message = self.receive(max(0, until - time.monotonic()))
            if message is None:
                raise TimeoutError("no answer")
            if message.kind == INVOKE:
                self.serve(message)
                # What served it may have made requests of its own, and met the answer to this one.
                self.waiting.extendleft(reversed(self.strangers))
                self.strangers.clear()
            elif message.seq != seq:
                self.strangers.append(message)
            elif message.kind == DATA:
                data.append(message)
            elif message.kind == STATUS:
                if message.get(A_STATUS):
                    raise Refused(message.get(A_STATUS))
                return data

    # What others offer

    def find(self, path):
        found, = self.request(LOOKUP, 0, {A_OBJPATH: path})
        return found

    def has(self, path):
        try:
            return bool(self.find(path))
        except Refused:
            return False

    def call(self, path, method, timeout=None, **arguments):
        """The values of the answer; {} when it has none."""
        return self.call_with(path, method, blobmsg(arguments), timeout)

    def call_with(self, path, method, data, timeout=None):
        thing = self.find(path).get(A_OBJID)
        attrs = {A_OBJID: thing, A_METHOD: method, A_DATA: data}
        answers = self.request(INVOKE, thing, attrs, timeout)
        assert len(answers) <= 1, "more than one answer"
        return values(answers[0].get(A_DATA)) if answers else {}

    def subscribe(self, path):
        """What is told from now on comes into `heard` as (name, values)."""
        target = self.find(path).get(A_OBJID)
        thing = self.add(None, {})
        self.request(SUBSCRIBE, 0, {A_OBJID: thing, A_TARGET: target})

    def hear(self):
        while (message := self.receive(0)) is not None:
            if message.kind == INVOKE:
                self.serve(message)
        return self.heard

    # What we offer

    def add(self, path, methods):
        """An object; `methods` are functions of the arguments, which return (status, values)."""
        signature = blobmsg({name: {} for name in methods})
        attrs = {A_OBJPATH: path, A_SIGNATURE: signature} if path else {}
        answer, = self.request(ADD_OBJECT, 0, attrs)
        self.methods[answer.get(A_OBJID)] = methods
        return answer.get(A_OBJID)

    def remove(self, thing):
        self.methods.pop(thing, None)
        self.request(REMOVE_OBJECT, 0, {A_OBJID: thing})

    def serve(self, message):
        thing, name = message.get(A_OBJID), message.get(A_METHOD)
        data = values(message.get(A_DATA, b""))
        method = self.methods.get(thing, {}).get(name)
        if not method:
            self.heard.append((name, data))
        status, answer = method(data) if method else (METHOD_NOT_FOUND, None)
        if message.get(A_NO_REPLY) or not message.peer:
            return
        if answer is not None:
            attrs = {A_OBJID: thing, A_DATA: blobmsg(answer)}
            self.sock.sendall(Message(DATA, message.seq, message.peer, attrs).pack())
        attrs = {A_STATUS: status, A_OBJID: thing}
        self.sock.sendall(Message(STATUS, message.seq, message.peer, attrs).pack())
