import assert from 'node:assert/strict'
import type { Vt } from './message.ts'

/**
 * A machine's virtual clock: `vt = icount * nsPerInstruction + idleNs`. It has no other source of time.
 */
export class Clock {
  readonly nsPerInstruction: number
  /** Distance of the input grid's points, in nanoseconds. */
  readonly gridNs: number
  /** Distance of the hash points: a multiple of `gridNs`. */
  readonly hashNs: number
  /** Virtual nanoseconds skipped while the CPU was idle. */
  idleNs = 0

  constructor(nsPerInstruction: number, gridNs: number, hashNs: number) {
    assert(Number.isSafeInteger(nsPerInstruction) && nsPerInstruction > 0)
    assert(Number.isSafeInteger(gridNs) && gridNs >= nsPerInstruction)
    assert(Number.isSafeInteger(hashNs) && hashNs > 0 && hashNs % gridNs === 0)
    this.nsPerInstruction = nsPerInstruction
    this.gridNs = gridNs
    this.hashNs = hashNs
  }

  /** Virtual time just before instruction `icount`. */
  vtAt(icount: number): Vt {
    return icount * this.nsPerInstruction + this.idleNs
  }

  /** The first instruction boundary that is not before `vt`, assuming that the CPU stays busy. */
  icountAt(vt: Vt): number {
    return Math.max(0, Math.ceil((vt - this.idleNs) / this.nsPerInstruction))
  }

  /** Moves time on to `vt` with the CPU idle before instruction `icount`. */
  skipTo(vt: Vt, icount: number): void {
    const now = this.vtAt(icount)
    assert(vt >= now, 'virtual time does not run backwards')
    this.idleNs += vt - now
  }

  /** The first grid point after `vt`. */
  gridAfter(vt: Vt): Vt {
    return (Math.floor(vt / this.gridNs) + 1) * this.gridNs
  }

  /** The first grid point at or after `vt`. */
  gridFrom(vt: Vt): Vt {
    return Math.ceil(vt / this.gridNs) * this.gridNs
  }

  /** The first grid point that finds instruction `icount` begun: where it stands it may be some nanoseconds past it. */
  gridWith(icount: number): Vt {
    const before = Math.floor(this.vtAt(icount) / this.gridNs) * this.gridNs
    return this.icountAt(before) >= icount ? before : before + this.gridNs
  }

  /** The first hash point after `vt`. */
  hashAfter(vt: Vt): Vt {
    return (Math.floor(vt / this.hashNs) + 1) * this.hashNs
  }
}
