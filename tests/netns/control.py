"""One control connection (RFC 2637 section 3.1) as the calling side sees it."""
import errno
import random
import socket

import pptp

_REPLY_RESULTS = {pptp.SCCRP: range(1, 6), pptp.STOPRP: (1, 2), pptp.ECHORP: (1, 2),
                  pptp.OCRP: range(1, 8), pptp.CDN: range(1, 5)}


class Control:
    """Messages that arrive stand in `inbox` until `expect` takes them; echoes are answered
    at once while `answers_echo` is set; what the server does wrong goes to `report`."""

    def __init__(self, loop, netns, server, report, source=None, port=pptp.PORT, timeout=10):
        self.loop, self.report, self.server = loop, report, server
        with netns:
            self.socket = socket.create_connection(
                (server, port), timeout, (source, 0) if source else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.source = self.socket.getsockname()[0]
        self.buffer, self.inbox, self.seen = b"", [], []
        self.answers_echo, self.echo_requests = True, 0
        self.closed = None          # why, once it is
        self.listeners = []
        loop.watch(self.socket, self.read)

    def send(self, kind, **fields):
        self.raw(pptp.build(kind, **fields))

    def raw(self, octets):
        """Sends at once; a peer that does not read is found out by an error, not by waiting."""
        try:
            self.socket.sendall(octets)
        except OSError as error:
            self.shut(errno.errorcode.get(error.errno, str(error)))

    def read(self):
        try:
            octets = self.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError as error:
            return self.shut(errno.errorcode.get(error.errno, str(error)))
        if not octets:
            return self.shut("FIN")
        self.buffer += octets
        self.cut()

    def cut(self):
        """Whole messages out of the stream."""
        while len(self.buffer) >= 12:
            length = int.from_bytes(self.buffer[:2], "big")
            if length < 12:
                return self.broken(f"message of {length} octets")
            if len(self.buffer) < length:
                return
            octets, self.buffer = self.buffer[:length], self.buffer[length:]
            try:
                self.take(pptp.parse(octets))
            except pptp.Malformed as error:
                return self.broken(str(error))

    def broken(self, why):
        self.report(f"control connection: {why}")
        self.close()

    def take(self, message):
        self.seen.append(message)
        results = _REPLY_RESULTS.get(message.kind)
        if results and message.result not in results:
            self.report(f"{pptp.name(message.kind)} with result {message.result}")
        if message.kind == pptp.ECHORQ:
            self.echo_requests += 1
            if self.answers_echo:
                self.send(pptp.ECHORP, identifier=message.identifier)
            return
        self.inbox.append(message)
        for listener in list(self.listeners):
            listener(message)

    def find(self, *kinds):
        return next((m for m in self.inbox if m.kind in kinds), None)

    def expect(self, *kinds, timeout=5):
        """The next message of one of these types; other messages stay where they are."""
        what = " or ".join(map(pptp.name, kinds))
        self.loop.until(lambda: self.find(*kinds) or self.closed, timeout, what)
        message = self.find(*kinds)
        if not message:
            raise AssertionError(f"{what} expected, connection closed ({self.closed})")
        self.inbox.remove(message)
        return message

    def expect_closed(self, timeout=5):
        self.loop.until(lambda: self.closed, timeout, "connection closed by the server")

    def start(self, timeout=5, **fields):
        """SCCRQ and a good SCCRP."""
        self.send(pptp.SCCRQ, **fields)
        reply = self.expect(pptp.SCCRP, timeout=timeout)
        if reply.result != 1 or reply.error or reply.version != 0x0100:
            raise AssertionError(f"SCCRP result {reply.result} error {reply.error} "
                                 f"version {reply.version:#06x}")
        if not pptp.text(reply.host):
            self.report("SCCRP without a host name")
        pptp.text(reply.vendor)
        return reply

    def call(self, call_id, timeout=5, **fields):
        """OCRQ and a good OCRP; returns it (its call_id is the server's)."""
        self.send(pptp.OCRQ, call_id=call_id, **fields)
        reply = self.expect(pptp.OCRP, timeout=timeout)
        if reply.peer_call_id != call_id:
            self.report(f"OCRP for call {reply.peer_call_id:#x}, we asked with {call_id:#x}")
        if reply.result != 1:
            raise AssertionError(f"OCRP result {reply.result} error {reply.error}")
        if reply.error or not reply.speed or not reply.window:
            self.report(f"OCRP error {reply.error} speed {reply.speed} window {reply.window}")
        return reply

    def echo(self, timeout=5):
        """One Echo-Request of ours, and its answer."""
        identifier = random.getrandbits(32)
        self.send(pptp.ECHORQ, identifier=identifier)
        found = self.loop.until(lambda: self.closed or self.reply_to(identifier), timeout,
                                "Echo-Reply")
        if found is self.closed:
            raise AssertionError(f"Echo-Reply expected, connection closed ({self.closed})")
        self.inbox.remove(found)
        if (found.result, found.error) != (1, 0):
            self.report(f"Echo-Reply {found.raw.hex()}")

    def reply_to(self, identifier):
        return next((m for m in self.inbox if m.kind == pptp.ECHORP
                     and m.identifier == identifier), None)

    def stop(self, timeout=5):
        self.send(pptp.STOPRQ, reason=1)
        reply = self.expect(pptp.STOPRP, timeout=timeout)
        if reply.result != 1:
            self.report(f"StopCCRP result {reply.result}")
        self.expect_closed(timeout)

    def shut(self, why):
        """The connection has ended, from whichever side."""
        if self.closed is None:
            self.closed = why
            self.loop.forget(self.socket)
            self.socket.close()

    def close(self):
        self.shut("closed by us")

    def reset(self):
        """A RST instead of a FIN."""
        if self.closed is None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.shut("reset by us")
