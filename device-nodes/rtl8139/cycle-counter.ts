/**
 * TCTR and TimerInt of an RTL8139C: a counter of 32 bits that counts cycles of PCI's clock, 30 ns each, and says when it reaches a
 * value, each time it does.
 */
import { field, NEVER, type Vt } from '../sdk/mod.ts'

const NS_PER_CYCLE = 30
const PERIOD = 2 ** 32

export interface CycleCounterState {
  start: Vt
  expected: number
  due: Vt
}

/** How it is kept in its card's saved state. */
export const cycleCounterState = field.record({ start: field.vt(), expected: field.unsigned(32), due: field.vt() })

export class CycleCounter {
  /** When it was 0. */
  #start: Vt = 0
  /** The value that is waited for; 0: none. */
  #expected = 0
  #due: Vt = NEVER

  /** When it has the value that is waited for. */
  get due(): Vt {
    return this.#due
  }

  at(now: Vt): number {
    return this.#cyclesAt(now) % PERIOD
  }

  nextTick(now: Vt): Vt {
    return this.#start + (this.#cyclesAt(now) + 1) * NS_PER_CYCLE
  }

  /** It counts from 0, and nothing is waited for. */
  clear(now: Vt): void {
    this.#start = now
    this.expect(0, now)
  }

  /** It counts from 0. */
  restart(now: Vt): void {
    this.#start = now
    this.expect(this.#expected, now)
  }

  /** @param value 0: nothing */
  expect(value: number, now: Vt): void {
    this.#expected = value
    if (value === 0) {
      this.#due = NEVER
      return
    }
    const cycles = this.#cyclesAt(now)
    const round = Math.floor(cycles / PERIOD) + (value > cycles % PERIOD ? 0 : 1)
    this.#due = this.#start + (round * PERIOD + value) * NS_PER_CYCLE
  }

  /** Whether it has had the value by now; it waits for the next time then. */
  hasReached(now: Vt): boolean {
    if (this.#due > now) return false
    this.expect(this.#expected, now)
    return true
  }

  save(): CycleCounterState {
    return { start: this.#start, expected: this.#expected, due: this.#due }
  }

  restore({ start, expected, due }: CycleCounterState): void {
    this.#start = start
    this.#expected = expected
    this.#due = due
  }

  #cyclesAt(now: Vt): number {
    return Math.floor((now - this.#start) / NS_PER_CYCLE)
  }
}
