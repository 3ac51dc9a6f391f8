/**
 * A TFTP server of files: RFC 1350, read requests only, with the options `blksize` (RFC 2348), `tsize` and `timeout` (RFC 2349).
 *
 * A transfer that never ends is forgotten after some retries. Block numbers go on at 0 after 65535.
 */
import type { Vt } from '../../../bus/mod.ts'
import type { Datagram, EthernetAddress, Ipv4Address } from './packets.ts'
import { pathNames, type ServedFile, type ServedFiles } from './served-files.ts'

export const TFTP_PORT = 69

const OPCODE = { READ: 1, WRITE: 2, DATA: 3, ACK: 4, ERROR: 5, OPTIONS: 6 } as const
const ERROR = { OTHER: 0, NOT_FOUND: 1, ACCESS: 2, ILLEGAL: 4, UNKNOWN_TRANSFER: 5 } as const

const DEFAULT_BLOCK_BYTES = 512
/** RFC 2348 has 8 as the least; the most is what fits into a frame. */
const LEAST_BLOCK_BYTES = 8
const MOST_BLOCK_BYTES = 1468
const DEFAULT_TIMEOUT_SECONDS = 1
const MOST_TIMEOUT_SECONDS = 255
const MOST_RETRIES = 5
/** At a time. One more takes the place of the one that has been silent the longest. */
const MOST_TRANSFERS = 16
/** Of the file that is read at once. */
const PIECE_BYTES = 32 << 10
const FIRST_PORT = 49_152
const PORTS = 65_536 - FIRST_PORT

/** Whom a datagram is from, or goes to. */
export interface Correspondent {
  ethernet: EthernetAddress
  ip: Ipv4Address
  /** The server's own address that was written to. */
  serverIp: Ipv4Address
}

export interface AddressedDatagram extends Correspondent {
  datagram: Datagram
}

export class Tftp {
  readonly #files: ServedFiles
  /** By the port that the server has for it, the oldest first. */
  readonly #transfers = new Map<number, Transfer>()
  #started = 0

  constructor(files: ServedFiles) {
    this.#files = files
  }

  get transfers(): number {
    return this.#transfers.size
  }

