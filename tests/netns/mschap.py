"""MS-CHAPv2 (RFC 2759) and the MPPE start keys (RFC 3079 section 3) for the test caller.

MD4, DES and RC4 are OpenSSL's, by ctypes: the server under test has its own, and a
test that shared them would agree with every mistake.
"""
import ctypes
import hashlib

_crypto = ctypes.CDLL("libcrypto.so.3")
for _name in ("MD4", "DES_set_key_unchecked", "DES_ecb_encrypt", "RC4_set_key", "RC4"):
    getattr(_crypto, _name).restype = None
_RC4_KEY_ROOM = 4 * 258 + 64  # RC4_KEY is 258 unsigned ints; a little room beside it

MAGIC1 = b"Magic server to client signing constant"
MAGIC2 = b"Pad to make it do more than one iteration"
MASTER = b"This is the MPPE Master Key"
CLIENT_SENDS = (b"On the client side, this is the send key; "
                b"on the server side, it is the receive key.")
SERVER_SENDS = (b"On the client side, this is the receive key; "
                b"on the server side, it is the send key.")


def md4(data):
    out = ctypes.create_string_buffer(16)
    _crypto.MD4(data, ctypes.c_size_t(len(data)), out)
    return out.raw


def spread(key7):
    """Seven octets of key become eight with room for the parity bits (RFC 2759 section 8.6)."""
    bits = int.from_bytes(key7, "big")
    return bytes(((bits >> (49 - 7 * i)) & 0x7F) << 1 for i in range(8))


def des(key7, block):
    schedule = ctypes.create_string_buffer(128)
    out = ctypes.create_string_buffer(8)
    _crypto.DES_set_key_unchecked(spread(key7), schedule)
    _crypto.DES_ecb_encrypt(block, out, schedule, 1)
    return out.raw


class Rc4:
    """One RC4 stream."""

    def __init__(self, key):
        self.state = ctypes.create_string_buffer(_RC4_KEY_ROOM)
        _crypto.RC4_set_key(self.state, len(key), bytes(key))

    def apply(self, data):
        out = ctypes.create_string_buffer(len(data))
        _crypto.RC4(self.state, ctypes.c_size_t(len(data)), bytes(data), out)
        return out.raw


def utf16(password):
    return password.encode("utf-16-le")


def widened(password):
    """What pppd hashes: the octets of the UTF-8 text, each made 16 bits wide."""
    return b"".join(bytes((octet, 0)) for octet in password.encode())


def nt_password_hash(password16):
    return md4(password16)


def challenge_hash(peer, authenticator, user):
    return hashlib.sha1(peer + authenticator + user).digest()[:8]


def nt_response(authenticator, peer, user, nt_hash):
    challenge = challenge_hash(peer, authenticator, user)
    key = nt_hash + bytes(5)
    return b"".join(des(key[i:i + 7], challenge) for i in (0, 7, 14))


def authenticator_response(nt_hash, response, peer, authenticator, user):
    digest = hashlib.sha1(md4(nt_hash) + response + MAGIC1).digest()
    challenge = challenge_hash(peer, authenticator, user)
    digest = hashlib.sha1(digest + challenge + MAGIC2).digest()
    return b"S=" + digest.hex().upper().encode()


def master_key(nt_hash, response):
    return hashlib.sha1(md4(nt_hash) + response + MASTER).digest()[:16]


def start_key(master, text, bits):
    """GetAsymmetricStartKey: `text` is CLIENT_SENDS or SERVER_SENDS."""
    digest = hashlib.sha1(master + bytes(40) + text + b"\xf2" * 40).digest()
    return digest[:16 if bits == 128 else 8]
