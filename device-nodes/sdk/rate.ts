/**
 * A fixed frequency counted in whole ticks of virtual time, exactly: no rounding adds up however long a machine runs.
 */
import assert from 'node:assert/strict'
import type { Vt } from '../../bus/mod.ts'

const NS_PER_SECOND = 1_000_000_000

export class Rate {
  readonly hertz: number

  /** `hertz`: a whole number, at most 9,000,000 so that ticks times nanoseconds of one second stay exact. */
  constructor(hertz: number) {
    assert(Number.isSafeInteger(hertz) && hertz > 0 && hertz <= 9_000_000)
    this.hertz = hertz
  }

  /** Whole ticks in the first `vt` nanoseconds. */
  ticksAt(vt: Vt): number {
    const seconds = Math.floor(vt / NS_PER_SECOND)
    const rest = vt - seconds * NS_PER_SECOND
    return seconds * this.hertz + Math.floor((rest * this.hertz) / NS_PER_SECOND)
  }

  /** The first nanosecond at which `ticksAt` gives `tick`. */
  vtOf(tick: number): Vt {
    const seconds = Math.floor(tick / this.hertz)
    const rest = tick - seconds * this.hertz
    return seconds * NS_PER_SECOND + Math.ceil((rest * NS_PER_SECOND) / this.hertz)
  }
}
