# What the scripts of this folder share: where things are, and one line of the table `targets`.
# Sourced, not run.
set -eu
ROOT=$(cd "$(dirname "$0")/.." && pwd)
WORK=$ROOT/target/cross             # tools' working files: musl, C runtimes, cargo's output
OUT=$ROOT/target/openwrt            # what the scripts leave for people

names() { sed -n 's/^\([a-z][^ |]*\) *|.*/\1/p' "$ROOT/cross/targets"; }

# Replaces `all` by every name; without a name, says which there are.
chosen() {
	[ $# -gt 0 ] || { echo "usage: ${0##*/} TARGET... | all, TARGET is one of:" $(names) >&2; exit 2; }
	[ "$*" != all ] || set -- $(names)
	echo "$@"
}

# Sets NAME, TRIPLE, CFLAGS_TARGET, QEMU, ADDRESS, LOADER and SYSROOT from the line of target $1.
facts() {
	line=$(grep "^$1 *|" "$ROOT/cross/targets") || { echo "unknown target: $1" >&2; exit 2; }
	NAME=$1 SYSROOT=$WORK/sysroot/$1
	field() { echo "$line" | cut -d'|' -f"$1" | sed 's/^ *//; s/ *$//'; }
	TRIPLE=$(field 2) CFLAGS_TARGET=$(field 3) QEMU=$(field 4) ADDRESS=$(field 5)
	LOADER=/lib/ld-musl-$(field 6).so.1
}
