/**
 * What runs on a Malta before a kernel: a boot ROM that leaves the machine as the YAMON monitor does, and the monitor's
 * argument and environment blocks.
 *
 * "YAMON User's Manual", MD00008, and the values that QEMU's Malta hands to a kernel, so that both boot alike. The
 * monitor itself and its service vector are not here.
 */
import { BoardOptionsError, type GuestImages } from './definition.ts'
import { BootCode, type Endian, kseg0, kseg1, placeProgram, register } from './mips-boot-rom.ts'

export const BOOT_ROM_BYTES = 0x1000

/** The MIPS revision word (0x1fc00010): a Malta board with a CoreLV card. */
const REVISION_OFFSET = 0x10
const REVISION_MALTA_CORE_LV = 0x420
const CODE_OFFSET = 0x580

/** Physical address of the argument and environment tables, and their room. */
const TABLES_BASE = 0x2000
const TABLE_ENTRIES = 16
const STRINGS_BYTES = 0x2000 - 4 * TABLE_ENTRIES
/** The monitor's own stack below the tables. */
const STACK_TOP = TABLES_BASE - 64
/** Entries of the argument table; the environment follows it. */
const ARGUMENTS = 2

/** An initial RAM disk ends so far below the end of low memory, for the kernel's boot-time allocations. */
const INITRD_RESERVE_BYTES = 128 * 1024
const INITRD_ALIGNMENT_BYTES = 64 * 1024

const LOW_RAM_BYTES = 256 * 2 ** 20

/** Where YAMON moves the system controller's registers, and offsets of those that it sets. */
const GT_RESET_BASE = 0x14000000
const GT_BASE = 0x1be00000
const gt = {
  PCI0_IO_LOW: 0x048,
  PCI0_IO_HIGH: 0x050,
  PCI0_MEM0_LOW: 0x058,
  PCI0_MEM0_HIGH: 0x060,
  INTERNAL_SPACE_DECODE: 0x068,
  PCI0_MEM1_LOW: 0x080,
  PCI0_MEM1_HIGH: 0x088,
  PCI0_IO_REMAP: 0x0f0,
  PCI0_CONFIGURATION_ADDRESS: 0xcf8,
  PCI0_CONFIGURATION_DATA: 0xcfc,
} as const
/** Address decoders hold bits 35:21, their high boundaries bits 27:21. */
const decodeUnits = (address: number) => Math.floor(address / 2 ** 21)
const highUnits = (last: number) => decodeUnits(last) & 0x7f

const PCI0_IO_BASE = 0x18000000
/** Edge or level, of interrupts 8 to 15. */
const SLAVE_ELCR_PORT = 0x4d1

const ISA_BRIDGE_DEVFN = 10 << 3
const POWER_MANAGEMENT_DEVFN = ISA_BRIDGE_DEVFN + 3

export interface MaltaBootOptions {
  endian: Endian
  memoryBytes: number
  append: string
}

/** Memory contents at power-on. `ram` offsets are physical addresses below 256 MiB. */
export interface MaltaBoot {
  rom: Uint8Array
  ram: { offset: number; bytes: Uint8Array }[]
}

/** Puts boot ROM, tables, kernel and RAM disk in their places. */
export function maltaBoot(options: MaltaBootOptions, images: GuestImages): MaltaBoot {
  const lowBytes = Math.min(options.memoryBytes, LOW_RAM_BYTES)
  if (images.kernel === undefined) {
    if (images.initrd !== undefined) throw new BoardOptionsError('an initial RAM disk needs a kernel: give both')
    return { rom: bootRom(options.endian, lowBytes, undefined), ram: [] }
  }
  const program = placeProgram(images.kernel, lowBytes)
  const initrd = images.initrd && placeInitrd(images.initrd, lowBytes, program.end)
  const tables = { offset: TABLES_BASE, bytes: firmwareTables(options, initrd) }
  // A bare-metal program that covers the tables keeps its own bytes.
  const ram = [tables, ...program.loads, ...(initrd ? [initrd] : [])]
  return { rom: bootRom(options.endian, lowBytes, images.kernel.entry), ram }
}

function placeInitrd(bytes: Uint8Array, lowBytes: number, kernelEnd: number): { offset: number; bytes: Uint8Array } {
  const below = lowBytes - bytes.length - INITRD_RESERVE_BYTES
  const offset = Math.ceil(below / INITRD_ALIGNMENT_BYTES) * INITRD_ALIGNMENT_BYTES
  if (offset < kernelEnd) {
    throw new BoardOptionsError(
      `kernel (up to 0x${kernelEnd.toString(16)}) and initial RAM disk (${bytes.length} bytes) do not both fit into ` +
        `the lowest ${lowBytes} bytes of memory: give the machine more memory (--memory), up to 256 MiB counts`,
    )
  }
  return { offset, bytes }
}

