/**
 * The world as a machine's bus sees it: where inputs come from, and where outputs go.
 *
 * A console, an input script and the inputs of a journal are all a `WorldSource`. Inputs enter only at the points of the
 * input grid (docs/bus.md). A source may do as it likes with host time; the bus only asks it.
 */
import type { NodeName, StopReason, Vt } from './message.ts'

/** When an instruction count and a virtual time are both reached. */
export interface Moment {
  icount: number
  vt: Vt
}

/** One input: the message `{src, dst, kind: 'input', bytes}`. */
export interface WorldInput {
  /** `WORLD`, or `SCRIPT` for the deterministic typist. */
  src: NodeName
  /** The device that gets the bytes. */
  dst: NodeName
  bytes: Uint8Array
}

/** Somewhere inputs come from. A bus asks its sources in a fixed order. */
export interface WorldSource {
  /**
   * Whether the host may still bring inputs at any moment (a person, a network). An idle machine with nothing due waits
   * for such a source; without one it sleeps for ever, which is an error.
   */
  readonly open: boolean
  /**
   * From when on `take` or `stop` may have something, as far as is known; `undefined`: nothing is known to come. The bus
   * comes to the first grid point at or after that moment, and to every hash point. It asks again when a slice begins,
   * after a grid point, after a device's output and while the CPU is idle. `now` is the time since when a person's input
   * waits: while a paced guest is idle, that to which it has slept by the host's clock.
   */
  waiting(now: Vt): Moment | undefined
  /** Asked at grid points, waited for or not: the inputs that enter now, in order. They are gone from the source. */
  take(vt: Vt, icount: number): readonly WorldInput[]
  /** Asked after `take`: why the run should end at this grid point (a script's `quit`; `failed`: it gave up waiting). */
  stop?(vt: Vt, icount: number): StopReason | undefined
}

/**
 * Gets each `output` of a device when it is logged. `entryNumber` is the place of its entry in the log, from 0. Listeners
 * run in the order they were added, sources that listen (scripts) included.
 */
export type OutputListener = (src: NodeName, bytes: Uint8Array, vt: Vt, entryNumber: number) => void
