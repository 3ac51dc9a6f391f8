/**
 * A small machine for bare-metal programs and for the DMA test device: 24Kf, RAM, one UART, a switch.
 *
 *   0x00000000  RAM
 *   0x1f000000  power switch (0x0ff: off, 0x042: reset)
 *   0x1f000900  UART, registers 8 bytes apart, CPU interrupt 4
 *   0x1f100000  DMA test device, CPU interrupt 2
 *   0x1fc00000  boot ROM: sets the stack pointer to the end of RAM and jumps to the program
 */
import * as v from 'valibot'
import { type Board, device, type LoadedBytes, MEMORY_SPACE, type Placement } from '../../bus/mod.ts'
import { dmaTest } from '../dma-test/dma-test.ts'
import { powerSwitch } from '../power-switch/power-switch.ts'
import { uart16550 } from '../uart16550/uart16550.ts'
import {
  type BoardDefinition,
  BoardOptionsError,
  type BuiltBoard,
  type GuestImages,
  parseBoardOptions,
} from './definition.ts'
import { BOOT_ROM_BASE, BootCode, kseg0, placeProgram, register } from './mips-boot-rom.ts'

const MIB = 2 ** 20
const BOOT_ROM_BYTES = 0x1000

const dmaTestOptions = v.strictObject({
  memoryBytes: v.optional(
    v.pipe(
      v.number(),
      v.safeInteger(),
      v.minValue(MIB, 'this board has at least 1 MiB of memory'),
      v.maxValue(256 * MIB, 'this board has at most 256 MiB of memory'),
      v.multipleOf(MIB, 'memory is a whole number of MiB'),
    ),
    16 * MIB,
  ),
  endian: v.optional(v.picklist(['little', 'big']), 'little'),
})

const registers = (region: string, base: number): Placement => ({
  region,
  space: MEMORY_SPACE,
  base,
  mode: 'registers',
})

function build(given: Readonly<Record<string, unknown>>): BuiltBoard {
  const options = parseBoardOptions('dma-test', dmaTestOptions, given)
  const { memoryBytes, endian } = options
  const board: Board = {
    name: 'dma-test',
    cpu: { model: '24Kf', endian },
    nsPerInstruction: 8,
    gridNs: 4_000_000,
    hashNs: 32_000_000,
    memories: [
      { name: 'ram', size: memoryBytes },
      { name: 'boot-rom', size: BOOT_ROM_BYTES },
    ],
    devices: [
      device('uart0', uart16550, { registerStrideBytes: 8, clockHertz: 3_686_400, out2GatesInterrupt: false }),
      device('dma0', dmaTest, {}),
      device('power', powerSwitch, {}),
    ],
    wires: [
      { from: 'dma0.irq', to: 'cpu.2' },
      { from: 'uart0.irq', to: 'cpu.4' },
    ],
    placements: [
      { region: 'ram', space: MEMORY_SPACE, base: 0, mode: 'ram' },
      { region: 'boot-rom', space: MEMORY_SPACE, base: BOOT_ROM_BASE, mode: 'rom' },
      registers('power.registers', 0x1f000000),
      registers('uart0.registers', 0x1f000900),
      registers('dma0.registers', 0x1f100000),
    ],
    openBus: { from: 0, to: 0 },
    console: 'uart0',
    power: ['power'],
  }
  return { board, loads: (images) => loads(options, images) }
}

function loads({ memoryBytes, endian }: v.InferOutput<typeof dmaTestOptions>, images: GuestImages): LoadedBytes[] {
  if (images.initrd !== undefined) throw new BoardOptionsError('board dma-test takes no initial RAM disk (--initrd)')
  const code = new BootCode(BOOT_ROM_BYTES, endian)
  const rom = { memory: 'boot-rom', offset: 0, bytes: code.bytes }
  if (images.kernel === undefined) {
    code.halt()
    return [rom]
  }
  code.li(register.sp, kseg0(memoryBytes - 64))
  code.start(images.kernel.entry)
  return [rom, ...placeProgram(images.kernel, memoryBytes).loads.map((piece) => ({ memory: 'ram', ...piece }))]
}

export const dmaTestBoard: BoardDefinition = {
  name: 'dma-test',
  description: 'a small machine for bare-metal MIPS programs, with a device that copies memory',
  options: dmaTestOptions,
  build,
}
