"""Writes .apk files of apk-tools 3 (OpenWrt 25.12), format "ADB": one block with a tree of values
that describes the package, then one block per file with its content. Values are 32-bit words,
little-endian: a type in the upper four bits, below it the value itself or its offset in the block.
"""

import hashlib
import struct
import zlib
from dataclasses import replace

from .recipe import File

INT, INT_32, BLOB_8, BLOB_16, BLOB_32, ARRAY, OBJECT = (
    kind << 28 for kind in (0x1, 0x2, 0x8, 0x9, 0xA, 0xD, 0xE))
NULL = 0
BLOCK_ADB, BLOCK_DATA = 0, 2


def file_name(package):
    # OpenWrt leaves the architecture out, as its packages lie in a folder for each.
    return f"{package.name}-{package.version}_{package.arch}.apk"


def build(package):
    files = {**package.files, **list_files(package)}
    tree, contents = describe(package, files)
    plain = b"ADB.pckg" + block(BLOCK_ADB, tree) + b"".join(contents)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return b"ADBd" + packer.compress(plain) + packer.flush()


def list_files(package):
    """What OpenWrt's scripts read instead of apk's database: the paths, and the sums of the
    conffiles as they were shipped."""
    base = f"/lib/apk/packages/{package.name}"
    files = {base + ".list": lines(sorted(package.files))}
    if package.conffiles:
        sums = [f"{path} {hashlib.sha256(package.files[path].data).hexdigest()}" for path in package.conffiles]
        files |= {base + ".conffiles": lines(package.conffiles), base + ".conffiles_static": lines(sums)}
    return {path: File(0o644, data) for path, data in files.items()}


def lines(items):
    return "".join(item + "\n" for item in items).encode()


class Adb:
    """The description block. Equal values are stored once."""

    def __init__(self):
        self.data, self.known = bytearray(8), {}    # 8: version numbers (0) and the root value

    def raw(self, octets, alignment):
        self.data += bytes(-len(self.data) % alignment)
        self.data += octets
        return len(self.data) - len(octets)

    def shared(self, octets, alignment):
        at = self.known.get(octets)
        if at is None or at % alignment:
            at = self.known[octets] = self.raw(octets, alignment)
        return at

    def blob(self, value):
        octets = value.encode() if isinstance(value, str) else value
        if not octets:
            return NULL
        if len(octets) < 0x100:
            return BLOB_8 | self.shared(struct.pack("<B", len(octets)) + octets, 1)
        if len(octets) < 0x10000:
            return BLOB_16 | self.shared(struct.pack("<H", len(octets)) + octets, 2)
        return BLOB_32 | self.shared(struct.pack("<I", len(octets)) + octets, 4)

    def int(self, value):
        if value < 1 << 28:
            return INT | value
        return INT_32 | self.shared(struct.pack("<I", value), 4)

    def words(self, values):
        return self.shared(struct.pack(f"<{len(values) + 1}I", len(values) + 1, *values), 4)

    def array(self, values):
        return ARRAY | self.words(values) if values else NULL

    def object(self, count, fields):
        """Slots 1 to count; trailing empty ones are left out."""
        values = [fields.get(slot, NULL) for slot in range(1, count + 1)]
        while values and values[-1] == NULL:
            values.pop()
        return OBJECT | self.words(values)


def describe(package, files):
    """The description block and the content blocks that it refers to."""
    adb = Adb()
    unique_id = adb.raw(bytes([20]) + bytes(20), 1)
    info = package_info(adb, package, files, BLOB_8 | unique_id)
    paths, contents = folders(adb, package, files)
    root = adb.object(5, {1: info, 2: paths, 3: scripts(adb, package)})
    struct.pack_into("<I", adb.data, 4, root)
    # apk names a package by the digest of its description, taken while the name is still zero.
    digest = hashlib.sha256(adb.data).digest()[:20]
    adb.data[unique_id + 1:unique_id + 21] = digest
    return bytes(adb.data), contents


def package_info(adb, package, files, unique_id):
    return adb.object(21, {
        1: adb.blob(package.name),
        2: adb.blob(package.version),
        3: unique_id,
        4: adb.blob(package.description.replace("\n", " ")),
        5: adb.blob("noarch" if package.arch == "all" else package.arch),
        6: adb.blob(package.licence),
        7: adb.blob(package.source),
        8: adb.blob(package.maintainer),
        12: adb.int(sum(len(file.data) for file in files.values())),
        15: adb.array([adb.object(3, {1: adb.blob(name)}) for name in sorted(package.depends)]),
    })


def folders(adb, package, files):
    """The array of folders with their files; and the files' contents, numbered by both."""
    by_folder = {folder.removeprefix("/"): [] for folder in replace(package, files=files).directories()}
    for path in sorted(files):
        folder, _, name = path[1:].rpartition("/")
        by_folder[folder].append((name, files[path]))
    values, contents = [], []
    for number, (folder, entries) in enumerate(sorted(by_folder.items()), 1):
        entries.sort(key=lambda entry: entry[0].encode())
        values.append(adb.object(3, {
            1: adb.blob(folder),
            2: owner(adb, 0o755),
            3: adb.array([file_info(adb, name, file, package.epoch) for name, file in entries]),
        }))
        contents += [block(BLOCK_DATA, struct.pack("<II", number, index) + file.data)
                     for index, (_, file) in enumerate(entries, 1) if file.data]
    return adb.array(values), contents


def file_info(adb, name, file, epoch):
    return adb.object(6, {
        1: adb.blob(name),
        2: owner(adb, file.mode),
        3: adb.int(len(file.data)),
        4: adb.int(epoch),
        5: adb.blob(hashlib.sha256(file.data).digest()),
    })


def owner(adb, mode):
    return adb.object(4, {1: adb.int(mode), 2: adb.blob("root"), 3: adb.blob("root")})


def scripts(adb, package):
    setup = f""". ${{IPKG_INSTROOT}}/lib/functions.sh
export root="${{IPKG_INSTROOT}}"
export pkgname="{package.name}"
"""
    guard = "[ -s ${IPKG_INSTROOT}/lib/functions.sh ] || exit 0\n"
    install = ('[ "${IPKG_NO_SCRIPT}" = "1" ] && exit 0\n' + guard + setup
               + "add_group_and_user\ndefault_postinst\n" + package.postinst.removeprefix("#!/bin/sh\n"))
    return adb.object(7, {
        3: adb.blob("#!/bin/sh\n" + install),
        4: adb.blob("#!/bin/sh\n" + guard + setup + "default_prerm\n"),
        7: adb.blob("#!/bin/sh\nexport PKG_UPGRADE=1\n" + install),
    })


def block(kind, octets):
    """Two bits of kind, 30 of length with the word itself; padded to eight octets."""
    length = 4 + len(octets)
    return struct.pack("<I", kind << 30 | length) + octets + bytes(-length % 8)
