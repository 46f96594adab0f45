"""PPP octets for the caller (RFC 1661 sections 2, 5, 6): protocols, packets, options."""

IP, IPV6, COMP = 0x0021, 0x0057, 0x00FD
IPCP, IPV6CP, CCP, LCP, PAP, CHAP, EAP, ACSP = (
    0x8021, 0x8057, 0x80FD, 0xC021, 0xC023, 0xC223, 0xC227, 0x8235)
REQUEST, ACK, NAK, REJECT, TERM_REQUEST, TERM_ACK, CODE_REJECT, PROTOCOL_REJECT = range(1, 9)
ECHO_REQUEST, ECHO_REPLY, DISCARD, IDENTIFICATION, TIME_REMAINING = range(9, 14)
RESET_REQUEST, RESET_ACK = 14, 15
CHALLENGE, RESPONSE, SUCCESS, FAILURE = range(1, 5)
NAMES = {LCP: "LCP", CHAP: "CHAP", CCP: "CCP", IPCP: "IPCP", IPV6CP: "IPV6CP"}
MPPE_BITS = {40: 0x20, 56: 0x80, 128: 0x40}
MPPE_STATELESS = 0x01000000


class BadFrame(Exception):
    """Octets that the server must not send."""


def frame(protocol, information=b"", acfc=False, pfc=False):
    head = b"" if acfc else b"\xff\x03"
    narrow = pfc and protocol < 0x100 and protocol & 1
    return head + protocol.to_bytes(1 if narrow else 2, "big") + information


def split(octets, acfc=False, pfc=False):
    """(protocol, information); compressed fields only where they were agreed."""
    if octets[:2] == b"\xff\x03":
        octets, full = octets[2:], True
    else:
        full = False
    if not full and not acfc:
        raise BadFrame(f"no address and control field: {octets[:16].hex()}")
    protocol, information = split_protocol(octets, pfc)
    if protocol == LCP and not full:
        raise BadFrame("LCP without address and control field (RFC 1661 section 6.6)")
    return protocol, information


def split_protocol(octets, pfc):
    if not octets:
        raise BadFrame("empty frame")
    if octets[0] & 1:
        if not pfc:
            raise BadFrame(f"compressed protocol field {octets[0]:#04x} was not agreed")
        return octets[0], octets[1:]
    if len(octets) < 2 or not octets[1] & 1:
        raise BadFrame(f"no protocol field: {octets[:16].hex()}")
    return int.from_bytes(octets[:2], "big"), octets[2:]


def packet(code, identifier, data=b""):
    return bytes((code, identifier)) + (len(data) + 4).to_bytes(2, "big") + data


def split_packet(octets):
    """(code, identifier, data); the length must be that of the frame, no padding."""
    if len(octets) < 4 or int.from_bytes(octets[2:4], "big") != len(octets):
        raise BadFrame(f"packet length: {octets[:16].hex()} is {len(octets)} octets")
    return octets[0], octets[1], octets[4:]


def option(kind, value=b""):
    return bytes((kind, len(value) + 2)) + value


def options(data):
    """Option octets one by one: list of whole options."""
    out, at = [], 0
    while at < len(data):
        length = data[at + 1] if at + 1 < len(data) else 0
        if length < 2 or at + length > len(data):
            raise BadFrame(f"options {data.hex()} end within one")
        out.append(data[at:at + length])
        at += length
    return out


def mppe_option(bits, stateless):
    """CCP option 18 that asks for exactly one strength."""
    value = MPPE_BITS[bits] | (MPPE_STATELESS if stateless else 0)
    return option(18, value.to_bytes(4, "big"))
