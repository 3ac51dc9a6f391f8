/**
 * The packets that a CD-ROM drive knows, and what it answers: MMC-5 and SPC-3.
 */

export const PACKETS = {
  TEST_UNIT_READY: 0x00,
  REQUEST_SENSE: 0x03,
  INQUIRY: 0x12,
  START_STOP_UNIT: 0x1b,
  PREVENT_ALLOW: 0x1e,
  READ_CAPACITY: 0x25,
  READ_10: 0x28,
  SEEK_10: 0x2b,
  READ_TOC: 0x43,
  GET_EVENT_STATUS: 0x4a,
  MODE_SENSE_10: 0x5a,
  READ_12: 0xa8,
} as const

/** Why a packet failed: key, additional code and its qualifier. */
export interface Sense {
  key: number
  code: number
  qualifier: number
}

export const SENSE = {
  INVALID_OPCODE: { key: 5, code: 0x20, qualifier: 0 },
  OUT_OF_RANGE: { key: 5, code: 0x21, qualifier: 0 },
  INVALID_FIELD: { key: 5, code: 0x24, qualifier: 0 },
  /** Unit attention: it was reset. */
  RESET: { key: 6, code: 0x29, qualifier: 0 },
} as const

export const NO_SENSE: Sense = { key: 0, code: 0, qualifier: 0 }

/** 18 bytes, fixed format. */
export function senseBytes({ key, code, qualifier }: Sense): Uint8Array {
  const bytes = new Uint8Array(18)
  bytes[0] = 0x70
  bytes[2] = key
  bytes[7] = 10
  bytes[12] = code
  bytes[13] = qualifier
  return bytes
}

/** A removable CD-ROM drive, by its model. */
export function inquiry(model: string): Uint8Array {
  const bytes = Buffer.alloc(36)
  bytes[0] = 0x05
  bytes[1] = 0x80
  // ATAPI's response data format.
  bytes[3] = 0x21
  bytes[4] = bytes.length - 5
  bytes.write('ANANKE'.padEnd(8), 8, 'latin1')
  bytes.write(model.slice(0, 16).padEnd(16), 16, 'latin1')
  bytes.write('1.0 ', 32, 'latin1')
  return bytes
}

const ALL_PAGES = 0x3f
/** Read error recovery; CD capabilities: it reads CD-R and CD-RW, has a tray, and takes 24 times the first drives' speed. */
const MODE_PAGES: ReadonlyMap<number, readonly number[]> = new Map([
  [0x01, [0x01, 0x06, 0x00, 0x05, 0x00, 0x00, 0x00, 0x00]],
  [0x2a, [0x2a, 0x12, 0x03, 0x00, 0x00, 0x00, 0x28, 0x00, 0x10, 0x50, 0x00, 0x00, 0x02, 0x00, 0x10, 0x50, 0, 0, 0, 0]],
])

/** Current values of a page, or of all; undefined for one that there is not, and for saved values. */
export function modeSense(page: number): Uint8Array | undefined {
  const code = page & ALL_PAGES
  const isSaved = page >> 6 === 3
  const pages = code === ALL_PAGES ? [...MODE_PAGES.values()].flat() : MODE_PAGES.get(code)
  if (pages === undefined || isSaved) return undefined
  const bytes = Buffer.alloc(8 + pages.length)
  bytes.writeUInt16BE(bytes.length - 2, 0)
  bytes.set(pages, 8)
  return bytes
}

const TRACK_OF_DATA = 0x14
const LEAD_OUT = 0xaa

/** One track of data, and the lead-out; undefined for formats and tracks that there are not. */
export function readToc(packet: Uint8Array, sectors: number): Uint8Array | undefined {
  const isMsf = (packet[1]! & 2) !== 0
  const format = packet[2]! & 0x0f
  const from = packet[6]!
  const track = (number: number, sector: number) => [0, TRACK_OF_DATA, number, 0, ...address(sector, isMsf)]
  if (format === 1) return Uint8Array.from([0, 10, 1, 1, ...track(1, 0)])
  if (format !== 0 || (from > 1 && from !== LEAD_OUT)) return undefined
  const tracks = [...(from <= 1 ? track(1, 0) : []), ...track(LEAD_OUT, sectors)]
  return Uint8Array.from([0, 2 + tracks.length, 1, 1, ...tracks])
}

/** By its number, or as minute, second and frame: 75 frames a second, from two seconds on. */
function address(sector: number, isMsf: boolean): number[] {
  if (!isMsf) return [24, 16, 8, 0].map((shift) => (sector >>> shift) & 0xff)
  const frame = sector + 150
  return [0, Math.floor(frame / 4500), Math.floor(frame / 75) % 60, frame % 75]
}

export const CAPACITY_BYTES = 8

/** The last sector, and how large they are. */
export function capacity(sectors: number, sectorBytes: number): Uint8Array {
  const bytes = Buffer.alloc(CAPACITY_BYTES)
  bytes.writeUInt32BE(sectors - 1, 0)
  bytes.writeUInt32BE(sectorBytes, 4)
  return bytes
}

/** Nothing ever happens to the disc; undefined for a host that wants to be told later. */
export function eventStatus(packet: Uint8Array): Uint8Array | undefined {
  const isPolled = (packet[1]! & 1) !== 0
  return isPolled ? Uint8Array.of(0, 2, 0x80, 0) : undefined
}
