"""The packages, byte by byte: paths, modes, owners, time stamps, contents, control data, scripts;
that the same commit gives the same bytes; and what the real opkg and apk make of them, where they
are installed.
"""

import hashlib
import lzma
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import formats

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "cross"))
from packer import apk, ipk, lmo, recipe  # noqa: E402

OUT = ROOT / "target/openwrt"
FEED = ROOT / "openwrt/pptp-server"
CONFIG = "/etc/config/pptp-server"

# path -> (mode, where its bytes come from; the program comes from target/openwrt/TARGET)
SERVER_FILES = {
    "/etc/capabilities/pptp-server.json": (0o644, FEED / "files/pptp-server.capabilities.json"),
    CONFIG: (0o600, FEED / "files/pptp-server.config"),
    "/etc/hotplug.d/pptp-server/50-hook": (0o644, FEED / "files/pptp-server.hotplug"),
    "/etc/init.d/pptp-server": (0o755, FEED / "files/pptp-server.init"),
    "/etc/uci-defaults/50-pptp-server": (0o755, FEED / "files/pptp-server.uci-defaults"),
    "/usr/sbin/pptp-server": (0o755, None),
}
RESTART = """[ "${PKG_UPGRADE}" = 1 ] && [ -z "${IPKG_INSTROOT}" ] && /etc/init.d/pptp-server running && /etc/init.d/pptp-server restart
exit 0
"""
INSTALLED_CEILING = 150 * 1000     # of flash, on mips_24kc
ELSEWHERE_CEILING = 169 * 1000
FLASH_BLOCK = 256 * 1024    # of OpenWrt's compressed file system (squashfs)
# What OpenWrt's image.mk tells mksquashfs: -comp xz -Xpreset 9 -Xe -Xlc 0 -Xlp 2 -Xpb 2.
FLASH_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 0, "lp": 2, "pb": 2,
                  "dict_size": FLASH_BLOCK}]


def check(report, target):
    version = cargo_version() + "-r1"
    paths = [OUT / f"pptp-server_{version}_{target}.ipk", OUT / f"pptp-server-{version}_{target}.apk"]
    files = {path: (mode, (source or OUT / target / "pptp-server-shared").read_bytes())
             for path, (mode, source) in SERVER_FILES.items()}
    flash = sum(compressed(data) for _, data in files.values())
    ceiling = INSTALLED_CEILING if target == "mips_24kc" else ELSEWHERE_CEILING
    report.check(f"{target}: {flash} bytes of flash, {paths[0].stat().st_size} as .ipk, {paths[1].stat().st_size} as .apk",
                 flash <= ceiling, f"it was below {ceiling}")
    check_ipk(report, target, version, formats.read_ipk(paths[0].read_bytes()), files)
    check_apk(report, target, version, formats.read_apk(paths[1].read_bytes()), files)
    check_same_bytes(report, target, paths)
    check_versions(report)
    with_opkg(report, target, paths[0])
    with_apk(report, target, paths[1])
    check_page(report, version)
    check_translation(report)


def compressed(data):
    blocks = (data[at:at + FLASH_BLOCK] for at in range(0, len(data), FLASH_BLOCK))
    return sum(len(lzma.compress(block, check=lzma.CHECK_CRC32, filters=FLASH_FILTERS)) for block in blocks)


def check_ipk(report, target, version, found, files):
    check_files(report, f"ipk {target}", found, files, (0, 0))
    report.equal("ipk control", without(found.info, "Installed-Size", "Description", "SourceDateEpoch"), {
        "Package": "pptp-server", "Version": version, "Depends": "libc, kmod-tun",
        "Source": "feeds/pptp/pptp-server", "SourceName": "pptp-server", "License": "MIT",
        "Section": "net", "Maintainer": "The pptp-server authors", "Architecture": target,
    })
    report.equal("ipk scripts", sorted(found.scripts), ["postinst", "postinst-pkg", "prerm"])
    report.equal("ipk restarts after an upgrade", found.scripts["postinst-pkg"], "#!/bin/sh\n" + RESTART)
    check_scripts(report, "ipk", {
        "postinst": (found.scripts["postinst"], "default_postinst"),
        "prerm": (found.scripts["prerm"], "default_prerm"),
    })


def check_apk(report, target, version, found, files):
    lists = "/lib/apk/packages/pptp-server"
    digest = hashlib.sha256(files[CONFIG][1]).hexdigest()
    extra = {
        lists + ".list": "".join(path + "\n" for path in sorted(files)),
        lists + ".conffiles": CONFIG + "\n",
        lists + ".conffiles_static": f"{CONFIG} {digest}\n",
    }
    files = files | {path: (0o644, text.encode()) for path, text in extra.items()}
    check_files(report, f"apk {target}", found, files, (b"root", b"root"))
    report.equal("apk info", without(found.info, "hashes", "description"), {
        "name": b"pptp-server", "version": version.encode(), "arch": target.encode(), "license": b"MIT",
        "origin": b"feeds/pptp/pptp-server", "maintainer": b"The pptp-server authors",
        "installed-size": sum(len(data) for _, data in files.values()),
        "depends": [[b"kmod-tun"], [b"libc"]],
    })
    report.equal("apk scripts", sorted(found.scripts), ["post-install", "post-upgrade", "pre-deinstall"])
    report.check("apk restarts after an upgrade", found.scripts["post-upgrade"].endswith("default_postinst\n" + RESTART))
    check_scripts(report, "apk", {
        "post-install": (found.scripts["post-install"], "default_postinst upgrade="),
        "post-upgrade": (found.scripts["post-upgrade"], "default_postinst upgrade=1"),
        "pre-deinstall": (found.scripts["pre-deinstall"], "default_prerm"),
    })


