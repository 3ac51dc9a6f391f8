/**
 * What drives say of themselves: the 256 words of IDENTIFY DEVICE and IDENTIFY PACKET DEVICE.
 *
 * ATA/ATAPI-7 (T13/1532D), volume 1, 6.17 and 6.18. The disk is a drive of today as far as a driver for a parallel interface can tell: 48-bit addresses,
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
  const identity = new IdentifyData()
  const native = geometryOf(disk.sectors)
  const { geometry, multiple, multiwordMode, ultraMode, writeCache, lookAhead } = settings
  identity.word(0, 0x0040)
  identity.word(1, native.cylinders)
  identity.word(3, native.heads)
  identity.word(6, native.sectors)
  identity.text(10, 10, disk.serial)
  identity.text(23, 4, '1.0')
  identity.text(27, 20, disk.model)
  identity.word(47, 0x8000 | MOST_MULTIPLE)
  // IORDY, which may be disabled; LBA; DMA.
  identity.word(49, 0x0f00)
  identity.word(50, 0x4000)
  // Words 54 to 58, 64 to 70, and 88 say something.
  identity.word(53, 0x0007)
  identity.word(54, geometry.cylinders)
  identity.word(55, geometry.heads)
  identity.word(56, geometry.sectors)
  identity.long(57, Math.min(disk.sectors, geometry.cylinders * geometry.heads * geometry.sectors))
  identity.word(59, multiple === 0 ? 0 : 0x0100 | multiple)
  identity.long(60, Math.min(disk.sectors, MOST_LBA28))
  identity.word(63, 0x0007 | (multiwordMode < 0 ? 0 : 0x0100 << multiwordMode))
  identity.word(64, 0x0003)
  // 120 ns a cycle, of every kind.
  for (const number of [65, 66, 67, 68]) identity.word(number, 120)
  // ATA/ATAPI-4 to 7.
  identity.word(80, 0x00f0)
  // Look-ahead, write cache, power management; FLUSH CACHE (EXT) and 48-bit addresses; FUA.
  identity.word(82, 0x0068)
  identity.word(83, 0x7400)
  identity.word(84, 0x4040)
  identity.word(85, 0x0008 | (writeCache ? 0x20 : 0) | (lookAhead ? 0x40 : 0))
  identity.word(86, 0x3400)
  identity.word(87, 0x4040)
  identity.word(88, 0x003f | (ultraMode < 0 ? 0 : 0x0100 << ultraMode))
  // A cable of 80 conductors.
  identity.word(93, 0x600b)
  identity.long(100, disk.sectors % 2 ** 32)
  identity.long(102, Math.floor(disk.sectors / 2 ** 32))
  identity.word(217, 1)
  return identity.finish()
}

/** 256 words, as the data port gives them. */
class IdentifyData {
  readonly #words = new DataView(new ArrayBuffer(SECTOR_BYTES))

  word(number: number, value: number): void {
    this.#words.setUint16(2 * number, value, true)
  }

  long(number: number, value: number): void {
    this.#words.setUint32(2 * number, value, true)
  }

  /** Two characters a word, the first in its upper half. */
  text(number: number, count: number, value: string): void {
    const padded = value.slice(0, 2 * count).padEnd(2 * count)
    for (let i = 0; i < count; i++) {
      this.word(number + i, (padded.charCodeAt(2 * i) << 8) | padded.charCodeAt(2 * i + 1))
    }
  }

  /** With its checksum. */
  finish(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.#words.buffer)
    bytes[510] = 0xa5
    bytes[511] = -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff
    return bytes
  }
}

/** IDENTIFY PACKET DEVICE: a CD-ROM drive with removable media and packets of 12 bytes, which takes up to 50 us to ask for one. */
export function identifyCdrom({ serial, model }: Pick<DiskIdentity, 'serial' | 'model'>): Uint8Array<ArrayBuffer> {
  const identity = new IdentifyData()
  identity.word(0, 0x85c0)
  identity.text(10, 10, serial)
  identity.text(23, 4, '1.0')
  identity.text(27, 20, model)
  // IORDY; LBA; DMA.
  identity.word(49, 0x0b00)
  identity.word(53, 0x0006)
  identity.word(63, 0x0007)
  identity.word(64, 0x0003)
  for (const number of [65, 66, 67, 68]) identity.word(number, 120)
  identity.word(80, 0x00f0)
  // PACKET, DEVICE RESET.
  identity.word(82, 0x0210)
  identity.word(83, 0x4000)
  identity.word(84, 0x4000)
  identity.word(85, 0x0210)
  identity.word(87, 0x4000)
  identity.word(88, 0x0007)
  identity.word(93, 0x600b)
  return identity.finish()
}
