"""Writes an initramfs: the "newc" cpio format of Linux (Documentation/driver-api/early-userspace/buffer-format.rst)."""
import stat


class Archive:
    """Collects files in memory. Parent folders come by themselves."""

    def __init__(self):
        self.entries = {}

    def folder(self, path):
        if path and path not in self.entries:
            self.folder(path.rpartition('/')[0])
            self.entries[path] = (stat.S_IFDIR | 0o755, b'', (0, 0))

    def file(self, path, data, mode=0o755):
        self._add(path, (stat.S_IFREG | mode, data, (0, 0)))

    def link(self, path, target):
        self._add(path, (stat.S_IFLNK | 0o777, target.encode(), (0, 0)))

    def device(self, path, major, minor):
        self._add(path, (stat.S_IFCHR | 0o600, b'', (major, minor)))

    def _add(self, path, entry):
        self.folder(path.rpartition('/')[0])
        self.entries[path] = entry

    def write(self, path):
        with open(path, 'wb') as out:
            for number, (name, entry) in enumerate(self.entries.items(), 1):
                out.write(record(number, name, *entry))
            out.write(record(0, 'TRAILER!!!', 0, b'', (0, 0)))


def record(number, name, mode, data, device):
    fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0]
    header = b'070701' + b''.join(b'%08X' % field for field in fields)
    return padded(header + name.encode() + b'\0') + padded(data)


def padded(octets):
    return octets + bytes(-len(octets) % 4)
