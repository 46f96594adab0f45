#!/bin/sh
# Run by the feed's tests on the target after installation: $1 is the package, $2 its version.
[ "$1" = pptp-server ] || exit 0
pptp-server --version | grep -F "$2" && pptp-server --check -c /etc/config/pptp-server
