#!/bin/sh
# Boots Debian for MIPS, records the run, plays it back in two ways, and shows that all three digests are one.
set -eu
ananke=$(dirname "$(readlink -f "$0")")/../bin/ananke
work=$(mktemp -d)

step() { printf '\n\033[1m$ ananke %s\033[0m\n' "$*" >&2; "$ananke" "$@"; }
digest() { sed -nE 's/.*digest ([0-9a-f]+).*/\1/p' "$1" | tail -1; }

step record debian-mipsel --input "$(dirname "$ananke")/../tools/scripts/tour.script" -o "$work/demo.ank" | tee "$work/record"
step replay "$work/demo.ank" --mode cpu --verify | tee "$work/cpu"
step replay "$work/demo.ank" --mode full --verify | tee "$work/full"

recorded=$(digest "$work/record")
echo
echo "recorded       $recorded"
echo "replayed, cpu  $(digest "$work/cpu")"
echo "replayed, full $(digest "$work/full")"
echo "The recording is $work/demo.ank: try 'ananke info', 'ananke log', 'ananke replay' on it."
[ -n "$recorded" ] && [ "$recorded" = "$(digest "$work/cpu")" ] && [ "$recorded" = "$(digest "$work/full")" ]
