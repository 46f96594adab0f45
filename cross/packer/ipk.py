"""Writes .ipk files (opkg, OpenWrt 24.10): a compressed tar of three members, two of which are
compressed tars themselves. Order, owner and time stamps are fixed, so equal input is equal output.
"""

import gzip
import io
import tarfile

POSTINST = """#!/bin/sh
[ "${IPKG_NO_SCRIPT}" = "1" ] && exit 0
[ -s ${IPKG_INSTROOT}/lib/functions.sh ] || exit 0
. ${IPKG_INSTROOT}/lib/functions.sh
default_postinst $0 $@
"""
PRERM = """#!/bin/sh
[ -s ${IPKG_INSTROOT}/lib/functions.sh ] || exit 0
. ${IPKG_INSTROOT}/lib/functions.sh
default_prerm $0 $@
"""


def file_name(package):
    return f"{package.name}_{package.version}_{package.arch}.ipk"


def build(package):
    data = Tar(package.epoch)
    for path in package.directories():
        data.folder(path + "/")
        for name in children(package, path):
            data.file(name, package.files[name].mode, package.files[name].data)

    control = Tar(package.epoch)
    control.folder("/")
    for name, (mode, text) in sorted(control_files(package, data.size()).items()):
        control.file("/" + name, mode, text.encode())

    outer = Tar(package.epoch)
    outer.file("/debian-binary", 0o644, b"2.0\n")
    outer.file("/data.tar.gz", 0o644, data.compressed())
    outer.file("/control.tar.gz", 0o644, control.compressed())
    return outer.compressed()


def children(package, folder):
    return sorted(path for path in package.files if path.rpartition("/")[0] == folder)


def control_files(package, size):
    files = {
        "control": (0o644, control_text(package, size)),
        "postinst": (0o755, POSTINST),
        "prerm": (0o755, PRERM),
    }
    if package.conffiles:
        files["conffiles"] = (0o644, "".join(path + "\n" for path in sorted(package.conffiles)))
    if package.postinst:
        files["postinst-pkg"] = (0o755, package.postinst)
    return files


def control_text(package, size):
    fields = {
        "Package": package.name,
        "Version": package.version,
        "Depends": ", ".join(package.depends),
        "Source": package.source,
        "SourceName": package.name,
        "License": package.licence,
        "Section": package.section,
        "SourceDateEpoch": package.epoch,
        "Maintainer": package.maintainer,
        "Architecture": package.arch,
        "Installed-Size": size,
        "Description": package.description.replace("\n", "\n "),
    }
    # opkg crashes on a field without a value.
    return "".join(f"{key}: {value}\n" for key, value in fields.items() if value != "")


class Tar:
    """A tar archive in memory: names start with "./", all belongs to root."""

    def __init__(self, epoch):
        self.epoch, self.buffer = epoch, io.BytesIO()
        self.tar = tarfile.open(fileobj=self.buffer, mode="w", format=tarfile.GNU_FORMAT)

    def folder(self, path):
        entry = tarfile.TarInfo("." + path)
        entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o755, self.epoch
        self.tar.addfile(entry)

    def file(self, path, mode, data):
        entry = tarfile.TarInfo("." + path)
        entry.size, entry.mode, entry.mtime = len(data), mode, self.epoch
        self.tar.addfile(entry, io.BytesIO(data))

    def size(self):
        self.tar.close()
        return len(self.buffer.getvalue())

    def compressed(self):
        self.tar.close()
        return gzip.compress(self.buffer.getvalue(), 9, mtime=0)
