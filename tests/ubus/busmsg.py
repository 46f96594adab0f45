"""ubus messages: octets to Python values and back, written from the recordings in tests/data/ubus."""
import struct

HELLO, STATUS, DATA, PING, LOOKUP, INVOKE, ADD_OBJECT, REMOVE_OBJECT = range(8)
SUBSCRIBE, UNSUBSCRIBE, NOTIFY = 8, 9, 10
(A_STATUS, A_OBJPATH, A_OBJID, A_METHOD, A_OBJTYPE, A_SIGNATURE, A_DATA, A_TARGET, A_ACTIVE,
 A_NO_REPLY, A_SUBSCRIBERS, A_USER, A_GROUP) = range(1, 14)
OK, INVALID_COMMAND, INVALID_ARGUMENT, METHOD_NOT_FOUND, NOT_FOUND = range(5)
PERMISSION_DENIED, NOT_SUPPORTED, UNKNOWN_ERROR = 6, 8, 9

_ARRAY, _TABLE, _STRING, _INT64, _INT32, _INT16, _INT8, _DOUBLE = range(1, 9)
_NUMBERS = {_INT64: ">Q", _INT32: ">I", _INT16: ">H", _INT8: ">?", _DOUBLE: ">d"}
_NUMERIC = (A_STATUS, A_OBJID, A_OBJTYPE, A_TARGET)
_TEXTS = (A_OBJPATH, A_METHOD, A_USER, A_GROUP)
_FLAGS = (A_ACTIVE, A_NO_REPLY)


def _pad(octets):
    return octets + bytes(-len(octets) % 4)


def _attr(head, data):
    return _pad(struct.pack(">I", head << 24 | len(data) + 4) + data)


def blobmsg(value):
    """A dict as named values, a list as nameless ones."""
    items = value.items() if isinstance(value, dict) else (("", v) for v in value)
    return b"".join(_field(name, v) for name, v in items)


def _field(name, value):
    kind, data = _encode(value)
    name = name.encode()
    return _attr(0x80 | kind, _pad(struct.pack(">H", len(name)) + name + b"\0") + data)


def _encode(value):
    if isinstance(value, bool):
        return _INT8, bytes([value])
    if isinstance(value, int):
        return (_INT32, struct.pack(">I", value)) if value < 1 << 32 else (
            _INT64, struct.pack(">Q", value))
    if isinstance(value, str):
        return _STRING, value.encode() + b"\0"
    if value is None:
        return 0, b""
    return (_TABLE if isinstance(value, dict) else _ARRAY), blobmsg(value)


def attributes(octets):
    """(first octet, data) of each attribute; lengths must be right to the octet."""
    while octets:
        head, = struct.unpack_from(">I", octets)
        length = head & 0xFFFFFF
        padded = length + -length % 4
        assert 4 <= length <= padded <= len(octets), f"attribute of {length} in {len(octets)}"
        assert not any(octets[length:padded]), "padding is not zero"
        yield head >> 24, octets[4:length]
        octets = octets[padded:]


def values(octets, kind=_TABLE):
    """Named values as a dict, nameless ones as a list."""
    fields = [_value(*attribute) for attribute in attributes(octets)]
    if kind == _ARRAY:
        assert not any(name for name, _ in fields), "a name in an array"
        return [value for _, value in fields]
    assert len({name for name, _ in fields}) == len(fields), "a name twice"
    return dict(fields)


def _value(head, data):
    assert head & 0x80, "a value without a name"
    length, = struct.unpack_from(">H", data)
    start = (3 + length + 3) // 4 * 4
    name, data = data[2:2 + length].decode(), data[start:]
    kind = head & 0x7F
    if kind in (_ARRAY, _TABLE):
        return name, values(data, kind)
    if kind == _STRING:
        assert data[-1:] == b"\0" and b"\0" not in data[:-1], "a string without its NUL"
        return name, data[:-1].decode()
    return name, struct.unpack(_NUMBERS[kind], data)[0] if kind else None


class Message:
    def __init__(self, kind, seq=0, peer=0, attrs=(), octets=None):
        self.kind, self.seq, self.peer = kind, seq, peer
        self.attrs, self.octets = dict(attrs), octets

    def get(self, name, default=None):
        return self.attrs.get(name, default)

    def pack(self):
        """The attributes in the order in which they were given."""
        blob = b"".join(_attr(name, _pack(name, value)) for name, value in self.attrs.items())
        return struct.pack(">BBHII", 0, self.kind, self.seq, self.peer, len(blob) + 4) + blob

    @classmethod
    def unpack(cls, octets):
        _, kind, seq, peer, _ = struct.unpack_from(">BBHII", octets)
        attrs = {head: _unpack(head, data) for head, data in attributes(octets[12:])}
        return cls(kind, seq, peer, attrs, octets)


def _pack(name, value):
    if name in _NUMERIC:
        return struct.pack(">I", value)
    if name in _TEXTS:
        return value.encode() + b"\0"
    return bytes([value]) if name in _FLAGS else value      # data and signatures are octets here


def _unpack(name, data):
    if name in _NUMERIC:
        return struct.unpack(">I", data)[0]
    if name in _TEXTS:
        return data.split(b"\0")[0].decode()
    return bool(data[0]) if name in _FLAGS else data


class Stream:
    """Whole messages out of octets that come in pieces."""

    def __init__(self):
        self.octets = b""

    def feed(self, octets):
        self.octets += octets
        while len(self.octets) >= 12:
            length = 8 + (int.from_bytes(self.octets[8:12], "big") & 0xFFFFFF)
            if len(self.octets) < length:
                return
            message, self.octets = self.octets[:length], self.octets[length:]
            yield Message.unpack(message)
