/**
 * Values of guest state that a block keeps in locals besides its registers. Memory always holds them too: a write stores
 * at once, so that a local may be forgotten at any time.
 */
import type { Cell } from '../isa/inline-call.ts'
import type { FunctionBody, Local } from '../wasm/function.ts'

interface Place {
  readonly cell: Cell
  readonly local: Local
}

export class Cells {
  readonly #f: FunctionBody
  /** All that have a local, by their name. */
  readonly #places = new Map<string, Place>()
  /** Those whose value is in it. */
  readonly #held = new Set<Place>()

  constructor(f: FunctionBody) {
    this.#f = f
  }

  #place(cell: Cell): Place {
    const name = `${cell.type} ${cell.offset} ${highOf(cell)}`
    let place = this.#places.get(name)
    if (place === undefined) {
      place = { cell, local: this.#f.local(cell.type) }
      this.#places.set(name, place)
    }
    return place
  }

  /** Forgets all. */
  clear(): void {
    this.#held.clear()
  }

  /** Forgets what is in bytes `[offset, offset + length)` of state, which are written by other means. */
  forget(offset: number, length: number): void {
    const within = (word: number) => word + 4 > offset && word < offset + length
    for (const place of this.#held) {
      const { cell } = place
      if (within(cell.offset) || (cell.type === 'f64' && within(highOf(cell)))) this.#held.delete(place)
    }
  }

  /** The local that holds the i32 at `offset`, if one does. */
  heldWord(offset: number): Local | undefined {
    for (const { cell, local } of this.#held) if (cell.type === 'i32' && cell.offset === offset) return local
    return undefined
  }

  /** The local that holds `cell`, loaded if need be. */
  hold(cell: Cell): Local {
    const place = this.#place(cell)
    if (!this.#held.has(place)) this.reload(cell)
    return place.local
  }

  /** Loads `cell` into its local. */
  reload(cell: Cell): void {
    const f = this.#f
    const place = this.#place(cell)
    f.i32(0)
    if (cell.high === undefined) {
      f.memory(`${cell.type}.load`, cell.offset)
    } else {
      f.memory('i64.load32_u', cell.offset)
      f.i32(0)
      f.memory('i64.load32_u', cell.high)
      f.i64(32n)
      f.op('i64.shl')
      f.op('i64.or')
      f.op('f64.reinterpret_i64')
    }
    f.set(place.local)
    this.#held.add(place)
  }

  /** Writes `value` to `cell`, which then holds it. */
  put(cell: Cell, value: Local): void {
    const f = this.#f
    this.forget(cell.offset, cell.type === 'f64' && cell.high === undefined ? 8 : 4)
    if (cell.high !== undefined) this.forget(cell.high, 4)
    const place = this.#place(cell)
    f.i32(0)
    f.get(value)
    f.tee(place.local)
    if (cell.high === undefined) {
      f.memory(`${cell.type}.store`, cell.offset)
    } else {
      f.op('i64.reinterpret_f64')
      f.memory('i64.store32', cell.offset)
      f.i32(0)
      f.get(value)
      f.op('i64.reinterpret_f64')
      f.i64(32n)
      f.op('i64.shr_u')
      f.memory('i64.store32', cell.high)
    }
    this.#held.add(place)
  }
}

function highOf({ offset, high }: Cell): number {
  return high ?? offset + 4
}
