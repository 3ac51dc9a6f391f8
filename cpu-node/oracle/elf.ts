/**
 * Writes a bare-metal 32-bit MIPS ELF executable: what `qemu-system-mips* -kernel` loads. System V ABI, chapter 4 and 5.
 */

export interface ElfSegment {
  /** Virtual address, in kseg0. */
  address: number
  bytes: Uint8Array
}

const HEADER_BYTES = 52
const PROGRAM_HEADER_BYTES = 32
const EM_MIPS = 8
const PT_LOAD = 1
const FLAGS_O32_MIPS32R2 = 0x70001001

export function writeElf(endian: 'little' | 'big', entry: number, segments: readonly ElfSegment[]): Uint8Array {
  const little = endian === 'little'
  const headers = HEADER_BYTES + PROGRAM_HEADER_BYTES * segments.length
  const total = segments.reduce((sum, { bytes }) => sum + bytes.length, headers)
  const image = new Uint8Array(total)
  const view = new DataView(image.buffer)
  image.set([0x7f, 0x45, 0x4c, 0x46, 1, little ? 1 : 2, 1])
  const halves: Array<[number, number]> = [
    [16, 2],
    [18, EM_MIPS],
    [40, HEADER_BYTES],
    [42, PROGRAM_HEADER_BYTES],
    [44, segments.length],
  ]
  for (const [offset, value] of halves) view.setUint16(offset, value, little)
  const words: Array<[number, number]> = [
    [20, 1],
    [24, entry],
    [28, HEADER_BYTES],
    [36, FLAGS_O32_MIPS32R2],
  ]
  for (const [offset, value] of words) view.setUint32(offset, value, little)
  let fileOffset = headers
  for (const [index, { address, bytes }] of segments.entries()) {
    const physical = address & 0x1fffffff
    const fields = [PT_LOAD, fileOffset, address, physical, bytes.length, bytes.length, 7, 4]
    const start = HEADER_BYTES + PROGRAM_HEADER_BYTES * index
    for (const [field, value] of fields.entries()) view.setUint32(start + 4 * field, value, little)
    image.set(bytes, fileOffset)
    fileOffset += bytes.length
  }
  return image
}