/** The table of pointers to arguments, then to names and values of the environment, then 0; the strings follow. */
function firmwareTables(
  { endian, memoryBytes, append }: MaltaBootOptions,
  initrd: { offset: number; bytes: Uint8Array } | undefined,
): Uint8Array {
  // As the firmware of a 64-bit capable board writes it: sign-extended.
  const start = initrd && `0xffffffff${kseg0(initrd.offset).toString(16).padStart(8, '0')}`
  const commandLine = initrd ? `rd_start=${start} rd_size=${initrd.bytes.length} ${append}` : append
  const environment = {
    memsize: String(Math.min(memoryBytes, LOW_RAM_BYTES)),
    ememsize: String(memoryBytes),
    modetty0: '38400n8r',
  }
  const strings = ['linux', commandLine, ...Object.entries(environment).flat()]
  const bytes = new Uint8Array(4 * TABLE_ENTRIES + STRINGS_BYTES)
  const view = new DataView(bytes.buffer)
  let at = 4 * TABLE_ENTRIES
  strings.forEach((string, index) => {
    const encoded = new TextEncoder().encode(`${string}\0`)
    if (at + encoded.length > bytes.length) {
      throw new BoardOptionsError(`the kernel's command line is too long: ${append.length} characters (--append)`)
    }
    bytes.set(encoded, at)
    view.setUint32(4 * index, kseg0(TABLES_BASE + at), endian === 'little')
    at += encoded.length
  })
  return bytes.slice(0, Math.ceil(at / 4) * 4)
}

/** Sets up PCI, loads the argument registers and jumps to `entry`, or stays where there is none. */
function bootRom(endian: Endian, lowBytes: number, entry: number | undefined): Uint8Array {
  const code = new BootCode(BOOT_ROM_BYTES, endian)
  code.jumpTo(CODE_OFFSET)
  code.seek(REVISION_OFFSET)
  code.word(REVISION_MALTA_CORE_LV)
  code.seek(CODE_OFFSET)
  setUpSystemController(code, endian)
  setUpSouthBridge(code, endian)
  if (entry === undefined) {
    code.halt()
    return code.bytes
  }
  code.li(register.a0, ARGUMENTS)
  code.li(register.a1, kseg0(TABLES_BASE))
  code.li(register.a2, kseg0(TABLES_BASE + 4 * ARGUMENTS))
  code.li(register.a3, lowBytes)
  code.li(register.sp, kseg0(STACK_TOP))
  code.start(entry)
  return code.bytes
}

/**
 * Registers to 0x1be00000, then PCI_0 I/O at 0x18000000 (2 MiB, from port 0), memory 0 at 0x10000000 (128 MiB) and
 * memory 1 from 0x18200000 to 0x1be00000.
 */
function setUpSystemController(code: BootCode, endian: Endian): void {
  code.store(kseg1(GT_RESET_BASE + gt.INTERNAL_SPACE_DECODE), gtValue(endian, decodeUnits(GT_BASE)))
  const settings: [number, number][] = [
    [gt.PCI0_IO_LOW, decodeUnits(PCI0_IO_BASE)],
    [gt.PCI0_IO_HIGH, highUnits(PCI0_IO_BASE + 0x1fffff)],
    [gt.PCI0_IO_REMAP, 0],
    [gt.PCI0_MEM0_LOW, decodeUnits(0x10000000)],
    [gt.PCI0_MEM0_HIGH, highUnits(0x17ffffff)],
    [gt.PCI0_MEM1_LOW, decodeUnits(0x18200000)],
    [gt.PCI0_MEM1_HIGH, highUnits(GT_BASE - 1)],
  ]
  for (const [offset, value] of settings) code.store(kseg1(GT_BASE + offset), gtValue(endian, value))
}

/**
 * PIRQA and PIRQB to interrupt 10, PIRQC and PIRQD to 11, both by level, as PCI's are: an edge would be lost where a device has a second
 * cause while the first is being served. (QEMU's Malta leaves them to edges, and Linux takes them as it finds them.) The SMBus at port
 * 0x1100, enabled, on interrupt 9.
 */
function setUpSouthBridge(code: BootCode, endian: Endian): void {
  const configure = (devfn: number, offset: number, value: number) => {
    const address = (0x80000000 | (devfn << 8) | offset) >>> 0
    code.store(kseg1(GT_BASE + gt.PCI0_CONFIGURATION_ADDRESS), gtValue(endian, address))
    // Data for other devices pass the byte swapper of a big-endian GT once more, and so are written as they are.
    code.store(kseg1(GT_BASE + gt.PCI0_CONFIGURATION_DATA), value)
  }
  configure(ISA_BRIDGE_DEVFN, 0x60, 0x0b0b0a0a)
  code.storeByte(kseg1(PCI0_IO_BASE + SLAVE_ELCR_PORT), (1 << (10 - 8)) | (1 << (11 - 8)))
  configure(POWER_MANAGEMENT_DEVFN, 0x90, 0x00001101)
  configure(POWER_MANAGEMENT_DEVFN, 0xd0, 0x00090000)
}

/** The GT's registers are little-endian whatever the CPU is. */
function gtValue(endian: Endian, value: number): number {
  if (endian === 'little') return value
  return ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0
}