def check_files(report, name, found, files, owner):
    report.equal(f"{name}: format", found.odd, [])
    report.equal(f"{name}: paths and modes", {path: oct(e.mode) for path, e in found.files.items()},
                 {path: oct(mode) for path, (mode, _) in files.items()})
    differing = [path for path, (_, data) in files.items() if found.files[path].data != data]
    report.check(f"{name}: contents", not differing, f"differ: {differing}")
    report.check(f"{name}: owners", all(e.owner == owner for e in found.files.values()))
    report.equal(f"{name}: time stamps", {e.mtime for e in found.files.values()}, {commit_time()})
    folders = {folder for path in files for folder in parents(path)}
    report.equal(f"{name}: folders", found.folders, {folder: (0o755, owner) for folder in folders})
    report.equal(f"{name}: conffiles", found.conffiles, [CONFIG])


def parents(path):
    parts = path.split("/")[:-1]
    return ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]


def check_scripts(report, kind, scripts):
    """Runs each script in a root whose functions.sh only says what was called."""
    with tempfile.TemporaryDirectory() as root:
        functions = Path(root, "lib/functions.sh")
        functions.parent.mkdir()
        functions.write_text('add_group_and_user() { :; }\n'
                             'default_postinst() { echo "default_postinst upgrade=$PKG_UPGRADE"; }\n'
                             'default_prerm() { echo "default_prerm"; }\n')
        for name, (text, expected) in scripts.items():
            result = shell(text, root)
            report.check(f"{kind} {name} calls {expected}", result.startswith(expected), f"printed {result!r}")
        functions.unlink()
        quiet = [name for name, (text, _) in scripts.items() if shell(text, root)]
        report.equal(f"{kind} scripts do nothing outside of OpenWrt", quiet, [])


def shell(text, root):
    environment = {"PATH": os.environ["PATH"], "IPKG_INSTROOT": root}
    return subprocess.run(["sh", "-c", text], env=environment, capture_output=True, text=True, check=True).stdout


