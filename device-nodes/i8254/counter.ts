/**
 * One counter of an 8254: Intel 8254 data sheet (231164-005), "Mode Definitions" and "Operation Common to All Modes".
 *
 * Nothing runs: the counter holds from which CLK pulse it counts which count, and tells its value and its OUT at any
 * later pulse. Times are numbers of CLK pulses (falling edges) since power-on. A count written at pulse t is loaded by
 * pulse t + 1, as the data sheet draws it.
 */
import { type FieldsOf, field, NEVER, StateLayout } from '../sdk/mod.ts'

/** Fields of one counter. `count` and `reload` are binary; a written 0 is the largest: 65536, or 10000 in BCD. */
export const counterShape = {
  mode: field.whole(0, 5),
  bcd: field.flag(),
  /** RW1 and RW0 of the control word: 1 least significant byte only, 2 most significant only, 3 both. */
  readWrite: field.whole(1, 3),
  gate: field.flag(),
  /** The least significant byte, once written, until the other follows. */
  writtenLow: field.nullable(field.unsigned(8)),
  /** With both bytes: the next one read is the most significant. */
  readsHigh: field.flag(),
  latchedCount: field.nullable(field.unsigned(16)),
  latchedStatus: field.nullable(field.unsigned(8)),
  /** CR: the count written last; `null` since the control word. */
  reload: field.nullable(field.whole(1, 65_536)),
  /** CE takes CR over only at the next trigger or the next cycle. */
  pending: field.flag(),
  /** CE at pulse `base`; `null`: not loaded since the control word. */
  count: field.nullable(field.whole(0, 65_536)),
  base: field.vt(),
  /** GATE low holds CE at `count`. */
  held: field.flag(),
  /** Modes 0 and 4: the terminal count was reached before `base`. */
  done: field.flag(),
  /** Mode 3: OUT's level in the half cycle that begins at `base`. */
  highHalf: field.flag(),
}
const layout = new StateLayout('i8254 counter', counterShape)
export type CounterState = FieldsOf<typeof layout>

export function initialCounter(gate: boolean): CounterState {
  return {
    mode: 0,
    bcd: false,
    readWrite: 3,
    gate,
    writtenLow: null,
    readsHigh: false,
    latchedCount: null,
    latchedStatus: null,
    reload: null,
    pending: false,
    count: null,
    base: 0,
    held: false,
    done: false,
    highHalf: true,
  }
}

/** The arithmetic of one counter over its state; each `pulse` is at or after the one of the call before. */
export class Counter {
  readonly state: CounterState

  constructor(state: CounterState) {
    this.state = state
  }

  /** A control word that is no latch command: OUT goes to its initial level and counting stops. */
  program(readWrite: number, mode: number, bcd: boolean): void {
    Object.assign(this.state, { ...initialCounter(this.state.gate), readWrite, mode, bcd })
  }

  /** A byte written to the counter. Returns the count that this completes, 1 to the modulus. */
  write(byte: number, pulse: number): number | undefined {
    const { state } = this
    if (state.readWrite === 3 && state.writtenLow === null) {
      state.writtenLow = byte
      // Mode 0: the first byte stops the counting and sets OUT low at once.
      if (state.mode === 0) Object.assign(state, { count: null, done: false })
      return undefined
    }
    const low = state.writtenLow ?? (state.readWrite === 1 ? byte : 0)
    const high = state.readWrite === 1 ? 0 : byte
    state.writtenLow = null
    const written = state.bcd ? fromBcd((high << 8) | low) : (high << 8) | low
    const count = written === 0 ? this.#modulus() : written
    this.#load(count, pulse)
    return count
  }

  /** A byte read from the counter, by its latches and byte order. */
  read(pulse: number): number {
    const { state } = this
    if (state.latchedStatus !== null) {
      const status = state.latchedStatus
      state.latchedStatus = null
      return status
    }
    const count = state.latchedCount ?? this.valueAt(pulse)
    const high = state.readWrite === 2 || (state.readWrite === 3 && state.readsHigh)
    if (state.readWrite === 3) state.readsHigh = !state.readsHigh
    if (state.readWrite !== 3 || high) state.latchedCount = null
    return high ? count >>> 8 : count & 0xff
  }

  /** Whether the next read leaves everything as it is. */
  get readsFreely(): boolean {
    return this.state.latchedStatus === null && this.state.latchedCount === null && this.state.readWrite !== 3
  }

  /** What is latched already stays until it is read. */
  latchCount(pulse: number): void {
    this.state.latchedCount ??= this.valueAt(pulse)
  }

  latchStatus(pulse: number): void {
    const { state } = this
    this.#settle(pulse)
    const nullCount = state.reload === null || state.pending || state.count === null || pulse < state.base
    state.latchedStatus ??=
      (this.outAt(pulse) << 7) |
      (nullCount ? 0x40 : 0) |
      (state.readWrite << 4) |
      (state.mode << 1) |
      (state.bcd ? 1 : 0)
  }

