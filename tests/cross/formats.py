"""Readers of .ipk and .apk files, written apart from the writers in cross/packer: both give the same
picture of a package, so that one list of expectations serves for both.
"""

import gzip
import hashlib
import io
import struct
import tarfile
import zlib
from dataclasses import dataclass, field


@dataclass
class Entry:
    mode: int
    owner: tuple
    mtime: int
    data: bytes


@dataclass
class Contents:
    info: dict
    scripts: dict
    files: dict = field(default_factory=dict)       # path -> Entry
    folders: dict = field(default_factory=dict)     # path -> (mode, owner)
    conffiles: list = field(default_factory=list)
    odd: list = field(default_factory=list)         # whatever breaks the format's rules


def read_ipk(octets):
    outer = members(octets)
    control, data = (members(outer[f"./{part}.tar.gz"][1]) for part in ("control", "data"))
    texts = {name.removeprefix("./"): body.decode() for name, (entry, body) in control.items() if entry.isfile()}
    found = Contents(info=control_fields(texts.pop("control")), scripts=texts)
    found.conffiles = found.scripts.pop("conffiles", "").split()
    if list(outer) != ["./debian-binary", "./data.tar.gz", "./control.tar.gz"]:
        found.odd.append(f"members {list(outer)}")
    if outer["./debian-binary"][1] != b"2.0\n":
        found.odd.append("debian-binary is not 2.0")
    for name, (entry, body) in data.items():
        owner = (entry.uid, entry.gid)
        if entry.isdir():
            found.folders[name.removeprefix(".").rstrip("/")] = (entry.mode, owner)
        else:
            found.files[name.removeprefix(".")] = Entry(entry.mode, owner, entry.mtime, body)
        if not entry.isdir() and not entry.isfile():
            found.odd.append(f"{name} is neither file nor folder")
    return found


def members(octets):
    tar = tarfile.open(fileobj=io.BytesIO(gzip.decompress(octets)))
    return {entry.name if entry.name == "." else "./" + entry.name.removeprefix("./"):
            (entry, tar.extractfile(entry).read() if entry.isfile() else b"") for entry in tar}


def control_fields(text):
    fields = {}
    for line in text.splitlines():
        if line.startswith(" "):
            fields[key] += "\n" + line[1:]
        else:
            key, _, fields[key] = line.partition(": ")
    return fields


INFO = ("name version hashes description arch license origin maintainer url repo-commit build-time "
        "installed-size file-size provider-priority depends provides replaces install-if "
        "recommends layer tags").split()
SCRIPTS = ("trigger pre-install post-install pre-deinstall post-deinstall pre-upgrade "
           "post-upgrade").split()


def read_apk(octets):
    if octets[:4] != b"ADBd":
        raise ValueError("not a deflated ADB file")
    plain = zlib.decompress(octets[4:], -15)
    if plain[:8] != b"ADB.pckg":
        raise ValueError("not an ADB package")
    (kind, tree), *contents = blocks(plain[8:])
    info, paths, scripts = (value(tree, word) for word in slots(tree, root_of(tree), 3))
    found = Contents(info=named(INFO, info), scripts=text_only(named(SCRIPTS, scripts)))
    if kind != 0:
        found.odd.append("the first block is not the description")
    if found.info["hashes"] != hashlib.sha256(tree.replace(found.info["hashes"], bytes(20))).digest()[:20]:
        found.odd.append("the unique id is not the digest of the description")
    bodies = {struct.unpack("<II", body[:8]): body[8:] for _, body in contents}
    for number, folder in enumerate(paths, 1):
        read_folder(found, number, folder, bodies)
    if bodies:
        found.odd.append(f"contents without a file: {sorted(bodies)}")
    lists = "/lib/apk/packages/" + found.info["name"].decode()
    if lists + ".conffiles" in found.files:
        found.conffiles = found.files[lists + ".conffiles"].data.decode().split()
    return found


def read_folder(found, number, folder, bodies):
    name, acl, files = (folder + [None] * 3)[:3]
    path = "/" + name.decode() if name else ""
    found.folders[path] = (acl[0], (acl[1], acl[2]))
    names = [entry[0] for entry in files or []]
    if names != sorted(names):
        found.odd.append(f"files of {path} are not sorted")
    for index, (name, acl, size, mtime, digest) in enumerate(files or [], 1):
        body = bodies.pop((number, index), b"")
        if size != len(body) or digest != hashlib.sha256(body).digest():
            found.odd.append(f"{path}/{name.decode()} differs from its size or digest")
        found.files[f"{path}/{name.decode()}"] = Entry(acl[0], (acl[1], acl[2]), mtime, body)


def blocks(octets):
    at = 0
    while at < len(octets):
        word, = struct.unpack_from("<I", octets, at)
        kind, length = word >> 30, word & 0x3FFFFFFF
        yield kind, octets[at + 4:at + length]
        at += (length + 7) // 8 * 8


def root_of(tree):
    return struct.unpack_from("<I", tree, 4)[0]


def slots(tree, word, count=0):
    at = word & 0x0FFFFFFF
    number, = struct.unpack_from("<I", tree, at)
    found = list(struct.unpack_from(f"<{number - 1}I", tree, at + 4))
    return found + [0] * (count - len(found))


def value(tree, word):
    kind, rest = word >> 28, word & 0x0FFFFFFF
    if kind == 0:
        return None
    if kind == 1:
        return rest
    if kind == 2:
        return struct.unpack_from("<I", tree, rest)[0]
    if kind in (8, 9, 10):
        size = {8: "<B", 9: "<H", 10: "<I"}[kind]
        length, = struct.unpack_from(size, tree, rest)
        start = rest + struct.calcsize(size)
        return tree[start:start + length]
    if kind in (13, 14):
        return [value(tree, item) for item in slots(tree, word)]
    raise ValueError(f"value of kind {kind}")


def named(names, values):
    return {name: item for name, item in zip(names, values) if item is not None}


def text_only(values):
    return {name: body.decode() for name, body in values.items()}


def read_lmo(octets):
    """[(hash, number of forms, translation)] in the order of the index."""
    start, = struct.unpack(">I", octets[-4:])
    entries = struct.iter_unpack(">IIII", octets[start:-4])
    return [(key, forms, octets[at:at + length]) for key, forms, at, length in entries]
