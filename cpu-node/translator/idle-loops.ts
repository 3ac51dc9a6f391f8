/**
 * Loops of translated code that do nothing but ask: is a device's register as it was? Such a loop comes back to where it
 * began with every register as it was, having stored nothing but the same index into an index register. What it was
 * answered holds until a time that is known (`PortCell`), so that all its rounds until then do the same, and need not be
 * done: only their instructions are to be counted.
 *
 * Code with accesses to devices asks `goOn` at its backward jumps, now and then (`passes`). The first time the state is
 * noted, the next time at the same place compared with it. Between the two, code says so where it stores to memory or calls
 * a helper (by not being `armed`), and who does its accesses for it where they did more than a cell does (`SCRATCH.touched`).
 */
import { SCRATCH } from '../memory.ts'

/** Backward jumps of a region after which it asks for the first time. */
export const FIRST_PASSES = 50
/** So often in a row it asks: a round may have several backward jumps, and its first accesses may not be in cells yet. */
const MAX_TRIES = 8
/** Backward jumps before the next attempt. */
const PASSES_BETWEEN = 1000
const TOUCHED = SCRATCH.touched / 4
const CELLS_LEFT = SCRATCH.cellsLeft / 4
const PASSES = SCRATCH.passes / 4
const NO_CELLS = -(2 ** 31)

export class IdleLoops {
  readonly #state: Int32Array
  /** What is to be as it was, and what it was, as bytes: comparing those is one call. */
  readonly #now: readonly Uint8Array[]
  readonly #noted: readonly Uint8Array[]
  #place = 0
  #budget = 0
  /** How often it was asked since it gave up. */
  #tries = 0
  #instructions = 0

  /** `state`: CPU memory from its start; the guest's state is its first `stateBytes`. */
  constructor(state: Int32Array, stateBytes: number, portWords: Int32Array) {
    this.#state = state
    this.#now = [
      new Uint8Array(state.buffer, state.byteOffset, stateBytes),
      new Uint8Array(portWords.buffer, portWords.byteOffset, portWords.byteLength),
    ]
    this.#noted = this.#now.map(({ length }) => new Uint8Array(length))
  }

  /** Instructions that were counted and not done. */
  get instructions(): number {
    return this.#instructions
  }

  /**
   * Code jumps back to `place` with `budget` instructions left before the limit, and all of its registers stored. Returns what
   * is left when the rounds that do nothing have been counted. `armed`: it was here before, and has only loaded since.
   */
  goOn(place: number, budget: number, armed: number): number {
    const state = this.#state
    if (armed === 0 || state[TOUCHED] !== 0) {
      this.#note(place, budget)
      this.#tries++
      // A loop that stores or waits for nothing.
      if (this.#tries > MAX_TRIES) this.#giveUp()
      return budget
    }
    if (place !== this.#place) {
      this.#tries++
      if (this.#tries > MAX_TRIES) this.#giveUp()
      return budget
    }
    if (this.#noted.some((noted, index) => Buffer.compare(noted, this.#now[index]!) !== 0)) {
      this.#note(place, budget)
      this.#giveUp()
      return budget
    }
    const round = this.#budget - budget
    // An access is answered by a cell while more instructions than `cellsLeft` are left, the last ones of a round too.
    const end = Math.max(state[CELLS_LEFT]!, 0) + 1
    const skipped = Math.max(0, Math.floor((budget - end) / round)) * round
    this.#instructions += skipped
    this.#giveUp()
    return budget - skipped
  }

  /** For now. */
  #giveUp(): void {
    this.#tries = 0
    this.#state[PASSES] = PASSES_BETWEEN
  }

  #note(place: number, budget: number): void {
    const state = this.#state
    for (const [index, noted] of this.#noted.entries()) noted.set(this.#now[index]!)
    this.#place = place
    this.#budget = budget
    state[TOUCHED] = 0
    state[CELLS_LEFT] = NO_CELLS
    state[PASSES] = 0
  }
}