  setGate(gate: boolean, pulse: number): void {
    const { state } = this
    if (gate === state.gate) return
    this.#settle(pulse)
    state.gate = gate
    const { mode, reload } = state
    if (!gate) {
      if (mode !== 1 && mode !== 5) this.#hold(pulse)
    } else if (mode === 0 || mode === 4) {
      Object.assign(state, { base: Math.max(pulse, state.base), held: false })
    } else if (reload !== null) {
      // The rising edge triggers the one-shots and starts the periodic modes afresh.
      this.#start(reload, pulse + 1)
    }
  }

  /** OUT just after `pulse`. */
  outAt(pulse: number): 0 | 1 {
    this.#settle(pulse)
    const { mode, count, base, held, highHalf, done } = this.state
    if (count === null) return mode === 0 ? 0 : 1
    const reached = !held && pulse >= base + count
    switch (mode) {
      case 0:
        return done || reached ? 1 : 0
      case 1:
        return reached || pulse < base ? 1 : 0
      case 2:
        return held || pulse < base || count === 1 || this.#elementAt(pulse) !== 1 ? 1 : 0
      case 3:
        return held || pulse < base || count === 1 || highHalf ? 1 : 0
      default:
        return !done && !held && pulse === base + count ? 0 : 1
    }
  }

  /** The first pulse after `pulse` at which OUT may change, or `NEVER`. */
  nextEdge(pulse: number): number {
    this.#settle(pulse)
    const { mode, count, base, held, done } = this.state
    if (count === null || held || done) return NEVER
    if (mode === 2 || mode === 3) {
      // A count of 1 is not allowed here: OUT stays high.
      if (count === 1) return NEVER
      return mode === 3 || pulse >= base + count - 1 ? this.#cycleEnd() : base + count - 1
    }
    const edges = mode === 0 ? [base + count] : mode === 1 ? [base, base + count] : [base + count, base + count + 1]
    return edges.find((edge) => edge > pulse) ?? NEVER
  }

  /** What the counter reads just after `pulse`, in its own number system. */
  valueAt(pulse: number): number {
    this.#settle(pulse)
    const value = this.#elementAt(pulse) % this.#modulus()
    return this.state.bcd ? toBcd(value) : value
  }

  /** The first pulse after `pulse` at which a live read may differ, or `NEVER`. */
  nextValueChange(pulse: number): number {
    const { count, held, base } = this.state
    return count === null || held ? NEVER : Math.max(pulse + 1, base)
  }

  /** Brings modes 2 and 3 to the cycle in which `pulse` falls; a new count is taken over where a cycle ends. */
  #settle(pulse: number): void {
    const { state } = this
    const { mode, held } = state
    if (held || (mode !== 2 && mode !== 3)) return
    while (state.count !== null && pulse >= this.#cycleEnd()) {
      const wholeCycles = Math.floor((pulse - state.base) / state.count)
      if (wholeCycles > 0 && !state.pending) {
        state.base += wholeCycles * state.count
        continue
      }
      state.base = this.#cycleEnd()
      state.highHalf = mode === 2 || !state.highHalf
      if (state.pending) Object.assign(state, { count: state.reload, pending: false })
    }
  }

  /** The end of the cycle (mode 2) or half cycle (mode 3) that begins at `base`. Of an odd count the high half is longer. */
  #cycleEnd(): number {
    const { mode, base, highHalf } = this.state
    const count = this.state.count ?? 0
    if (mode === 2) return base + count
    return base + Math.max(1, highHalf ? Math.ceil(count / 2) : Math.floor(count / 2))
  }

  #load(count: number, pulse: number): void {
    const { state } = this
    this.#settle(pulse)
    state.reload = count
    const { mode } = state
    const atOnce = mode === 0 || mode === 4 || ((mode === 2 || mode === 3) && state.count === null)
    if (atOnce) this.#start(count, pulse + 1)
    else state.pending = true
  }

  #start(count: number, base: number): void {
    const { mode, gate } = this.state
    const held = !gate && mode !== 1 && mode !== 5
    Object.assign(this.state, { count, base, held, pending: false, done: false, highHalf: true })
  }

  #hold(pulse: number): void {
    const { state } = this
    if (state.count === null || state.held) return
    const value = this.#elementAt(pulse)
    if (state.mode === 0 || state.mode === 4) state.done ||= pulse >= state.base + state.count
    Object.assign(state, { count: value, base: Math.max(pulse, state.base), held: true })
  }

  /** CE just after `pulse`; the settled state. */
  #elementAt(pulse: number): number {
    const { mode, count, base, held } = this.state
    if (count === null) return 0
    if (held || pulse < base) return count
    const elapsed = pulse - base
    if (mode === 2) return count - elapsed
    // Mode 3 counts down by two, an odd count from one less.
    if (mode === 3) return (count & ~1) - 2 * elapsed
    const modulus = this.#modulus()
    return (((count - elapsed) % modulus) + modulus) % modulus
  }

  #modulus(): number {
    return this.state.bcd ? 10_000 : 65_536
  }
}

function fromBcd(value: number): number {
  return (value >>> 12) * 1000 + ((value >>> 8) & 15) * 100 + ((value >>> 4) & 15) * 10 + (value & 15)
}

function toBcd(value: number): number {
  const digit = (divisor: number) => Math.floor(value / divisor) % 10
  return (digit(1000) << 12) | (digit(100) << 8) | (digit(10) << 4) | digit(1)
}
