#!/bin/sh
# Builds the bare-metal programs for both byte orders. Needs gcc-mipsel-linux-gnu and gcc-mips-linux-gnu.
set -eu
cd "$(dirname "$0")"
for target in EL:mipsel EB:mips; do
  for source in *.S; do
    "${target#*:}-linux-gnu-gcc" "-${target%%:*}" -mips32r2 -mno-abicalls -fno-pic -no-pie -G0 -nostdlib -static \
      -Wl,--build-id=none -Wl,-T,program.ld -Wl,-N -s -o "${source%.S}-${target#*:}.elf" "$source"
  done
done
