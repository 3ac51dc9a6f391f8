/**
 * MIPS Malta with a CoreLV card: 24Kf, GT-64120, PIIX4, super-I/O, board registers and flash.
 *
 * "MIPS Malta User's Manual", MD00048, revision 1.07; addresses and interrupts as Linux and QEMU's Malta have them.
 * Physical addresses, once the boot ROM has run:
 *
 *   0x00000000  RAM, the lowest 256 MiB          0x1e000000  flash, 4 MiB
 *   0x10000000  PCI memory 0 (128 MiB)           0x1f000000  board registers; CBUS UART at 0x1f000900
 *   0x18000000  PCI I/O (2 MiB, from port 0)     0x1fc00000  boot ROM
 *   0x18200000  PCI memory 1 (to 0x1bdfffff)     0x20000000  RAM from its 512th MiB on, where there is more
 *   0x1be00000  GT-64120 registers               0x80000000  all RAM
 *
 * Left out: USB (PIIX4 function 2), floppy and parallel port of the super-I/O, serial presence detect, and the wire of
 * the GT-64120's own interrupt, which kernels leave masked.
 */
import * as v from 'valibot'
import {
  type Board,
  type BoardDevice,
  type BoardMemory,
  device,
  type Load,
  MEMORY_SPACE,
  type Placement,
  type Wire,
} from '../../bus/mod.ts'
import { FLASH_BYTES, flashCfi } from '../flash-cfi/flash-cfi.ts'
import { gt64120 } from '../gt64120/gt64120.ts'
import { i8042 } from '../i8042/i8042.ts'
import { i8254 } from '../i8254/i8254.ts'
import { I8259_ACKNOWLEDGE_REGION, i8259 } from '../i8259/i8259.ts'
import { maltaRegisters } from '../malta-registers/malta-registers.ts'
import { mc146818 } from '../mc146818/mc146818.ts'
import { PCI_IO_SPACE } from '../pci/mod.ts'
import { pcnet } from '../pcnet/pcnet.ts'
import { IDE_SECTOR_BYTES, type IdeDrive, ideStorage, piix4Ide, piix4Isa, piix4Pm } from '../piix4/mod.ts'
import { rtl8139 } from '../rtl8139/rtl8139.ts'
import { uart16550 } from '../uart16550/uart16550.ts'
import { type BoardDefinition, type BuiltBoard, type GuestImages, parseBoardOptions } from './definition.ts'
import { BOOT_ROM_BYTES, maltaBoot } from './malta-boot.ts'

const MIB = 2 ** 20

/** Of a drive on one of the IDE channels: 0 is the primary, and device 0 the master. */
const place = { channel: v.picklist([0, 1]), device: v.picklist([0, 1]) }
const sectorsOf = (what: string, sectorBytes: number) =>
  v.pipe(
    v.number(),
    v.safeInteger(),
    v.minValue(sectorBytes, `a ${what} is not empty`),
    v.multipleOf(sectorBytes, `a ${what} has whole sectors of ${sectorBytes} bytes`),
  )

const driveOptions = v.variant('media', [
  v.strictObject({
    media: v.literal('disk'),
    ...place,
    bytes: sectorsOf('disk', IDE_SECTOR_BYTES.disk),
    isReadOnly: v.optional(v.boolean(), false),
  }),
  v.strictObject({ media: v.literal('cdrom'), ...place, bytes: sectorsOf('disc', IDE_SECTOR_BYTES.cdrom) }),
])

/** The card on board, or one in the first of the PCI slots instead. */
const netOptions = v.strictObject({
  model: v.picklist(['pcnet', 'rtl8139']),
  /** Six bytes. */
  address: v.pipe(
    v.array(v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(255))),
    v.length(6, 'an Ethernet address has six bytes'),
    v.check((bytes) => ((bytes[0] ?? 1) & 1) === 0, 'a card has no address of a group'),
  ),
})

