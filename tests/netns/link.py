"""The PPP link of one call (RFC 1661 phases) as a client: LCP, MS-CHAPv2, CCP/MPPE, IPCP."""
import collections
import itertools
import os
import re
import socket

import mppe
import mschap
import ppp
from negotiation import Ccp, Ipcp, Ipv6cp, Lcp

_FAILURE = re.compile(rb"E=(\d+) R=([01]) C=([0-9A-Fa-f]{32}) V=3( M=.*)?", re.S)


class Link:
    """`send_frame` puts a PPP frame on the line; inner packets arrive at `on_ip`."""

    def __init__(self, loop, personality, user, password, send_frame, report, on_ip, lossy=False):
        self.loop, self.personality, self.report, self.lossy = loop, personality, report, lossy
        self.user, self.password16 = user.encode(), mschap.utf16(password)
        self.send_frame, self.on_ip = send_frame, on_ip
        self.magic = os.urandom(4)
        self.shared = itertools.count(personality.first_id)
        self.counters = {}
        self.tx = self.rx = None
        self.authenticated, self.failure, self.challenge = False, None, None
        self.ended, self.refused_mppe = None, False
        self.answers_echo, self.takes_more = True, False
        self.code_rejects, self.protocol_rejects = [], []
        self.last_sent = collections.deque(maxlen=32)       # (protocol, information)
        self.echoes, self.echo_requests, self.echo_replies = {}, 0, 0
        self.reset_requests = self.reset_acks = self.repeats = self.incoherent = 0
        self.last_reset = None
        self.hooks = {}             # moment: function; moments "open", "network"
        self.build()

    def build(self):
        lcp = [o.replace(b"MAGC", self.magic) for o in self.personality.lcp]
        self.lcp, self.ccp = Lcp(self, lcp), Ccp(self, [self.personality.ccp])
        self.ipcp = Ipcp(self, self.personality.ipcp)
        self.ipv6cp = Ipv6cp(self, [b"\x01\x0a" + os.urandom(8)])
        self.handlers = {n.protocol: n for n in (self.lcp, self.ccp, self.ipcp, self.ipv6cp)}

    def next_identifier(self, negotiation=None):
        if self.personality.shared_ids or negotiation is None:
            return next(self.shared) & 0xFF
        name = negotiation.name
        counter = self.counters.setdefault(name, itertools.count(self.personality.first_id))
        return next(counter) & 0xFF

    # Down: to the line

    def send(self, protocol, information):
        """A frame in the clear: LCP always with all its fields, others as agreed."""
        self.last_sent.append((protocol, information))
        asked = self.lcp.value if self.lcp.open and protocol != ppp.LCP else lambda kind: None
        self.send_frame(ppp.frame(protocol, information, asked(8) is not None,
                                  asked(7) is not None))

    def send_ip(self, packet, protocol=ppp.IP):
        if not self.tx:
            return self.send(protocol, packet)
        self.last_sent.append((protocol, packet))
        inner = protocol.to_bytes(2, "big") + packet
        self.send(ppp.COMP, self.tx.seal(inner))

    def echo(self, data=b""):
        identifier = self.next_identifier()
        self.echoes[identifier] = data
        self.lcp.send(ppp.ECHO_REQUEST, identifier, (self.lcp.mine(5) or bytes(4)) + data)

    def hang_up(self, why):
        self.lcp.send(ppp.TERM_REQUEST, self.next_identifier(self.lcp), why.encode())
        self.end(f"hung up: {why}", finished=False)

    def end(self, why, finished=True):
        if self.ended is None:
            self.ended = why
        if finished:
            for negotiation in self.handlers.values():
                negotiation.closed = True
                negotiation.disarm()

    # Up: from the line

    def receive(self, frame):
        try:
            acfc = self.lcp.ours and self.lcp.mine(8) is not None
            pfc = self.lcp.ours and self.lcp.mine(7) is not None
            protocol, information = ppp.split(frame, acfc, pfc)
            self.take(protocol, information)
        except ppp.BadFrame as error:
            self.report(f"PPP: {error}")

    def take(self, protocol, information):
        if len(information) > (1500 if self.takes_more else self.lcp.mru):
            self.report(f"{len(information)} octets of {protocol:04x}, our MRU is {self.lcp.mru}")
        if protocol in self.personality.refuses:
            return self.reject_protocol(protocol, information)
        if protocol in (ppp.IP, ppp.IPV6, ppp.COMP):
            return self.data(protocol, information)
        code, identifier, data = ppp.split_packet(information)
        if protocol == ppp.CHAP and self.lossy and not self.lcp.open:
            return                  # our Ack or the server's was lost: this phase has not begun
        if protocol == ppp.CHAP:
            return self.chap(code, identifier, data)
        if protocol not in self.handlers:
            return self.reject_protocol(protocol, information)
        if protocol != ppp.LCP and not self.authenticated:
            if self.lossy:
                return              # the Success was lost: pppd does not listen yet
            self.report(f"{protocol:04x} before authentication: {information.hex()}")
        self.handlers[protocol].receive(code, identifier, data)

    def reject_protocol(self, protocol, information):
        if protocol not in self.personality.refuses:
            self.report(f"unknown protocol {protocol:04x}: {information[:24].hex()}")
        self.lcp.send(ppp.PROTOCOL_REJECT, self.next_identifier(self.lcp),
                      protocol.to_bytes(2, "big") + information)

    def protocol_rejected(self, data):
        protocol = int.from_bytes(data[:2], "big")
        if not any(p == protocol and i.startswith(data[2:]) for p, i in self.last_sent):
            self.report(f"Protocol-Reject {data[:24].hex()} returns what we did not send")
        self.protocol_rejects.append(protocol)
        if protocol in self.handlers:
            self.handlers[protocol].closed = True
            self.handlers[protocol].disarm()

    # Phases

    def start(self):
        self.lcp.start()

    def established(self):
        """LCP is open: what this client says before it is asked to authenticate."""
        for data in self.personality.identifications:
            self.lcp.send(ppp.IDENTIFICATION, self.next_identifier(self.lcp), self.magic + data)
        for protocol, packet in self.personality.extra:
            self.send(protocol, packet)
        if self.personality.echo:
            self.echo()
        self.moment("open")

    def moment(self, name):
        if name in self.hooks:
            self.hooks[name]()

    def above_lcp_is_void(self):
        self.authenticated, self.tx, self.rx, self.challenge = False, None, None, None
        lcp = self.lcp
        for old in (self.ccp, self.ipcp, self.ipv6cp):
            old.closed = True
            old.disarm()
        self.build()
        self.lcp, self.handlers[ppp.LCP] = lcp, lcp

    def renegotiate(self):
        """We begin LCP anew on an open call."""
        self.above_lcp_is_void()
        self.lcp.restart()

    def chap(self, code, identifier, data):
        if code == ppp.CHALLENGE:
            self.challenged(identifier, data)
        elif self.challenge is None or identifier != self.challenge[0]:
            self.report(f"CHAP code {code} for identifier {identifier}")
        elif code == ppp.SUCCESS:
            self.succeeded(data)
        elif code == ppp.FAILURE:
            self.failed(data)

    def challenged(self, identifier, data):
        if not self.lossy and (not self.lcp.open or self.authenticated):
            self.report("CHAP Challenge out of its phase")
        if len(data) < 18 or data[0] != 16:
            return self.report(f"Challenge {data.hex()}: 16 octets and a name are needed")
        value, self.server_name = data[1:17], data[17:]
        if self.challenge and self.challenge[1] == value and self.failure:
            self.report("the same challenge again after a failure")
        again = self.challenge and self.challenge[:2] == (identifier, value)
        peer = self.challenge[2] if again else os.urandom(16)
        self.challenge = (identifier, value, peer)
        name = self.personality.chap_name.replace("{user}", self.user.decode()).encode()
        self.nt_hash = mschap.nt_password_hash(self.password16)
        self.response = mschap.nt_response(value, peer, self.user, self.nt_hash)
        flags = bytes((self.personality.chap_flags,))
        self.send(ppp.CHAP, ppp.packet(
            ppp.RESPONSE, identifier, b"\x31" + peer + bytes(8) + self.response + flags + name))

    def succeeded(self, data):
        _, value, peer = self.challenge
        right = mschap.authenticator_response(self.nt_hash, self.response, peer, value, self.user)
        rest = data[len(right):]
        if data[:len(right)] != right or rest[:3] not in (b"", b" M="):
            return self.report(f"Success {data!r}, the response is {right!r}")
        if self.personality.chap_flags and rest:
            self.report(f"Success with a message for a peer with Flags set: {data!r}")
        if self.authenticated:
            return                  # ours was repeated, so is the answer
        self.authenticated = True
        self.begin()

    def failed(self, data):
        match = _FAILURE.fullmatch(data)
        if not match:
            self.report(f"Failure {data!r} is not E= R= C= V=3 M=")
        elif match[2] == b"1" and bytes.fromhex(match[3].decode()) == self.challenge[1]:
            self.report("Failure lets us retry with the old challenge")
        self.failure = (int(match[1]), int(match[2])) if match else (0, 0)
        self.failure_text = data

    def begin(self):
        """Authenticated: the NCPs, in this client's order and pace."""
        self.moment("authenticated")
        for name, delay in self.personality.ncps:
            if name == "ipcp" and self.personality.ipcp_waits:
                continue
            if delay:
                self.loop.after(delay, getattr(self, name).start)
            else:
                getattr(self, name).start()
        self.moment("pipelined")

    def begin_waiting(self):
        if self.personality.ipcp_waits:
            self.ipcp.start()

    def encrypt(self, received, sent):
        """CCP is open: `received` is our own request, `sent` the server's."""
        master = mschap.master_key(self.nt_hash, self.response)
        self.rx = self.cipher(master, mschap.SERVER_SENDS, received)
        self.tx = self.cipher(master, mschap.CLIENT_SENDS, sent)

    def cipher(self, master, text, option):
        value = int.from_bytes(option[2:], "big")
        bits = next(b for b, bit in ppp.MPPE_BITS.items() if value & bit)
        stateless = bool(value & ppp.MPPE_STATELESS)
        return mppe.Mppe(mschap.start_key(master, text, bits), bits, stateless,
                         self.personality.on_flush)

    @property
    def up(self):
        return self.ipcp.open and not self.ended and (bool(self.tx) == self.personality.encrypts)

    @property
    def address(self):
        return socket.inet_ntoa(self.ipcp.value(3) or bytes(4))

    @property
    def gateway(self):
        return next((socket.inet_ntoa(o[2:]) for o in self.ipcp.theirs or () if o[0] == 3), None)

    def network_up(self):
        if self.address == "0.0.0.0":
            self.report("IPCP opened without an address")
        self.moment("network")

    # Data

    def data(self, protocol, information):
        if protocol != ppp.COMP:
            if self.rx or self.personality.encrypts:
                return self.report(f"{protocol:04x} in the clear: {information[:24].hex()}")
            return self.deliver(protocol, information)
        if not self.rx:
            return self.report("an encrypted frame, and MPPE was not agreed")
        try:
            inner = self.rx.open(information)
        except mppe.Incoherent as error:
            return self.lost(str(error))
        protocol, packet = ppp.split_protocol(inner, pfc=True)
        if protocol not in (ppp.IP, ppp.IPV6):
            return self.report(f"decrypts to protocol {protocol:04x}: the keys differ")
        self.deliver(protocol, packet)

    def deliver(self, protocol, packet):
        """The server may be a message ahead of us: what comes before IPCP is open is dropped."""
        if packet[0] >> 4 != (4 if protocol == ppp.IP else 6):
            return self.report(f"packet of {protocol:04x}: {packet[:24].hex()}")
        if (self.ipcp if protocol == ppp.IP else self.ipv6cp).open:
            self.on_ip(packet)

    def lost(self, why):
        self.incoherent += 1
        if not self.lossy:
            self.report(f"MPPE: {why}")
        if not self.rx.stateless and self.may_reset():
            self.ccp.send(ppp.RESET_REQUEST, self.next_identifier(self.ccp))

    def may_reset(self):
        """One Reset-Request until a FLUSHED frame had time to come."""
        if self.last_reset:
            return False
        self.last_reset = self.loop.after(0.2, self.reset_again)
        return True

    def reset_again(self):
        self.last_reset = None
