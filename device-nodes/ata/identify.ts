/**
 * What a disk says of itself: the 256 words of IDENTIFY DEVICE.
 *
 * ATA/ATAPI-7 (T13/1532D), volume 1, 6.17. A drive of today as far as a driver for a parallel interface can tell: 48-bit addresses,
 * a write cache that can be flushed, FUA, Ultra DMA up to mode 5, no moving parts.
 */

export const SECTOR_BYTES = 512
/** The most that SET MULTIPLE MODE may ask for. */
export const MOST_MULTIPLE = 16

export interface DiskIdentity {
  sectors: number
  /** Up to 20 and 40 characters. */
  serial: string
  model: string
}

/** Cylinders, heads and sectors a track, as a disk of so many sectors has them before a host says otherwise. */
export interface Geometry {
  cylinders: number
  heads: number
  sectors: number
}

export interface DiskSettings {
  geometry: Geometry
  /** 0: not set. */
  multiple: number
  /** Which mode of each kind SET FEATURES chose, or -1. */
  multiwordMode: number
  ultraMode: number
  writeCache: boolean
  lookAhead: boolean
}

const MOST_CYLINDERS = 16_383
const HEADS = 16
const SECTORS_A_TRACK = 63
const MOST_LBA28 = 0x0fff_ffff

export function geometryOf(sectors: number): Geometry {
  const cylinders = Math.min(MOST_CYLINDERS, Math.max(1, Math.floor(sectors / (HEADS * SECTORS_A_TRACK))))
  return { cylinders, heads: HEADS, sectors: SECTORS_A_TRACK }
}

/** 512 bytes, as the data port gives them. */
export function identifyDisk(disk: DiskIdentity, settings: DiskSettings): Uint8Array<ArrayBuffer> {
  const words = new DataView(new ArrayBuffer(SECTOR_BYTES))
  const word = (number: number, value: number) => words.setUint16(2 * number, value, true)
  const long = (number: number, value: number) => words.setUint32(2 * number, value, true)
  /** Two characters a word, the first in its upper half. */
  const text = (number: number, count: number, value: string) => {
    const padded = value.slice(0, 2 * count).padEnd(2 * count)
    for (let i = 0; i < count; i++) {
      word(number + i, (padded.charCodeAt(2 * i) << 8) | padded.charCodeAt(2 * i + 1))
    }
  }
  const native = geometryOf(disk.sectors)
  const { geometry, multiple, multiwordMode, ultraMode, writeCache, lookAhead } = settings
  word(0, 0x0040)
  word(1, native.cylinders)
  word(3, native.heads)
  word(6, native.sectors)
  text(10, 10, disk.serial)
  text(23, 4, '1.0')
  text(27, 20, disk.model)
  word(47, 0x8000 | MOST_MULTIPLE)
  // IORDY, which may be disabled; LBA; DMA.
  word(49, 0x0f00)
  word(50, 0x4000)
  // Words 54 to 58, 64 to 70, and 88 say something.
  word(53, 0x0007)
  word(54, geometry.cylinders)
  word(55, geometry.heads)
  word(56, geometry.sectors)
  long(57, Math.min(disk.sectors, geometry.cylinders * geometry.heads * geometry.sectors))
  word(59, multiple === 0 ? 0 : 0x0100 | multiple)
  long(60, Math.min(disk.sectors, MOST_LBA28))
  word(63, 0x0007 | (multiwordMode < 0 ? 0 : 0x0100 << multiwordMode))
  word(64, 0x0003)
  // 120 ns a cycle, of every kind.
  for (const number of [65, 66, 67, 68]) word(number, 120)
  // ATA/ATAPI-4 to 7.
  word(80, 0x00f0)
  // Look-ahead, write cache, power management; FLUSH CACHE (EXT) and 48-bit addresses; FUA.
  word(82, 0x0068)
  word(83, 0x7400)
  word(84, 0x4040)
  word(85, 0x0008 | (writeCache ? 0x20 : 0) | (lookAhead ? 0x40 : 0))
  word(86, 0x3400)
  word(87, 0x4040)
  word(88, 0x003f | (ultraMode < 0 ? 0 : 0x0100 << ultraMode))
  // A cable of 80 conductors.
  word(93, 0x600b)
  long(100, disk.sectors % 2 ** 32)
  long(102, Math.floor(disk.sectors / 2 ** 32))
  word(217, 1)
  const bytes = new Uint8Array(words.buffer)
  bytes[510] = 0xa5
  bytes[511] = -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff
  return bytes
}
