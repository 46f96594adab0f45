"""Configure exchanges of the caller (RFC 1661 section 4, 5): our request, the server's request,
and the rules that the server's answers must keep."""
import ppp
from ppp import ACK, NAK, REJECT

_ATTEMPTS = 10


class Negotiation:
    """One protocol. Subclasses say what they think of an option (`review`), what a Nak'ed
    option becomes (`yielded`), and what follows (`opened`)."""

    protocol = None

    def __init__(self, link, request):
        self.link, self.request = link, list(request)
        self.name = ppp.NAMES[self.protocol]
        self.identifier = None      # of our request that waits for its answer
        self.sent = b""
        self.ours = False           # the server acknowledged our request
        self.theirs = None          # options of the server that we acknowledged
        self.requests_seen = self.attempts = self.answers = 0
        self.timer = None
        self.closed = False

    @property
    def open(self):
        return self.ours and self.theirs is not None

    def report(self, text):
        self.link.report(f"{self.name}: {text}")

    def send(self, code, identifier, data=b""):
        self.link.send(self.protocol, ppp.packet(code, identifier, data))

    def restart(self):
        """From the beginning, after it was open or closed."""
        self.ours, self.theirs, self.attempts, self.closed = False, None, 0, False
        self.start()

    # Our half

    def start(self):
        self.attempts += 1
        if self.closed or self.attempts > _ATTEMPTS:
            return
        self.identifier = self.link.next_identifier(self)
        self.sent = b"".join(self.request)
        self.send(ppp.REQUEST, self.identifier, self.sent)
        self.arm()

    def arm(self):
        self.disarm()
        self.timer = self.link.loop.after(self.link.personality.restart, self.again)

    def again(self):
        if not self.ours:
            self.link.repeats += 1
            self.start()

    def disarm(self):
        if self.timer:
            self.timer.cancel()

    def answered(self, code, identifier, data):
        """Ack, Nak or Reject of our request."""
        if identifier != self.identifier or self.ours:
            if not self.link.lossy:
                self.report(f"answer {code} to request {identifier}, {self.identifier} is open")
            return
        self.disarm()
        {ACK: self.acknowledged, NAK: self.naked, REJECT: self.rejected}[code](data)

    def acknowledged(self, data):
        if data != self.sent:
            self.report(f"Ack {data.hex()} differs from the request {self.sent.hex()}")
        self.ours = True
        self.maybe_open()

    def naked(self, data):
        kinds = [o[0] for o in ppp.options(self.sent)]
        for option in ppp.options(data):
            if option[0] in kinds:
                index = [o[0] for o in self.request].index(option[0])
                self.request[index] = self.yielded(option, self.request[index])
            else:
                self.report(f"Nak brings option {option.hex()}, which we did not send")
        if not data:
            self.report("empty Nak")
        self.start()

    def rejected(self, data):
        asked, refused = ppp.options(self.sent), ppp.options(data)
        rest = iter(asked)
        if not refused or not all(option in rest for option in refused):
            self.report(f"Reject {data.hex()} is no part of {self.sent.hex()}")
        self.request = [o for o in self.request if o not in refused]
        self.start()

    # The server's half

    def requested(self, identifier, data):
        self.requests_seen += 1
        if self.open:
            self.reopened(data)
        found = ppp.options(data)
        kinds = [o[0] for o in found]
        if len(set(kinds)) != len(kinds):
            self.report(f"the same option twice: {data.hex()}")
        verdicts = [self.review(option) for option in found]
        for code in (REJECT, NAK):
            answer = b"".join(o for c, o in verdicts if c == code)
            if answer:
                return self.send(code, identifier, answer)
        self.send(ACK, identifier, data)
        self.theirs = found
        self.maybe_open()

    def reopened(self, data):
        """Opened + RCR (RFC 1661 section 4.1): down, and our request once more. On a good line
        no server has a reason for it."""
        if not self.link.lossy:
            self.report(f"Configure-Request {data.hex()} after it was open")
        self.down()
        if not self.link.ended:
            self.restart()

    def down(self):
        pass

    def maybe_open(self):
        if self.open:
            self.disarm()
            self.opened()

    def receive(self, code, identifier, data):
        if code == ppp.REQUEST:
            self.requested(identifier, data)
        elif code in (ACK, NAK, REJECT):
            self.answered(code, identifier, data)
        elif code == ppp.TERM_REQUEST:
            self.send(ppp.TERM_ACK, identifier)
            self.terminated(data)
        elif code == ppp.TERM_ACK:
            self.term_acked()
        elif code == ppp.CODE_REJECT:
            self.link.code_rejects.append((self.protocol, data))
        else:
            self.other(code, identifier, data)

    def review(self, option):
        return ACK, option

    def yielded(self, option, asked):
        return option

    def opened(self):
        pass

    def terminated(self, data):
        self.closed = True
        self.disarm()

    def term_acked(self):
        self.closed = True
        self.disarm()

    def other(self, code, identifier, data):
        self.report(f"code {code}")


