"""PPTP control messages (RFC 2637 section 2) as one table, to build and to check strictly."""
import struct
from types import SimpleNamespace

MAGIC = 0x1A2B3C4D
PORT = 1723
SCCRQ, SCCRP, STOPRQ, STOPRP, ECHORQ, ECHORP, OCRQ, OCRP = range(1, 9)
ICRQ, ICRP, ICCN, CCRQ, CDN, WEN, SLI = range(9, 16)

# type: name, length, struct format of the body, names; "_" is a reserved field, always zero
TABLE = {
    SCCRQ: ("SCCRQ", 156, ">HHIIHH64s64s",
            "version _ framing bearer channels firmware host vendor"),
    SCCRP: ("SCCRP", 156, ">HBBIIHH64s64s",
            "version result error framing bearer channels firmware host vendor"),
    STOPRQ: ("StopCCRQ", 16, ">BBH", "reason _ _"),
    STOPRP: ("StopCCRP", 16, ">BBH", "result error _"),
    ECHORQ: ("Echo-Request", 16, ">I", "identifier"),
    ECHORP: ("Echo-Reply", 20, ">IBBH", "identifier result error _"),
    OCRQ: ("OCRQ", 168, ">HHIIIIHHHH64s64s",
           "call_id serial minimum maximum bearer framing window delay phone_length _ "
           "phone subaddress"),
    OCRP: ("OCRP", 32, ">HHBBHIHHI",
           "call_id peer_call_id result error cause speed window delay channel"),
    ICRQ: ("ICRQ", 220, ">HHIIHH64s64s64s",
           "call_id serial bearer channel dialed_length dialing_length dialed dialing subaddress"),
    ICRP: ("ICRP", 24, ">HHBBHHH", "call_id peer_call_id result error window delay _"),
    ICCN: ("ICCN", 28, ">HHIHHI", "peer_call_id _ speed window delay framing"),
    CCRQ: ("Call-Clear-Request", 16, ">HH", "call_id _"),
    CDN: ("Call-Disconnect-Notify", 148, ">HBBHH128s", "call_id result error cause _ statistics"),
    WEN: ("WAN-Error-Notify", 40, ">HHIIIIII",
          "peer_call_id _ crc framing hardware overrun timeout alignment"),
    SLI: ("Set-Link-Info", 24, ">HHII", "peer_call_id _ send_accm receive_accm"),
}
# What the message says when the test gives no value
DEFAULTS = {
    SCCRQ: dict(version=0x0100, framing=3, bearer=3, host=b"local", vendor=b"caller"),
    SCCRP: dict(version=0x0100, result=1, framing=3, bearer=3),
    STOPRQ: dict(reason=1), STOPRP: dict(result=1), ECHORP: dict(result=1),
    OCRQ: dict(serial=1, minimum=2400, maximum=10_000_000, bearer=3, framing=3, window=3),
    SLI: dict(send_accm=0xFFFFFFFF, receive_accm=0xFFFFFFFF),
}


class Malformed(Exception):
    """A message that the RFC does not allow the server to send."""


def name(kind):
    return TABLE[kind][0] if kind in TABLE else f"type {kind}"


def build(kind, **fields):
    _, length, layout, names = TABLE[kind]
    given = {**DEFAULTS.get(kind, {}), **fields}
    kinds = zip(names.split(), layout_letters(layout))
    body = [given.get(n, b"" if letter == "s" else 0) for n, letter in kinds]
    return header(kind, length) + struct.pack(layout, *body)


def layout_letters(layout):
    return [c for c in layout if c.isalpha()]


def header(kind, length, magic=MAGIC, message=1, reserved=0):
    return struct.pack(">HHIHH", length, message, magic, kind, reserved)


def parse(octets):
    """One whole message; Malformed unless every fixed field is as the RFC prints it."""
    length, message, magic, kind, reserved = struct.unpack(">HHIHH", octets[:12])
    if (message, magic, reserved) != (1, MAGIC, 0) or kind not in TABLE:
        raise Malformed(f"bad header {octets[:12].hex()}")
    label, right, layout, names = TABLE[kind]
    if length != right:
        raise Malformed(f"{label} of {length} octets, RFC 2637 has {right}")
    fields = SimpleNamespace(kind=kind, raw=octets)
    for field, value in zip(names.split(), struct.unpack(layout, octets[12:])):
        if field == "_" and value:
            raise Malformed(f"{label}: reserved field is {value:#x}")
        setattr(fields, field, value)
    return fields


def text(field):
    """A fixed-size string field: text, then zeros only."""
    head, _, tail = field.partition(b"\0")
    if tail.strip(b"\0"):
        raise Malformed(f"string field not padded with zeros: {field.hex()}")
    return head
