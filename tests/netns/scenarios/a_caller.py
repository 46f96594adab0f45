"""The caller itself, before it judges a server: RFC vectors, and recorded sessions of real pppd."""
import collections
import json
import os
import struct

import gre
import ip
import mppe
import mschap
import ppp
from suite import Skip, scenario

_DATA = os.path.join(os.path.dirname(__file__), "..", "..", "data")
_SESSIONS = {"stateless": "s3cret-Pass1", "stateful": "s3cret-Pass1", "mppe40-both": "s3cret-Pass1"}


@scenario(serve=False)
def caller_itself(bed, check):
    """The caller's own cryptography and parsers against vectors and recordings."""
    with open(os.path.join(_DATA, "mschap-mppe.json")) as file:
        vectors = json.load(file)
    with check("mschapv2-vectors"):
        for vector in (vectors["base"], *vectors["extra"]):
            mschap_vector(vector)
    with check("mppe-stateless-vectors"):
        for name, vector in vectors["mppe_stateless"].items():
            stateless_vector(int(name.split("_")[0]), vector)
    with check("mppe-stateful-vectors"):
        start = bytes.fromhex(vectors["mppe_stateless"]["128_server_to_client"]["start_key"])
        both = vectors["mppe_stateful_128_server_to_client"]
        stateful_vector(start, both["rfc"], "restart")
        stateful_vector(start, both["linux"], "change")
    for name, password in _SESSIONS.items():
        with check(f"recorded-{name}") as suite:
            suite.note = recorded(name, password)


def mschap_vector(vector):
    octets = {k: bytes.fromhex(vector[k]) for k in
              ("user_hashed_hex", "auth_challenge", "peer_challenge")}
    user, authenticator, peer = octets.values()
    nt_hash = mschap.nt_password_hash(mschap.utf16(vector["password"]))
    response = mschap.nt_response(authenticator, peer, user, nt_hash)
    assert nt_hash.hex() == vector["nt_password_hash"], vector["note"]
    assert response.hex() == vector["nt_response"], vector["note"]
    answer = mschap.authenticator_response(nt_hash, response, peer, authenticator, user)
    assert answer.decode() == vector["authenticator_response"], vector["note"]
    master = mschap.master_key(nt_hash, response)
    for bits in (40, 56, 128):
        keys = vector["mppe"][str(bits)]
        for side, text in (("client_send", mschap.CLIENT_SENDS),
                           ("client_recv", mschap.SERVER_SENDS)):
            start = mschap.start_key(master, text, bits)
            assert start.hex() == keys[side]["start_key"], (vector["note"], bits, side)


def stateless_vector(bits, vector):
    start = bytes.fromhex(vector["start_key"])
    sender, receiver = mppe.Mppe(start, bits), mppe.Mppe(start, bits)
    for packet in vector["packets"]:
        while sender.count != packet["ccount"]:
            sender.seal(b"\0\0")
        frame = ppp.frame(ppp.COMP, sender.seal(bytes.fromhex(packet["plaintext"])))
        assert frame.hex() == packet["ppp_frame"], packet["ccount"]
        assert receiver.open(frame[4:]).hex() == packet["plaintext"]


def stateful_vector(start, packets, on_flush):
    sender, receiver = (mppe.Mppe(start, 128, False, on_flush) for _ in range(2))
    wanted = {p["ccount"]: p for p in packets}
    for count in range(packets[-1]["ccount"] + 1):
        packet = wanted.get(count)
        plain = bytes.fromhex(packet["plaintext"] if packet else f"0021{count:04x}" + "aa" * 8)
        sender.flush_next = bool(packet and int(packet["mppe_header"], 16) & mppe.FLUSHED)
        frame = sender.seal(plain)
        assert not packet or frame.hex() == packet["mppe_header"] + packet["ciphertext"], count
        assert receiver.open(frame) == plain


# Recorded sessions

def pcap(path):
    """IPv4 packets of a little-endian pcap file."""
    if not os.path.exists(path):
        raise Skip(f"{os.path.basename(path)} is not there")
    with open(path, "rb") as file:
        octets = file.read()
    start = {1: 14, 113: 16, 276: 20, 9: 4, 12: 0, 101: 0}[struct.unpack("<I", octets[20:24])[0]]
    at = 24
    while at < len(octets):
        length = struct.unpack("<I", octets[at + 8:at + 12])[0]
        yield octets[at + 16 + start:at + 16 + length]
        at += 16 + length


class Recording:
    """Both directions of one recorded call, decrypted with the password."""

    def __init__(self, password):
        self.nt_hash = mschap.nt_password_hash(mschap.utf16(password))
        self.inner, self.ciphers, self.last = [], {}, {}
        self.options = {}

    def take(self, source, frame):
        protocol, data = ppp.split(frame, acfc=True, pfc=True)
        if protocol == ppp.CHAP:
            self.chap(*ppp.split_packet(data))
        elif protocol == ppp.CCP:
            self.ccp(source, *ppp.split_packet(data))
        elif protocol == ppp.COMP:
            inner = ppp.split_protocol(self.ciphers[source].open(data), pfc=True)
            self.inner.append(inner[1])

    def chap(self, code, identifier, data):
        if code == ppp.CHALLENGE:
            self.challenge = data[1:17]
        elif code == ppp.RESPONSE:
            self.master = mschap.master_key(self.nt_hash, data[25:49])
            right = mschap.nt_response(self.challenge, data[1:17], data[50:], self.nt_hash)
            assert right == data[25:49], "the recorded response is another"

    def ccp(self, source, code, identifier, data):
        """The client is the one that called: 10.99.0.2. An Ack names the other side's cipher."""
        if code != ppp.ACK:
            return
        value = int.from_bytes(data[2:6], "big")
        bits = next(b for b, bit in ppp.MPPE_BITS.items() if value & bit)
        sender = "10.99.0.2" if source == "10.99.0.1" else "10.99.0.1"
        for end, text in (("10.99.0.2", mschap.CLIENT_SENDS), ("10.99.0.1", mschap.SERVER_SENDS)):
            if end != sender:
                self.ciphers[end] = mppe.Mppe(mschap.start_key(self.master, text, bits), bits,
                                              bool(value & ppp.MPPE_STATELESS))


def recorded(name, password):
    """Decrypts NAME.pcap and compares it with NAME.inner.pcap, packet by packet."""
    recording = Recording(password)
    for octets in pcap(os.path.join(_DATA, "pcap", f"{name}.pcap")):
        outer = ip.parse(octets)
        if outer and outer.protocol == ip.GRE:
            payload = gre.parse(outer.payload)[3]
            if payload:
                recording.take(outer.source, payload)
    wanted = [p[:int.from_bytes(p[2:4], "big")]
              for p in pcap(os.path.join(_DATA, "pcap", f"{name}.inner.pcap"))]
    # The recorder on the inner device missed some packets, so it tells only what must be there;
    # what it missed proves itself by its IP checksum.
    missing = collections.Counter(wanted) - collections.Counter(recording.inner)
    assert not missing, f"{sum(missing.values())} recorded packets were not decrypted"
    assert all(ip.checksum(p[:20]) == 0 for p in recording.inner), "a wrong IP checksum"
    return f"{len(recording.inner)} packets, {len(wanted)} compared"