class Lcp(Negotiation):
    protocol = ppp.LCP
    known = {1: 4, 2: 6, 3: 5, 5: 6, 7: 2, 8: 2}    # type: length

    def review(self, option):
        kind, refused = option[0], self.link.personality.lcp_refuses
        if self.known.get(kind) != len(option):
            self.report(f"option {option.hex()}")
            return REJECT, option
        if kind == 3 and option != bytes.fromhex("0305c22381"):
            self.report(f"authentication {option.hex()} offered")
            return NAK, bytes.fromhex("0305c22381")
        return (REJECT if kind in refused else ACK), option

    def value(self, kind):
        """What the server asked for and we agreed to."""
        return next((o[2:] for o in self.theirs or () if o[0] == kind), None)

    def mine(self, kind):
        return next((o[2:] for o in self.request if o[0] == kind), None)

    @property
    def mru(self):
        """The largest information field that the server may send."""
        return int.from_bytes(self.mine(1), "big") if self.mine(1) else 1500

    def down(self):
        """Everything above LCP is void."""
        self.link.above_lcp_is_void()

    def opened(self):
        if self.value(3) is None:
            self.report("opened without authentication demanded")
        self.link.established()

    def terminated(self, data):
        super().terminated(data)
        self.link.end(f"LCP Terminate-Request {data!r}")

    def term_acked(self):
        super().term_acked()
        self.link.end("LCP Terminate-Ack")

    def other(self, code, identifier, data):
        if code == ppp.PROTOCOL_REJECT:
            self.link.protocol_rejected(data)
        elif code == ppp.ECHO_REQUEST:
            self.echo_requested(identifier, data)
        elif code == ppp.ECHO_REPLY:
            self.echo_replied(identifier, data)
        else:
            super().other(code, identifier, data)

    def echo_requested(self, identifier, data):
        self.link.echo_requests += 1
        if not self.open or data[:4] != (self.value(5) or bytes(4)):
            self.report(f"Echo-Request with magic {data[:4].hex()}")
        if self.link.answers_echo:
            self.send(ppp.ECHO_REPLY, identifier, (self.mine(5) or bytes(4)) + data[4:])

    def echo_replied(self, identifier, data):
        """The magic is the server's, the rest is ours (RFC 1661 section 5.8)."""
        sent = self.link.echoes.pop(identifier, None)
        if sent is None or data != (self.value(5) or bytes(4)) + sent:
            self.report(f"Echo-Reply {identifier} {data[:24].hex()}")
        self.link.echo_replies += 1


class Ccp(Negotiation):
    protocol = ppp.CCP

    def review(self, option):
        asks = self.link.personality
        if option[0] != 18 or len(option) != 6:
            self.report(f"option {option.hex()}")
            return REJECT, option
        strengths = int.from_bytes(option[2:], "big") & 0xE0
        if strengths & (strengths - 1) or not strengths:
            self.report(f"{option.hex()} asks for other than one strength")
        if not asks.encrypts:
            return REJECT, option
        return (ACK, option) if option in asks.mppe else (NAK, asks.mppe[0])

    def yielded(self, option, asked):
        if option in self.link.personality.mppe and self.link.personality.encrypts:
            return option
        self.link.refused_mppe = True
        return asked

    def answered(self, code, identifier, data):
        """A stubborn client takes no answer but Ack, and asks again when its time comes."""
        if code == ACK or not self.link.personality.ccp_stubborn:
            super().answered(code, identifier, data)
        self.answers += 1

    def start(self):
        stubborn = self.link.personality.ccp_stubborn
        if stubborn:
            self.attempts = 0
        elif self.link.refused_mppe:
            return self.link.hang_up("MPPE that I do not want")
        super().start()

    def again(self):
        if self.link.personality.ccp_stubborn:
            self.start()
        else:
            super().again()

    def arm(self):
        super().arm()
        if self.link.personality.ccp_stubborn:
            self.disarm()
            self.timer = self.link.loop.after(self.link.personality.ccp_stubborn, self.again)

    def down(self):
        self.link.tx = self.link.rx = None
        if self.link.personality.ccp_once:
            self.link.hang_up("MPPE disabled")

    def opened(self):
        if self.link.personality.encrypts:
            self.link.encrypt(self.request[0], self.theirs[0])
        self.link.begin_waiting()

    def other(self, code, identifier, data):
        if code == ppp.RESET_REQUEST:
            self.link.reset_requests += 1
            self.link.tx.flush_next = True
        elif code == ppp.RESET_ACK:
            self.link.reset_acks += 1
        else:
            super().other(code, identifier, data)


class Ipcp(Negotiation):
    protocol = ppp.IPCP

    def review(self, option):
        if option[0] != 3 or len(option) != 6:
            return REJECT, option
        return ACK, option

    def value(self, kind):
        return next((o[2:] for o in self.request if o[0] == kind), None)

    def opened(self):
        self.link.network_up()

    def term_acked(self):
        super().term_acked()
        if self.link.personality.ends_on_ipcp_term:
            self.link.hang_up("IPCP Terminate-Ack")


class Ipv6cp(Negotiation):
    """RFC 5072: interface identifiers of 8 octets."""
    protocol = ppp.IPV6CP

    def review(self, option):
        if option[0] != 1 or len(option) != 10 or option[2:] == bytes(8):
            self.report(f"option {option.hex()}")
            return REJECT, option
        return ACK, option

    @property
    def identifier_of_ours(self):
        return self.request[0][2:]
