#!/bin/sh
# Boots Debian for MIPS, records the run, plays it back in two ways, and shows that all three digests are one.
set -eu
tools=$(dirname "$(readlink -f "$0")")
work=$(mktemp -d)
recording=$work/debian.ank

# The console and progress are on standard error; results are kept for the comparison.
step() {
  result=$1
  shift
  printf '\n$ ananke %s\n' "$*" >&2
  "$tools/../bin/ananke" "$@" --json >"$work/$result"
  cat "$work/$result"
}
digest() { sed -nE 's/.*"digest":"([0-9a-f]+)".*/\1/p' "$work/$1"; }

step recorded record debian-mipsel --input "$tools/scripts/tour.script" -o "$recording"
step cpu replay "$recording" --mode cpu --verify
step full replay "$recording" --mode full --verify

echo
echo "recorded        $(digest recorded)"
echo "replayed, cpu   $(digest cpu)"
echo "replayed, full  $(digest full)"
[ -n "$(digest recorded)" ] && [ "$(digest recorded)" = "$(digest cpu)" ] && [ "$(digest recorded)" = "$(digest full)" ]
echo "All three are one. The recording is $recording: try 'bin/ananke info', 'log' and 'replay' on it."
