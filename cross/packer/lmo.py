"""Translates a gettext .po file into LuCI's .lmo: the translations one after the other, an index
sorted by the hash of the English sentence, and where the index starts; all numbers big-endian.
"""

import re
import struct

STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


def build(text):
    """The octets of the .lmo file; none when nothing is translated."""
    index, body = [], b""
    for message in messages(text):
        for key, entry, words in entries(message):
            index.append((key, entry, len(body), len(words)))
            body += words + bytes(-len(words) % 4)
    if not index:
        return b""
    table = b"".join(struct.pack(">IIII", *line) for line in sorted(index))
    return body + table + struct.pack(">I", len(body))


def messages(text):
    """One dictionary {keyword: text} for each message."""
    message, keyword = {}, None
    for line in text.splitlines():
        match = re.match(r"(msgctxt|msgid_plural|msgid|msgstr(?:\[\d\])?) ", line)
        if match:
            keyword = match[1]
            if keyword in ("msgctxt", "msgid") and "msgid" in message:
                yield message
                message = {}
        if keyword and not line.startswith("#"):
            words = "".join(STRING.findall(line))
            message[keyword] = message.get(keyword, "") + re.sub(r'\\(["\\])', r"\1", words)
    yield message


def entries(message):
    """(hash of the key, number of forms, translation) of one message's translated forms."""
    if not message.get("msgid"):
        return plural_rule(message.get("msgstr", ""))
    context = message["msgctxt"] + "\1" if "msgctxt" in message else ""
    forms = [words.encode() for keyword, words in message.items() if keyword.startswith("msgstr")]
    found = []
    for number, words in enumerate(forms):
        plural = f"\2{number}" if "msgid_plural" in message else ""
        key = hash_of((context + message["msgid"] + plural).encode())
        if words and key != hash_of(words):
            found.append((key, len(forms), words))
    return found


def plural_rule(header):
    """The rule that numbers plural forms stands in the header, and in the index under 0."""
    match = re.search(r"Plural-Forms: (.*?)\\n", header)
    return [(0, 0, match[1].encode())] if match else []


def hash_of(octets):
    """LuCI's hash: Paul Hsieh's SuperFastHash, started with the length."""
    mask, whole = 0xFFFFFFFF, len(octets) & ~3
    value = len(octets)
    for low, high in struct.iter_unpack("<HH", octets[:whole]):
        value = value + low & mask
        value = (value << 16 ^ high << 11 ^ value) & mask
        value = value + (value >> 11) & mask
    value = hash_rest(value, octets[whole:]) if octets[whole:] else value
    for left, right in ((3, 5), (4, 17), (25, 6)):
        value ^= value << left & mask
        value = value + (value >> right) & mask
    return value


def hash_rest(value, rest):
    """The last one to three octets; a single one counts as signed."""
    mask, last = 0xFFFFFFFF, struct.unpack("<b", rest[-1:])[0]
    word = struct.unpack("<H", rest[:2])[0] if len(rest) > 1 else last
    left, right = {1: (10, 1), 2: (11, 17), 3: (16, 11)}[len(rest)]
    value = value + word & mask
    value = (value ^ value << left) & mask
    if len(rest) == 3:
        value = (value ^ last << 18) & mask
    return value + (value >> right) & mask
