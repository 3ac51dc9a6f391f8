#!/bin/sh
# Builds the loop programs, little endian. Needs gcc-mipsel-linux-gnu.
set -eu
cd "$(dirname "$0")"
for source in *.S; do
  mipsel-linux-gnu-gcc -EL -mips32r2 -mfp32 -mno-abicalls -fno-pic -no-pie -G0 -nostdlib -static -Wl,--build-id=none \
    -Wl,-T,../../../tests/bare-metal/program.ld -Wl,-N -s -o "${source%.S}.elf" "$source"
done