const maltaOptions = v.strictObject({
  net: v.optional(v.nullable(netOptions), null),
  drives: v.optional(
    v.pipe(
      v.array(driveOptions),
      v.check(
        (drives) => new Set(drives.map(({ channel, device }) => 2 * channel + device)).size === drives.length,
        'two drives are at the same place of a channel',
      ),
    ),
    [],
  ),
  /** At 2 GiB the RAM's high alias fills the address space to its end. */
  memoryBytes: v.optional(
    v.pipe(
      v.number(),
      v.safeInteger(),
      v.minValue(16 * MIB, 'a Malta has at least 16 MiB of memory'),
      v.maxValue(2048 * MIB, 'a Malta has at most 2048 MiB of memory'),
      v.multipleOf(MIB, 'memory is a whole number of MiB'),
    ),
    512 * MIB,
  ),
  endian: v.optional(v.picklist(['little', 'big']), 'little'),
  /** The kernel's command line. */
  append: v.optional(v.string(), ''),
  /** The time of day at power-on, in seconds since 1970 UTC. */
  startSeconds: v.optional(
    v.pipe(
      v.number(),
      v.safeInteger(),
      v.minValue(0, 'a Malta starts in 1970 or later'),
      v.maxValue(Date.UTC(9999, 11, 31, 23, 59, 59) / 1000, 'a Malta starts in the year 9999 at the latest'),
    ),
    Date.UTC(2024, 0, 1) / 1000,
  ),
})

type MaltaOptions = v.InferOutput<typeof maltaOptions>

/** 8 ns: 125 million instructions a second. */
const NS_PER_INSTRUCTION = 8
/** What keys and frames that have come wait for. */
const GRID_NS = 4_000_000
/** 4 million instructions: a hash costs what 20,000 to 100,000 instructions do, and a replay that goes astray is caught within. */
const HASH_NS = 32_000_000

const FLASH_BASE = 0x1e000000
const LOW_RAM_BYTES = 256 * MIB
const POST_IO_RAM_BASE = 512 * MIB

/** Device 10 on PCI_0, function 0 to 3. */
const PIIX4_DEVFN = 10 << 3
/** Where a card is, and to what its INTA leads: on board it is device 11, and the first slot is device 18. */
const NIC = {
  pcnet: { model: pcnet, devfn: 11 << 3, interrupt: 'isa.pirqb' },
  rtl8139: { model: rtl8139, devfn: 18 << 3, interrupt: 'isa.pirqa' },
} as const
/** Each function's configuration space is its region 0. */
const config = (node: string) => ({ node, region: 0 })

const SUPER_IO_UART = { registerStrideBytes: 1, clockHertz: 1_843_200, out2GatesInterrupt: true } as const
const CBUS_UART = { registerStrideBytes: 8, clockHertz: 3_686_400, out2GatesInterrupt: false } as const

/** Drives are told apart by what guests may show of them. */
function ideDrive({ bytes, ...drive }: MaltaOptions['drives'][number]): IdeDrive {
  const serial = `ANANKE-${ideStorage(drive).toUpperCase()}`
  const sectors = bytes / IDE_SECTOR_BYTES[drive.media]
  return { ...drive, sectors, serial, model: drive.media === 'disk' ? 'Ananke disk' : 'Ananke CD-ROM' }
}

function devices({ drives, endian, net, startSeconds }: MaltaOptions): BoardDevice[] {
  return [
    device('pit', i8254, {}),
    device('rtc', mc146818, { startSeconds }),
    device('uart0', uart16550, SUPER_IO_UART),
    device('uart1', uart16550, SUPER_IO_UART),
    device('uart2', uart16550, CBUS_UART),
    device('keyboard', i8042, {}),
    device('pic0', i8259, { elcrMask: 0xf8, cascade: { input: 2, slave: 'pic1' } }),
    device('pic1', i8259, { elcrMask: 0xde }),
    device('isa', piix4Isa, {}),
    device('ide', piix4Ide, { drives: drives.map(ideDrive) }),
    device('pm', piix4Pm, {}),
    device('gt', gt64120, {
      endian,
      slots: {
        [PIIX4_DEVFN]: config('isa'),
        [PIIX4_DEVFN + 1]: config('ide'),
        [PIIX4_DEVFN + 3]: config('pm'),
        ...(net !== null && { [NIC[net.model].devfn]: config('nic0') }),
      },
      interruptAcknowledge: { node: 'pic0', region: I8259_ACKNOWLEDGE_REGION },
    }),
    ...(net === null ? [] : [device('nic0', NIC[net.model].model, { address: net.address })]),
    device('fpga', maltaRegisters, { endian }),
    device('flash', flashCfi, { base: FLASH_BASE, endian }),
  ]
}

