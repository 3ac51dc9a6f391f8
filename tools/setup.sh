#!/bin/sh
# Sets a Debian machine up for the tests: the packages that they compare with or build with (as root), and npm's.
set -eu
cd "$(dirname "$0")/.."

# QEMU is what instructions and the boot are compared with; the cross compilers build the bare-metal programs;
# the host's builds the addon that keeps machine code. tshark reads captures;
# passt is what a guest's network goes through; e2fsprogs makes and checks the disks.
packages='qemu-system-mips gcc-mipsel-linux-gnu gcc-mips-linux-gnu g++ tshark passt e2fsprogs'

missing=
for package in $packages; do
  dpkg-query --show --showformat='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
if [ -n "$missing" ]; then
  if [ "$(id -u)" = 0 ]; then
    apt-get update
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $missing
  else
    echo "Not installed:$missing. Tests that need them are skipped; install them as root to run all." >&2
  fi
fi

npm ci