def check_same_bytes(report, target, paths):
    before = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    for path in paths:
        path.unlink()
    # Another time zone, mask, and hash seed: none of them may show in the packages.
    environment = os.environ | {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7", "LC_ALL": "C"}
    subprocess.run(["sh", "-c", 'umask 077; exec "$@"', "sh", ROOT / "cross/package", target],
                   env=environment, check=True, capture_output=True)
    after = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    report.equal("packed again, the same bytes", after, before)


def check_versions(report):
    found = re.search(r"^PKG_VERSION:=(.*)$", (FEED / "Makefile").read_text(), re.M)
    report.equal("the feed's version is Cargo.toml's", found[1], cargo_version())


def check_page(report, version):
    """The LuCI page: luci.mk's rule for its files, and nothing a group may write."""
    page = ROOT / "luci/luci-app-pptp-server"
    if not page.is_dir():
        return report.skip("luci-app-pptp-server", "there is no luci/ yet")
    expected = {}
    for part, prefix in (("root", ""), ("htdocs", "/www")):
        for path in (page / part).rglob("*"):
            if path.is_file():
                expected[f"{prefix}/{path.relative_to(page / part)}"] = path.read_bytes()
    both = {"ipk": formats.read_ipk((OUT / f"luci-app-pptp-server_{version}_all.ipk").read_bytes()),
            "apk": formats.read_apk((OUT / f"luci-app-pptp-server-{version}_all.apk").read_bytes())}
    for kind, found in both.items():
        data = {path: e.data for path, e in found.files.items() if not path.startswith("/lib/apk/")}
        report.check(f"luci {kind}: files", data == expected, f"{sorted(data)} instead of {sorted(expected)}")
        report.equal(f"luci {kind}: modes", {oct(e.mode) for e in found.files.values()} - {"0o755"}, {"0o644"})
        report.equal(f"luci {kind}: format", found.odd, [])
    report.equal("luci ipk: architecture", both["ipk"].info["Architecture"], "all")
    report.equal("luci apk: architecture", both["apk"].info["arch"], b"noarch")
    report.check("luci: needs the server", "pptp-server" in both["ipk"].info["Depends"].split(", "))


PO = r'''msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\n"

#: a comment
msgid "Cancel"
msgstr "Abbrechen"

msgctxt "menu"
msgid "Open \"x\""
msgstr "Öffne \"x\""

msgid "%d call"
msgid_plural "%d calls"
msgstr[0] "%d Anruf"
msgstr[1] ""
"%d Anrufe"

msgid "Same"
msgstr "Same"

msgid "None"
msgstr ""
'''
# Hash of the sentence, number of forms, translation; the hashes come from LuCI's own program.
LMO = [(0, 0, b"nplurals=2; plural=(n != 1);"), (0x2BB5AA39, 2, b"%d Anruf"), (0x6290B9AA, 2, b"%d Anrufe"),
       (0xAE5DEB3A, 1, b"Abbrechen"), (0xB7275C58, 1, 'Öffne "x"'.encode())]


def check_translation(report):
    report.equal("a translation in LuCI's form", formats.read_lmo(lmo.build(PO)), LMO)
    report.equal("no translation, no file", lmo.build('msgid "None"\nmsgstr ""\n'), b"")


def with_opkg(report, target, package):
    opkg = os.environ.get("OPKG") or shutil.which("opkg")
    if not opkg:
        return report.skip("install, upgrade, remove with opkg", "opkg is not installed; OPKG may name it")
    with tempfile.TemporaryDirectory() as root:
        settings = Path(root, "opkg.conf")
        settings.write_text(f"dest root /\narch all 1\narch {target} 10\nlists_dir ext /lists\n")
        Path(root, "var/lock").mkdir(parents=True)
        base = [opkg, "--offline-root", root, "-f", settings]
        for name in STAND_INS:
            run(base + ["install", stand_in(ipk, name, root)])
        life(report, "opkg", Path(root), base + ["install", package],
             base + ["install", next_release(ipk, target, root)], base + ["remove", "pptp-server"],
             page=(base + ["install", *page_packages(ipk)], base + ["remove", *page_names()]))


def with_apk(report, target, package):
    apk_tool = os.environ.get("APK") or shutil.which("apk")
    if not apk_tool:
        return report.skip("install, upgrade, remove with apk", "apk-tools 3 is not installed; APK may name it")
    with tempfile.TemporaryDirectory() as root:
        base = [apk_tool, "--root", root, "--arch", target, "--allow-untrusted", "--no-network", "--no-scripts",
                "--repositories-file", "/dev/null"]
        run(base + ["--initdb", "add", *(stand_in(apk, name, root) for name in STAND_INS)])
        life(report, "apk", Path(root), base + ["add", package],
             base + ["add", next_release(apk, target, root)], base + ["del", "pptp-server"],
             page=(base + ["add", *page_packages(apk)], base + ["del", *page_names()]))


STAND_INS = ("libc", "kmod-tun", "luci-base")


def page_packages(kind):
    """The LuCI page and its translations."""
    return [OUT / kind.file_name(package) for package in pages()]


def page_names():
    return [package.name for package in reversed(pages())]


def pages():
    page = ROOT / "luci/luci-app-pptp-server"
    application = recipe.luci_package(page, f"{cargo_version()}-r1", commit_time())
    return [application, *recipe.translation_packages(page, application)]


def stand_in(kind, name, folder):
    """An empty package for what the server depends on."""
    package = recipe.Package(name=name, version="1-r1", arch="all", section="base", title=name, description=name,
                             licence="MIT", maintainer="nobody", source=name, depends=[], epoch=0)
    path = Path(folder, kind.file_name(package))
    path.write_bytes(kind.build(package))
    return path


def next_release(kind, target, folder):
    package = recipe.feed_package(FEED, target, OUT / target / "pptp-server", commit_time())
    package.version = package.version.replace("-r1", "-r2")
    path = Path(folder, kind.file_name(package))
    path.write_bytes(kind.build(package))
    return path


def life(report, kind, root, install, upgrade, remove, page):
    config, program = root / CONFIG[1:], root / "usr/sbin/pptp-server"
    if not report.check(f"{kind} installs", run(install)):
        return
    report.equal(f"{kind}: mode of the program", oct(program.stat().st_mode & 0o777), "0o755")
    report.equal(f"{kind}: mode of the configuration", oct(config.stat().st_mode & 0o777), "0o600")
    config.write_text("changed by hand\n")
    report.check(f"{kind} upgrades", run(upgrade))
    report.equal(f"{kind} keeps a changed configuration", config.read_text(), "changed by hand\n")
    views = root / "www/luci-static/resources/view/pptp-server"
    report.check(f"{kind} installs the page", run(page[0]) and any(views.iterdir()))
    report.check(f"{kind} removes the page", run(page[1]) and not list(views.glob("*")))
    report.check(f"{kind} removes", run(remove) and not program.exists())
    # What the owner changed stays, and beside it what the upgrade brought for it.
    kept = (config, config.with_name(config.name + "-opkg"), config.with_name(config.name + ".apk-new"))
    left = [path for path in root.glob("*/**/*pptp-server*") if path.is_file() and path not in kept]
    report.equal(f"{kind} leaves nothing behind", left, [])


def run(command):
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        print("  " + " ".join(map(str, command)), result.stdout, result.stderr, sep="\n  ")
    return result.returncode == 0


def without(fields, *names):
    return {name: item for name, item in fields.items() if name not in names}


def cargo_version():
    return re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]


def commit_time():
    return int(subprocess.check_output(["git", "-C", ROOT, "log", "-1", "--format=%ct"]))
