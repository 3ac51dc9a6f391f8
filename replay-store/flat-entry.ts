/**
 * One entry of the journal laid flat in numbers: what the canonical bytes and the columns of a segment are both made
 * from. A writer has one and fills it again for each message, so that an entry costs no allocation.
 */
import assert from 'node:assert/strict'
import type { Message } from '../bus/mod.ts'
import { KINDS, kindNumber, MODES, type NodeTable, REASONS } from './codec.ts'

/** The most fields that a kind has. */
export const MAX_FIELDS = Math.max(...KINDS.map(({ fields }) => fields.length))

const NO_BYTES = new Uint8Array(0)

export class FlatEntry {
  vt = 0
  icount = 0
  /** Indexes into the node table. */
  src = 0
  dst = 0
  /** An index into `KINDS`. */
  kind = 0
  /** How many of the kind's fields it has: an optional one may be absent at the end. */
  fieldCount = 0
  /** The fields in the kind's order, where they are numbers; a time of `NEVER` is `NEVER`. Nothing is checked here. */
  readonly numbers = new Float64Array(MAX_FIELDS)
  /** The kind's one field of bytes, where it has one; not copied. */
  bytes: Uint8Array = NO_BYTES
  /** The kind's one field of text, where it has one. */
  text = ''

  /** Takes the place of what it was. A node that is not in the table is an assertion. */
  set(message: Message, nodes: NodeTable): void {
    this.vt = message.vt
    this.icount = message.icount
    this.src = nodes.index(message.src)
    this.dst = nodes.index(message.dst)
    const { payload: p } = message
    this.kind = kindNumber(p.kind)
    switch (p.kind) {
      case 'reset':
      case 'event':
        this.#fields(0)
        break
      case 'read':
        this.#fields(p.index === undefined ? 3 : 4, p.region, p.offset, p.size, p.index)
        break
      case 'write':
        this.#fields(p.index === undefined ? 4 : 5, p.region, p.offset, p.size, p.value, p.index)
        break
      case 'line':
        this.#fields(2, p.wire, p.level)
        break
      case 'memory':
        this.bytes = p.bytes
        this.#fields(p.length === undefined ? 1 : 2, 0, p.length)
        break
      case 'input':
      case 'output':
        this.bytes = p.bytes
        this.#fields(1)
        break
      case 'data':
        this.#fields(2, p.value, p.validUntil)
        break
      case 'timer':
        this.#fields(1, p.due)
        break
      case 'dmaRead':
        this.#fields(3, p.target, p.address, p.length)
        break
      case 'dmaWrite':
        this.bytes = p.bytes
        this.#fields(3, p.target, p.address)
        break
      case 'map':
        this.text = p.space
        this.#fields(6, p.region, 0, p.base, p.length, p.offset, MODES.indexOf(p.mode))
        break
      case 'grid':
        this.#fields(1, p.hash)
        break
      case 'segment':
        this.#fields(2, p.hashLow, p.hashHigh)
        break
      case 'stop':
        this.#fields(1, REASONS.indexOf(p.reason))
        break
      default:
        assert.fail('a kind has no form')
    }
  }

  #fields(count: number, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0): void {
    const { numbers } = this
    this.fieldCount = count
    numbers[0] = a
    numbers[1] = b
    numbers[2] = c
    numbers[3] = d
    numbers[4] = e
    numbers[5] = f
  }
}
