/**
 * Small images for tests: ELF files and cpio archives made on the spot.
 */

export interface ElfOptions {
  bits?: 32 | 64
  endian?: 'little' | 'big'
  machine?: number
  type?: number
  address?: number
  entry?: number
  /** Zeros after the segment's bytes. */
  bssBytes?: number
  content?: Uint8Array
}

/** An ELF executable of one segment. */
export function elfFile(options: ElfOptions = {}): Uint8Array {
  const { bits = 32, endian = 'little', machine = 8, type = 2, address = 0x80100000, bssBytes = 8 } = options
  const content = options.content ?? Uint8Array.from({ length: 64 }, (_, index) => index)
  const little = endian === 'little'
  const file = new Uint8Array(0x100 + content.length)
  const view = new DataView(file.buffer)
  file.set([0x7f, 0x45, 0x4c, 0x46, bits === 32 ? 1 : 2, little ? 1 : 2, 1])
  view.setUint16(16, type, little)
  view.setUint16(18, machine, little)
  view.setUint32(24, options.entry ?? address, little)
  view.setUint32(28, 52, little)
  view.setUint16(42, 32, little)
  view.setUint16(44, 1, little)
  const header = 52
  view.setUint32(header, 1, little)
  view.setUint32(header + 4, 0x100, little)
  view.setUint32(header + 8, address, little)
  view.setUint32(header + 16, content.length, little)
  view.setUint32(header + 20, content.length + bssBytes, little)
  file.set(content, 0x100)
  return file
}

/** A cpio archive (newc) of the given files. */
export function cpioArchive(files: Readonly<Record<string, string>>): Uint8Array {
  const parts: Buffer[] = []
  for (const [name, text] of [...Object.entries(files), ['TRAILER!!!', ''] as const]) {
    const fields = Array.from({ length: 13 }, () => 0)
    fields[6] = text.length
    fields[11] = name.length + 1
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`
    parts.push(padded(header), padded(text))
  }
  return Buffer.concat(parts)
}

function padded(text: string): Buffer {
  return Buffer.from(text + '\0'.repeat(-text.length & 3), 'latin1')
}

/** A bare-metal program for the board of device-nodes/boards/dma-test.ts, assembled by hand. */
export function bareMetal(program: 'hello' | 'chatter', endian: 'little' | 'big' = 'little'): Uint8Array {
  const load = (register: number, value: number) => [
    ((0x3c00 | register) << 16) | (value >>> 16), // lui
    ((0x3400 | (register << 5) | register) << 16) | (value & 0xffff), // ori
  ]
  const store = (value: number, base: number) => (0xac00 | (base << 5) | value) << 16 // sw
  const [uart, character, power, off] = [8, 9, 10, 11]
  const print = (text: string) =>
    [...text].flatMap((letter) => [...load(character, letter.charCodeAt(0)), store(character, uart)])
  const start = load(uart, 0xbf000900)
  const words =
    program === 'hello'
      ? [
          ...start,
          ...print('hello\r\n'),
          ...load(power, 0xbf000000),
          ...load(off, 0xff),
          store(off, power),
          0x1000ffff,
          0,
        ]
      : [...start, ...print('x'), 0x1000fffe, 0] // branch to the store
  const content = new Uint8Array(words.length * 4)
  const view = new DataView(content.buffer)
  for (const [index, word] of words.entries()) view.setUint32(index * 4, word >>> 0, endian === 'little')
  return elfFile({ endian, content })
}
