/**
 * The entries of a segment in memory, in a few arrays of numbers: what entries of one sort agree in stands in their
 * shape, once. A replay reads 20,000 a second of them, and as messages they cost it more than comparing them.
 *
 *     entry i: vts[i], icounts[i], shapes[shapeIds[i]], and its values from values[starts[i]] on
 */
import assert from 'node:assert/strict'
import type { FlatEntry } from './flat-entry.ts'

/** What entries of one sort agree in. */
export interface EntryShape {
  /** One of them. What they do not agree in is not theirs. */
  entry: FlatEntry
  /** The fields that each entry has for itself, in order. */
  varying: readonly { place: number; isBytes: boolean }[]
}

/** Entries in order, laid flat one at a time. */
export interface Entries {
  readonly length: number
  icount(index: number): number
  /** Fills `into` with entry `index`, from 0; its bytes are a view. */
  read(index: number, into: FlatEntry): void
}

export class EntryList implements Entries {
  readonly #shapes: readonly EntryShape[]
  readonly #vts: Float64Array
  readonly #icounts: Float64Array
  readonly #shapeIds: Uint32Array
  readonly #starts: Uint32Array
  /** Numbers, and places in `#bytes`. */
  readonly #values: Float64Array
  readonly #bytes: Uint8Array[] = []
  #length = 0
  #valueCount = 0

  /** Room for `entryCount` entries, which have `valueCount` values at most. */
  constructor(shapes: readonly EntryShape[], entryCount: number, valueCount: number) {
    this.#shapes = shapes
    this.#vts = new Float64Array(entryCount)
    this.#icounts = new Float64Array(entryCount)
    this.#shapeIds = new Uint32Array(entryCount)
    this.#starts = new Uint32Array(entryCount)
    this.#values = new Float64Array(valueCount)
  }

  get length(): number {
    return this.#length
  }

  /** The values of its varying fields are to follow. */
  append(vt: number, icount: number, shapeId: number): void {
    const index = this.#length++
    this.#vts[index] = vt
    this.#icounts[index] = icount
    this.#shapeIds[index] = shapeId
    this.#starts[index] = this.#valueCount
  }

  appendNumber(value: number): void {
    this.#values[this.#valueCount++] = value
  }

  /** Keeps the bytes as they are given. */
  appendBytes(bytes: Uint8Array): void {
    this.appendNumber(this.#bytes.length)
    this.#bytes.push(bytes)
  }

  icount(index: number): number {
    return this.#icounts[index]!
  }

  read(index: number, into: FlatEntry): void {
    const shape = this.#shapes[this.#shapeIds[index]!]
    if (shape === undefined || index >= this.#length) assert.fail('there is no such entry')
    const { entry, varying } = shape
    into.copy(entry)
    into.setHead(this.#vts[index]!, this.#icounts[index]!, entry.src, entry.dst)
    let at = this.#starts[index]!
    for (let i = 0; i < varying.length; i++) {
      const { place, isBytes } = varying[i]!
      const value = this.#values[at++]!
      into.setField(place, isBytes ? 0 : value)
      if (isBytes) into.bytes = this.#bytes[value]!
    }
  }
}
