"""What goes into a package: read from the feed's Makefile, so that it is written down once.

Only the forms that our two Makefiles use are understood: `NAME:=value`, `define ... endef`, and in
an install block the INSTALL_* commands. Anything else in an install block is an error, not a guess.
"""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from . import lmo

MODES = {"INSTALL_BIN": 0o755, "INSTALL_DATA": 0o644, "INSTALL_CONF": 0o600}


@dataclass
class File:
    mode: int
    data: bytes


@dataclass
class Package:
    name: str
    version: str
    arch: str           # OpenWrt's architecture name, or "all"
    section: str
    title: str
    description: str    # may have several lines
    licence: str
    maintainer: str
    source: str         # folder of the recipe inside its feed
    depends: list[str]
    epoch: int          # time stamp of every file, seconds since 1970
    conffiles: list[str] = field(default_factory=list)
    postinst: str = ""  # a script to run beside what OpenWrt does for every package
    files: dict[str, File] = field(default_factory=dict)  # by absolute path

    def directories(self):
        """Every folder that the files need, the root as "", parents first."""
        found = {""}
        for path in self.files:
            parts = path.split("/")[1:-1]
            found.update("/" + "/".join(parts[:n]) for n in range(1, len(parts) + 1))
        return sorted(found)


class Makefile:
    """The variables and the `define` blocks of one Makefile, with continued lines joined."""

    def __init__(self, path):
        self.variables, self.blocks = {}, {}
        block = None
        for line in path.read_text().replace("\\\n", " ").splitlines():
            if line == "endef":
                block = None
            elif block is not None:
                self.blocks[block].append(line)
            elif line.startswith("define "):
                block = self.expand(line.removeprefix("define ").strip())
                self.blocks[block] = []
            elif match := re.fullmatch(r"(\w+):?=(.*)", line):
                self.variables[match[1]] = self.expand(match[2].strip())

    def expand(self, text):
        """Replaces $(NAME); a variable from outside this file stands for nothing."""
        return re.sub(r"\$\((\w+)\)", lambda m: self.variables.get(m[1], ""), text)

    def fields(self, block):
        """The `KEY:=value` lines of a block."""
        lines = (line.strip().partition(":=") for line in self.blocks[block])
        return {key: self.expand(value) for key, _, value in lines}

    def words(self, block):
        return " ".join(self.blocks.get(block, [])).split()

    def text(self, block):
        return "\n".join(line.strip() for line in self.blocks.get(block, []))

    def script(self, block):
        """A block that make would hand to the shell."""
        return "".join(line + "\n" for line in self.blocks.get(block, [])).replace("$$", "$")


def depends(value):
    """`+name` is a package to install; `@...` is a condition of the build system. Everything
    depends on libc, which OpenWrt's build system adds in the same way."""
    return ["libc"] + [word.lstrip("+") for word in value.split() if not word.startswith("@")]


def feed_package(folder, arch, binary, epoch):
    """The package of `folder` (openwrt/pptp-server) with the given program in it."""
    make = Makefile(folder / "Makefile")
    name = make.variables["PKG_NAME"]
    fields = make.fields(f"Package/{name}")
    package = Package(
        name=name,
        version=f"{make.variables['PKG_VERSION']}-r{make.variables['PKG_RELEASE']}",
        arch=arch,
        section=fields["SECTION"],
        title=fields["TITLE"],
        description=make.text(f"Package/{name}/description"),
        licence=make.variables["PKG_LICENSE"],
        maintainer=make.variables["PKG_MAINTAINER"],
        source=f"feeds/pptp/{name}",
        depends=depends(fields["DEPENDS"]),
        epoch=epoch,
        conffiles=make.words(f"Package/{name}/conffiles"),
        postinst=make.script(f"Package/{name}/postinst"),
    )
    for line in make.blocks[f"Package/{name}/install"]:
        install(package, line, folder, binary)
    return package


def install(package, line, folder, binary):
    """One line of an install block: `$(INSTALL_xxx) SOURCE $(1)/DESTINATION`."""
    match = re.fullmatch(r"\t\$\((\w+)\)(?: (\S+))? \$\(1\)(/\S+)", line)
    if match is None or match[1] not in (*MODES, "INSTALL_DIR"):
        raise ValueError(f"install line not understood: {line!r}")
    command, source, destination = match.groups()
    if command == "INSTALL_DIR":
        return
    path = binary if source.startswith("$(PKG_INSTALL_DIR)") else folder / source
    package.files[destination] = File(MODES[command], path.read_bytes())


# rpcd reads access rules only when told to; LuCI keeps its menu in a cache.
LUCI_POSTINST = """#!/bin/sh
[ -n "$IPKG_INSTROOT" ] || {
	rm -rf /tmp/luci-indexcache.* /tmp/luci-modulecache
	/etc/init.d/rpcd reload
}
"""


def luci_package(folder, version, epoch):
    """The package of a LuCI application's folder: luci.mk's layout instead of an install block."""
    make = Makefile(folder / "Makefile")
    title = make.variables["LUCI_TITLE"]
    package = Package(
        name=folder.name,
        version=version,
        arch="all",
        section="luci",
        title=title,
        description=make.variables.get("LUCI_DESCRIPTION", title),
        licence=make.variables["PKG_LICENSE"],
        maintainer=make.variables["PKG_MAINTAINER"],
        source=f"feeds/pptp/{folder.name}",
        depends=depends(make.variables["LUCI_DEPENDS"]),
        epoch=epoch,
        conffiles=make.words(f"Package/{folder.name}/conffiles"),
        postinst=LUCI_POSTINST,
    )
    for part, prefix in (("root", Path("/")), ("htdocs", Path("/www"))):
        add_tree(package, folder / part, prefix)
    return package


def add_tree(package, folder, prefix):
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            package.files[str(prefix / path.relative_to(folder))] = File(mode, path.read_bytes())


# How LuCI's list of languages names them.
LANGUAGES = {"de": "Deutsch (German)", "es": "Español (Spanish)", "fr": "Français (French)",
             "pl": "Polski (Polish)", "pt_BR": "Português do Brasil (Brazilian Portuguese)",
             "ru": "Русский (Russian)", "uk": "Українська (Ukrainian)", "zh_Hans": "简体中文 (Chinese Simplified)"}


def translation_packages(folder, page):
    """One package for each folder of po/ but the template's, as luci.mk makes them."""
    basename = folder.name.removeprefix("luci-app-")
    for path in sorted(folder.glob("po/*/*.po")):
        language = path.parent.name
        code = language.replace("_", "-").lower()
        name = f"luci-i18n-{basename}-{code}"
        enable = f"uci set luci.languages.{code.replace('-', '_')}='{LANGUAGES.get(language, language)}'; uci commit luci\n"
        title = f"{folder.name} - {language} translation"
        yield replace(page, name=name, title=title, description=title, depends=["libc", folder.name], files={
            f"/etc/uci-defaults/{name}": File(0o644, enable.encode()),
            f"/usr/lib/lua/luci/i18n/{path.stem}.{code}.lmo": File(0o644, lmo.build(path.read_text())),
        })
