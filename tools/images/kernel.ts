/**
 * Kernels as people have them: ELF files, compressed or not, and self-unpacking ELF zImages (booted as they are).
 */
import { readFile } from 'node:fs/promises'
import { ImageError } from '../errors.ts'
import { compressionOf, decompress } from './compression.ts'
import { EM_MIPS, isElf, readElf, type Segment } from './elf.ts'

/** A kernel, ready to be put into a MIPS machine's memory. Addresses are virtual, in kseg0 or kseg1. */
export interface KernelImage {
  machine: 'mips'
  endian: 'little' | 'big'
  entry: number
  segments: Segment[]
}

/** What the machine can take. */
export interface KernelLimits {
  endian?: 'little' | 'big'
  /** RAM that appears at physical address 0. */
  lowMemoryBytes: number
}

/** Kernels that are not ELF: a string of bytes at a fixed place, and what people call them. */
const FOREIGN: readonly { offset: number; bytes: string; what: string }[] = [
  { offset: 0x202, bytes: 'HdrS', what: 'an x86 kernel (bzImage)' },
  { offset: 0x38, bytes: 'ARM\x64', what: 'an AArch64 kernel (Image)' },
  { offset: 0x38, bytes: 'RSC\x05', what: 'a RISC-V kernel (Image)' },
  { offset: 0x24, bytes: '\x18\x28\x6f\x01', what: 'a 32-bit ARM kernel (zImage)' },
  { offset: 0, bytes: '\x27\x05\x19\x56', what: 'a U-Boot image (uImage); hand over the vmlinux or vmlinuz inside it' },
]

const KSEG0 = 0x80000000
const KSEG2 = 0xc0000000

/**
 * Reads a file whole. `what` names its part in errors, such as `kernel`.
 * @throws ImageError if it does not exist, cannot be read, or is empty.
 */
export async function readImageFile(path: string, what: string): Promise<Uint8Array> {
  let bytes: Uint8Array
  try {
    bytes = await readFile(path)
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    const why = code === 'ENOENT' ? 'no such file' : code === 'EISDIR' ? 'is a directory' : `cannot be read (${code})`
    throw new ImageError(`${path}: ${why}; name the ${what}'s file with --${what}`, { cause })
  }
  if (bytes.length === 0) throw new ImageError(`${path}: the file is empty; fetch or build the ${what} again`)
  return bytes
}

/**
 * Reads a kernel; `name` stands in errors.
 * @throws ImageError if it is no kernel, is cut short or damaged, is for another architecture, or does not fit.
 */
export async function readKernel(name: string, bytes: Uint8Array, limits: KernelLimits): Promise<KernelImage> {
  const compression = compressionOf(bytes)
  const contents = compression === undefined ? bytes : await decompress(name, bytes, compression)
  if (!isElf(contents)) throw notElf(name, contents)
  const elf = readElf(name, contents)
  if (elf.machine !== EM_MIPS || elf.bits !== 32) {
    throw new ImageError(`${name}: a kernel for ${elf.architecture}; this machine needs one for 32-bit MIPS`)
  }
  if (limits.endian !== undefined && elf.endian !== limits.endian) {
    throw new ImageError(`${name}: a ${elf.endian}-endian kernel, but the machine is ${limits.endian} endian`)
  }
  for (const segment of elf.segments) checkPlace(name, segment, limits)
  if (elf.entry < KSEG0 || elf.entry >= KSEG2) {
    throw new ImageError(`${name}: starts at ${hex(elf.entry)}, outside the kernel segments kseg0 and kseg1`)
  }
  return { machine: 'mips', endian: elf.endian, entry: elf.entry, segments: elf.segments }
}

function checkPlace(name: string, segment: Segment, limits: KernelLimits): void {
  const end = segment.address + segment.bytes.length
  if (segment.address < KSEG0 || end > KSEG2) {
    throw new ImageError(`${name}: linked to ${hex(segment.address)}, outside the kernel segments kseg0 and kseg1`)
  }
  const physicalEnd = (segment.address & 0x1fffffff) + segment.bytes.length
  if (physicalEnd > limits.lowMemoryBytes) {
    throw new ImageError(
      `${name}: needs memory up to ${hex(physicalEnd)}, but it ends at ${hex(limits.lowMemoryBytes)}; raise --memory`,
    )
  }
}

function notElf(name: string, contents: Uint8Array): ImageError {
  const text = Buffer.from(contents.buffer, contents.byteOffset, Math.min(contents.length, 0x400)).toString('latin1')
  const foreign = FOREIGN.find((entry) => text.startsWith(entry.bytes, entry.offset))
  if (foreign === undefined) {
    return new ImageError(`${name}: not a kernel; hand over an ELF file (vmlinux or vmlinuz), compressed or not`)
  }
  return new ImageError(`${name}: ${foreign.what}; this machine needs an ELF kernel for 32-bit MIPS`)
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`
}
