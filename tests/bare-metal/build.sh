#!/bin/sh
# Builds the bare-metal programs for both byte orders. Needs gcc-mipsel-linux-gnu and gcc-mips-linux-gnu.
set -eu
cd "$(dirname "$0")"
build() { # source script
  for target in EL:mipsel EB:mips; do
    "${target#*:}-linux-gnu-gcc" "-${target%%:*}" -mips32r2 -mno-abicalls -fno-pic -no-pie -G0 -nostdlib -static -Os -ffreestanding \
      -Wl,--build-id=none -Wl,-T,"$2" -Wl,-N -s -o "${1%.*}-${target#*:}.elf" "$1"
  done
}
build dma.S program.ld
build disk.c malta.ld
build nic.c malta.ld
