/**
 * A reader of ELF executables: header and loadable segments, nothing else.
 *
 * System V ABI, chapter 4 "Object Files" (ELF header, figure 4-3) and chapter 5 "Program Loading" (program header,
 * figure 5-1). The npm packages for ELF are unmaintained or betas, and none checks that segments lie within the file;
 * what is needed here is two headers.
 */
import { ImageError } from '../errors.ts'

/** A loadable segment: `bytes` is `p_filesz` bytes of the file, followed by zeros up to `p_memsz`. */
export interface Segment {
  /** Virtual address. */
  address: number
  bytes: Uint8Array
}

export interface Elf {
  bits: 32 | 64
  endian: 'little' | 'big'
  /** `e_machine`. */
  machine: number
  /** Name of `machine` for people, with its width: `x86-64`, `MIPS (32-bit, little endian)`. */
  architecture: string
  entry: number
  segments: Segment[]
}

const EI_CLASS = 4
const EI_DATA = 5
const ET_EXEC = 2
const PT_LOAD = 1
const E_PHENTSIZE_32 = 32
const EHDR_BYTES_32 = 52

/** The most memory that one segment may ask for, so that a broken header cannot exhaust the host. */
const MAX_SEGMENT_BYTES = 1 << 30

export const EM_MIPS = 8

/** `e_machine` values a person is likely to hand over, by the name they know them by. */
const MACHINES: Readonly<Record<number, string>> = {
  2: 'SPARC',
  3: 'x86 (32-bit)',
  4: 'm68k',
  20: 'PowerPC (32-bit)',
  21: 'PowerPC (64-bit)',
  22: 's390',
  40: 'ARM (32-bit)',
  42: 'SuperH',
  62: 'x86-64',
  183: 'AArch64',
  243: 'RISC-V',
  258: 'LoongArch',
}

export function isElf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46
}

function architectureName(machine: number, bits: 32 | 64, endian: 'little' | 'big'): string {
  if (machine === EM_MIPS) return `MIPS (${bits}-bit, ${endian} endian)`
  return MACHINES[machine] ?? `machine number ${machine}`
}

/**
 * Reads the ELF file `bytes`; `name` stands in errors. Segments of 64-bit files are not read: no board boots them yet.
 * @throws ImageError if the file is no ELF executable, is cut short, or its headers contradict each other.
 */
export function readElf(name: string, bytes: Uint8Array): Elf {
  if (!isElf(bytes)) throw new ImageError(`${name}: not an ELF file`)
  if (bytes.length < EHDR_BYTES_32) throw new ImageError(`${name}: cut short in the ELF header; fetch or copy it again`)
  const elfClass = bytes[EI_CLASS]
  const data = bytes[EI_DATA]
  if ((elfClass !== 1 && elfClass !== 2) || (data !== 1 && data !== 2)) {
    throw new ImageError(`${name}: damaged ELF header (class ${elfClass}, data ${data}); fetch or copy it again`)
  }
  const bits = elfClass === 1 ? 32 : 64
  const endian = data === 1 ? 'little' : 'big'
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const machine = view.getUint16(18, data === 1)
  const architecture = architectureName(machine, bits, endian)
  if (bits === 64) return { bits, endian, machine, architecture, entry: 0, segments: [] }
  const type = view.getUint16(16, data === 1)
  if (type !== ET_EXEC) {
    throw new ImageError(`${name}: an ELF file, but not an executable (type ${type}); hand over a linked kernel`)
  }
  const entry = view.getUint32(24, data === 1)
  return { bits, endian, machine, architecture, entry, segments: readSegments(name, bytes, view, data === 1) }
}

function readSegments(name: string, bytes: Uint8Array, view: DataView, little: boolean): Segment[] {
  const tableOffset = view.getUint32(28, little)
  const entryBytes = view.getUint16(42, little)
  const count = view.getUint16(44, little)
  if (count === 0 || entryBytes < E_PHENTSIZE_32) {
    throw new ImageError(`${name}: an ELF file without program headers; hand over a linked kernel, not an object file`)
  }
  if (tableOffset + count * entryBytes > bytes.length) {
    throw new ImageError(`${name}: cut short: its program headers lie beyond its end; fetch or copy it again`)
  }
  const segments: Segment[] = []
  for (let index = 0; index < count; index++) {
    const header = tableOffset + index * entryBytes
    if (view.getUint32(header, little) !== PT_LOAD) continue
    const offset = view.getUint32(header + 4, little)
    const address = view.getUint32(header + 8, little)
    const fileBytes = view.getUint32(header + 16, little)
    const memoryBytes = view.getUint32(header + 20, little)
    if (memoryBytes === 0) continue
    if (offset + fileBytes > bytes.length) {
      const missing = offset + fileBytes - bytes.length
      throw new ImageError(
        `${name}: cut short: ${missing} bytes of segment ${index} are missing; fetch or copy it again`,
      )
    }
    if (fileBytes > memoryBytes || memoryBytes > MAX_SEGMENT_BYTES || address + memoryBytes > 2 ** 32) {
      throw new ImageError(`${name}: damaged: segment ${index} has impossible sizes; fetch or copy it again`)
    }
    const content = new Uint8Array(memoryBytes)
    content.set(bytes.subarray(offset, offset + fileBytes))
    segments.push({ address, bytes: content })
  }
  if (segments.length === 0)
    throw new ImageError(`${name}: an ELF file with nothing to load; hand over a linked kernel`)
  return segments
}