  /** From when on `next` has something. */
  get due(): Vt | undefined {
    let due: Vt | undefined
    for (const transfer of this.#transfers.values()) if (due === undefined || transfer.due < due) due = transfer.due
    return due
  }

  /** A datagram has come. Returns what is answered at once: errors. Undefined: it is not for this server. */
  receive(datagram: Datagram, from: Correspondent, vt: Vt): AddressedDatagram[] | undefined {
    if (datagram.toPort === TFTP_PORT) return this.#request(datagram, from, vt)
    if (datagram.toPort < FIRST_PORT) return undefined
    const transfer = this.#transfers.get(datagram.toPort)
    if (transfer === undefined || !transfer.isOf(datagram, from)) {
      // An error is not answered: two servers could go on for ever.
      if (opcodeOf(datagram.payload) === OPCODE.ERROR) return []
      return [reply(datagram, from, errorMessage(ERROR.UNKNOWN_TRANSFER, 'unknown transfer'))]
    }
    if (!transfer.receive(datagram.payload, vt)) this.#end(datagram.toPort)
    return []
  }

  /** The next datagram that goes out now; called at a grid point until there is none. */
  next(vt: Vt): AddressedDatagram | undefined {
    for (const [port, transfer] of this.#transfers) {
      if (transfer.due > vt) continue
      const message = transfer.next(vt)
      if (message === undefined || opcodeOf(message) === OPCODE.ERROR) this.#end(port)
      if (message !== undefined) return transfer.addressed(port, message)
    }
    return undefined
  }

  #request(datagram: Datagram, from: Correspondent, vt: Vt): AddressedDatagram[] {
    const refused = (code: number, text: string) => [reply(datagram, from, errorMessage(code, text))]
    const opcode = opcodeOf(datagram.payload)
    if (opcode === OPCODE.WRITE) return refused(ERROR.ACCESS, 'files are only read here')
    if (opcode === OPCODE.ERROR) return []
    const words = datagram.payload.subarray(2).toString('latin1').split('\0')
    const [path = '', mode = '', ...options] = words
    const isNetascii = mode.toLowerCase() === 'netascii'
    // Each word ends in 0, so that an empty one is left.
    const isWhole = words.length >= 3 && words.at(-1) === ''
    if (opcode !== OPCODE.READ || !isWhole || (!isNetascii && mode.toLowerCase() !== 'octet')) {
      return refused(ERROR.ILLEGAL, 'not a request that is known here')
    }
    const names = pathNames(path)
    const found = names === undefined ? undefined : this.#files.find(names)
    if (found?.kind === 'missing') return refused(ERROR.NOT_FOUND, 'no such file')
    if (found?.kind !== 'file') return refused(ERROR.ACCESS, 'not a file that may be read')
    // A request that comes again is one whose answer was lost.
    for (const [port, transfer] of this.#transfers) if (transfer.isOf(datagram, from)) this.#end(port)
    this.#makeRoom()
    const transfer = new Transfer(found.file, datagram.fromPort, from, { isNetascii, options: pairs(options), vt })
    this.#transfers.set(this.#freePort(), transfer)
    return []
  }

  /** There are more ports than transfers. */
  #freePort(): number {
    for (;;) {
      const port = FIRST_PORT + (this.#started++ % PORTS)
      if (!this.#transfers.has(port)) return port
    }
  }

  #makeRoom(): void {
    if (this.#transfers.size < MOST_TRANSFERS) return
    const [[port]] = [...this.#transfers].sort(([, a], [, b]) => a.heardVt - b.heardVt) as [[number, Transfer]]
    this.#end(port)
  }

  #end(port: number): void {
    this.#transfers.get(port)?.close()
    this.#transfers.delete(port)
  }
}

/** One file on its way. */
class Transfer {
  /** When there is something to send. */
  due: Vt
  heardVt: Vt
  readonly #file: ServedFile
  readonly #guestPort: number
  readonly #guest: Correspondent
  readonly #isNetascii: boolean
  readonly #accepted: ReadonlyMap<string, number>
  readonly #blockBytes: number
  readonly #timeoutNs: number
  /** What is sent, and again until it is acknowledged; undefined: it is to be made. */
  #message: Buffer | undefined
  /** Of the message; 0 is that of accepted options. */
  #block: number
  #isLast = false
  #retries = 0
  /** Read and not sent: less than a piece and a block. */
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0

  constructor(
    file: ServedFile,
    guestPort: number,
    guest: Correspondent,
    { isNetascii, options, vt }: { isNetascii: boolean; options: ReadonlyMap<string, string>; vt: Vt },
  ) {
    this.#file = file
    this.#guestPort = guestPort
    this.#guest = guest
    this.#isNetascii = isNetascii
    this.#accepted = acceptedOptions(options, isNetascii ? undefined : file.bytes)
    this.#blockBytes = this.#accepted.get('blksize') ?? DEFAULT_BLOCK_BYTES
    this.#timeoutNs = (this.#accepted.get('timeout') ?? DEFAULT_TIMEOUT_SECONDS) * 1e9
    this.#block = this.#accepted.size > 0 ? 0 : 1
    this.due = vt
    this.heardVt = vt
  }

  isOf({ fromPort }: Datagram, { ip, serverIp }: Correspondent): boolean {
    return fromPort === this.#guestPort && ip === this.#guest.ip && serverIp === this.#guest.serverIp
  }

  addressed(fromPort: number, payload: Buffer): AddressedDatagram {
    return { ...this.#guest, datagram: { fromPort, toPort: this.#guestPort, payload } }
  }

  /** Returns whether the transfer goes on. */
  receive(message: Buffer, vt: Vt): boolean {
    const opcode = opcodeOf(message)
    if (opcode === OPCODE.ERROR) return false
    // An acknowledgment that came before must not bring its block again (RFC 1123 4.2.3.1).
    const isNext = opcode === OPCODE.ACK && message.length >= 4 && this.#message !== undefined
    if (!isNext || message.readUInt16BE(2) !== this.#block) return true
    if (this.#isLast) return false
    this.heardVt = vt
    this.due = vt
    this.#block = (this.#block + 1) & 0xffff
    this.#message = undefined
    this.#retries = 0
    return true
  }

  /** Undefined: the guest has been silent for too long. */
  next(vt: Vt): Buffer | undefined {
    if (this.#message !== undefined && ++this.#retries > MOST_RETRIES) return undefined
    this.#message ??= this.#made()
    this.due = vt + this.#timeoutNs
    return this.#message
  }

  close(): void {
    this.#file.close()
  }

  #made(): Buffer {
    if (this.#block === 0 && this.#at === 0 && this.#accepted.size > 0) {
      const words = [...this.#accepted].flatMap(([name, value]) => [name, String(value)])
      return Buffer.concat([header(OPCODE.OPTIONS), Buffer.from(words.map((word) => `${word}\0`).join(''))])
    }
    while (this.#bytes.length < this.#blockBytes && this.#at < this.#file.bytes) {
      const length = Math.min(PIECE_BYTES, this.#file.bytes - this.#at)
      const piece = this.#file.read(this.#at, length)
      if (piece === undefined) return errorMessage(ERROR.OTHER, 'the file has changed')
      this.#bytes = Buffer.concat([this.#bytes, this.#isNetascii ? netascii(piece) : piece])
      this.#at += length
    }
    const data = this.#bytes.subarray(0, this.#blockBytes)
    this.#bytes = this.#bytes.subarray(data.length)
    this.#isLast = data.length < this.#blockBytes
    return Buffer.concat([header(OPCODE.DATA, this.#block), data])
  }
}

/** The options that are known here and make sense, with the values that hold. `bytes`: of the file, if they say how long it will be. */
function acceptedOptions(options: ReadonlyMap<string, string>, bytes: number | undefined): Map<string, number> {
  const accepted = new Map<string, number>()
  for (const [name, text] of options) {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : undefined
    if (value === undefined) continue
    if (name === 'blksize' && value >= LEAST_BLOCK_BYTES) accepted.set(name, Math.min(value, MOST_BLOCK_BYTES))
    if (name === 'timeout' && value >= 1 && value <= MOST_TIMEOUT_SECONDS) accepted.set(name, value)
    if (name === 'tsize' && bytes !== undefined) accepted.set(name, bytes)
  }
  return accepted
}

function pairs(words: readonly string[]): Map<string, string> {
  const options = new Map<string, string>()
  for (let i = 0; i + 1 < words.length; i += 2) options.set((words[i] as string).toLowerCase(), words[i + 1] as string)
  return options
}

/** Lines end in CR LF, and a CR that ends none is CR NUL (RFC 764). */
function netascii(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1').replaceAll(/[\r\n]/g, (end) => (end === '\n' ? '\r\n' : '\r\0'))
  return Buffer.from(text, 'latin1')
}

function opcodeOf(message: Buffer): number {
  return message.length < 2 ? 0 : message.readUInt16BE(0)
}

function header(...words: number[]): Buffer {
  return Buffer.from(words.flatMap((word) => [word >> 8, word & 0xff]))
}

function errorMessage(code: number, text: string): Buffer {
  return Buffer.concat([header(OPCODE.ERROR, code), Buffer.from(`${text}\0`)])
}

function reply({ fromPort, toPort }: Datagram, to: Correspondent, payload: Buffer): AddressedDatagram {
  return { ...to, datagram: { fromPort: toPort, toPort: fromPort, payload } }
}
