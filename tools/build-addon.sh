#!/bin/sh
# Builds the addon that keeps machine code from run to run (cpu-node/translator/machine-code.cc), with the host's C++ compiler
# and the headers that come with the Node of package.json. Without it everything works, and takes longer to get going.
set -eu
cd "$(dirname "$0")/.."
source=cpu-node/translator/machine-code.cc
target=build/machine-code.node

without() {
  echo "ananke: $1: machine code is not kept from run to run, which costs each some 0.5 s." >&2
  echo "ananke: To have it, $2, and run: npm run build" >&2
  rm -f "$target"
  exit 0
}

headers=
for candidate in node_modules/node/node_modules/node-*/include/node node_modules/node-*/include/node; do
  [ ! -f "$candidate/node.h" ] || headers=$candidate
done
[ -n "$headers" ] || without 'the headers of its Node are not installed' 'run npm rebuild node --ignore-scripts=false'
compiler=${CXX:-c++}
command -v "$compiler" >/dev/null || without 'there is no C++ compiler' 'install one (Debian: apt-get install g++)'

mkdir -p build
made=$(mktemp build/XXXXXX)
trap 'rm -f "$made"' EXIT
"$compiler" -shared -fPIC -O2 -std=c++20 -fno-rtti -fno-exceptions -I"$headers" "$source" -o "$made" ||
  without "$source does not compile" 'see the messages above'
# What runs has the old one open.
mv "$made" "$target"
chmod 644 "$target"