/** Wire n of the CPU is Cause.IP(n): hardware interrupt 0 is IP2. */
const wires: readonly Wire[] = [
  { from: 'pic0.intr', to: 'cpu.2' },
  { from: 'uart2.irq', to: 'cpu.4' },
  { from: 'pic1.intr', to: 'pic0.ir2' },
  { from: 'pit.out0', to: 'pic0.ir0' },
  { from: 'keyboard.irq1', to: 'pic0.ir1' },
  { from: 'uart1.irq', to: 'pic0.ir3' },
  { from: 'uart0.irq', to: 'pic0.ir4' },
  { from: 'rtc.irq', to: 'pic1.ir0' },
  { from: 'pm.sci', to: 'pic1.ir1' },
  { from: 'keyboard.irq12', to: 'pic1.ir4' },
  { from: 'ide.irq14', to: 'pic1.ir6' },
  { from: 'ide.irq15', to: 'pic1.ir7' },
  // PCI interrupts can be steered to those that no ISA device uses.
  { from: 'isa.irq5', to: 'pic0.ir5' },
  { from: 'isa.irq6', to: 'pic0.ir6' },
  { from: 'isa.irq7', to: 'pic0.ir7' },
  { from: 'isa.irq10', to: 'pic1.ir2' },
  { from: 'isa.irq11', to: 'pic1.ir3' },
]

/** PCI functions, the GT's registers and windows, and the flash place themselves at reset. */
function placements(memoryBytes: number): Placement[] {
  const lowBytes = Math.min(memoryBytes, LOW_RAM_BYTES)
  const ports = (region: string, base: number): Placement => at(PCI_IO_SPACE, region, base)
  const registers = (region: string, base: number): Placement => at(MEMORY_SPACE, region, base)
  return [
    { region: 'ram', space: MEMORY_SPACE, base: 0, length: lowBytes, mode: 'ram' },
    { region: 'ram', space: MEMORY_SPACE, base: 0x80000000, mode: 'ram' },
    ...(memoryBytes > POST_IO_RAM_BASE ? [postIoRam(memoryBytes)] : []),
    { region: 'boot-rom', space: MEMORY_SPACE, base: 0x1fc00000, mode: 'rom' },
    registers('fpga.registers', 0x1f000000),
    registers('uart2.registers', 0x1f000900),
    // What no other device claims goes to the ISA bus.
    ports('isa.isa', 0),
    ports('pic0.ports', 0x20),
    ports('pit.ports', 0x40),
    ports('keyboard.data', 0x60),
    ports('pit.portB', 0x61),
    ports('keyboard.command', 0x64),
    ports('rtc.ports', 0x70),
    ports('pic1.ports', 0xa0),
    ports('uart1.registers', 0x2f8),
    ports('uart0.registers', 0x3f8),
    ports('pic0.elcr', 0x4d0),
    ports('pic1.elcr', 0x4d1),
    ports('isa.reset-control', 0xcf9),
  ]
}

function at(space: string, region: string, base: number): Placement {
  return { region, space, base, mode: 'registers' }
}

function postIoRam(memoryBytes: number): Placement {
  const length = memoryBytes - POST_IO_RAM_BASE
  return { region: 'ram', space: MEMORY_SPACE, base: POST_IO_RAM_BASE, length, offset: POST_IO_RAM_BASE, mode: 'ram' }
}

function build(given: Readonly<Record<string, unknown>>): BuiltBoard {
  const options = parseBoardOptions('malta', maltaOptions, given)
  const memories: BoardMemory[] = [
    { name: 'ram', size: options.memoryBytes },
    { name: 'boot-rom', size: BOOT_ROM_BYTES },
  ]
  const board: Board = {
    name: 'malta',
    cpu: { model: '24Kf', endian: options.endian },
    nsPerInstruction: NS_PER_INSTRUCTION,
    gridNs: GRID_NS,
    hashNs: HASH_NS,
    memories,
    devices: devices(options),
    wires: options.net === null ? wires : [...wires, { from: 'nic0.inta', to: NIC[options.net.model].interrupt }],
    placements: placements(options.memoryBytes),
    // The GT-64120 ends every access below 512 MiB by itself.
    openBus: { from: 0, to: 0x20000000 },
    console: 'uart0',
    power: ['pm', 'isa', 'fpga'],
  }
  return { board, loads: (images) => loads(options, images) }
}

function loads(options: MaltaOptions, images: GuestImages): Load[] {
  const boot = maltaBoot(options, images)
  return [
    { memory: 'boot-rom', offset: 0, bytes: boot.rom },
    { memory: 'flash.array', offset: 0, bytes: new Uint8Array(FLASH_BYTES).fill(0xff) },
    ...boot.ram.map((piece) => ({ memory: 'ram', ...piece })),
    ...(images.drives ?? []).map((image, i) => ({ storage: `ide.${ideStorage(options.drives[i]!)}`, image })),
  ]
}

export const malta: BoardDefinition = {
  name: 'malta',
  description: 'MIPS Malta, CoreLV card with a 24Kf',
  options: maltaOptions,
  build,
}
