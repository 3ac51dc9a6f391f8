/**
 * A capture file of network cards, made from a log's entries: each frame has the guest's time of day, its direction, and in a comment
 * its place in the log.
 */
import * as fs from 'node:fs'
import type { Board, Message, NodeName } from '../../bus/mod.ts'
import { readLink } from '../../device-nodes/mod.ts'
import { UserError } from '../errors.ts'
import { captureFrame, captureStart } from './pcapng.ts'

const CARD = /^nic\d+$/

/** The board's nodes that are network cards. */
export function cardsOf({ devices }: Pick<Board, 'devices'>): NodeName[] {
  return devices.flatMap(({ name }) => (CARD.test(name) ? [name] : []))
}

export interface CaptureOptions {
  /** Who makes it, such as `Ananke 1.0.0`. */
  application: string
  cards: readonly NodeName[]
  /** The guest's time of day at power-on, in seconds since 1970. */
  startSeconds: number
}

/** It holds whole frames at any time. */
export class Capture {
  readonly path: string
  readonly #file: number
  readonly #cards: readonly NodeName[]
  readonly #startNs: bigint
  #bytes = 0
  #frames = 0

  /** @throws UserError if the file exists, or cannot be written */
  constructor(path: string, { application, cards, startSeconds }: CaptureOptions) {
    this.path = path
    this.#cards = cards
    this.#startNs = BigInt(startSeconds) * 1_000_000_000n
    this.#file = create(path)
    try {
      this.#write(captureStart(application, cards))
    } catch (error) {
      this.discard()
      throw error
    }
  }

  get frames(): number {
    return this.#frames
  }

  /**
   * Takes the log's entry number `entry`, if it is a frame of one of the cards.
   * @throws UserError if it cannot be written
   */
  add(entry: number, { src, dst, vt, icount, payload }: Message): void {
    if (payload.kind !== 'output' && payload.kind !== 'input') return
    const isOut = payload.kind === 'output'
    const card = this.#cards.indexOf(isOut ? src : dst)
    if (card < 0 || (!isOut && readLink(payload.bytes) !== undefined)) return
    const comment = `entry ${entry}, before instruction ${icount}, ${vt} ns`
    const direction = isOut ? 'out' : 'in'
    const ns = this.#startNs + BigInt(vt)
    this.#write(captureFrame({ interface: card, ns, direction, comment, bytes: payload.bytes }))
    this.#frames++
  }

  close(): void {
    fs.closeSync(this.#file)
  }

  /** Closes it, and takes it away. */
  discard(): void {
    this.close()
    fs.rmSync(this.path, { force: true })
  }

  #write(block: Uint8Array): void {
    try {
      fs.writeFileSync(this.#file, block)
      this.#bytes += block.length
    } catch (cause) {
      this.#dropPart()
      throw new UserError(`${this.path} cannot be written whole: ${(cause as Error).message}`, { cause })
    }
  }

  /** Of a frame that could not be written whole. */
  #dropPart(): void {
    try {
      fs.ftruncateSync(this.#file, this.#bytes)
    } catch {
      // Then a reader finds a frame cut off at the end.
    }
  }
}

function create(path: string): number {
  try {
    return fs.openSync(path, 'wx')
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const why = code === 'EEXIST' ? 'exists. Remove it, or write to another file.' : `cannot be written: ${message}`
    throw new UserError(`${path} ${why}`, { cause })
  }
}
