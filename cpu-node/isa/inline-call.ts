/**
 * What an instruction set can tell the translator about a helper: how its usual case is written in WebAssembly.
 */
import type { FunctionBody, Label, Local, ValueType } from '../wasm/function.ts'

/** A value in guest state. */
export interface Cell {
  readonly type: 'i32' | 'f32' | 'f64'
  readonly offset: number
  /** Where an f64's high half stands, if not behind its low half. */
  readonly high?: number
}

/** A call of a helper whose usual case needs no call. */
export interface InlineCall {
  /** What the usual case reads. */
  readonly reads: readonly Cell[]
  /** All state that the helper writes unless it fails; the usual case writes each. */
  readonly writes: readonly Cell[]
  /** Emits the usual case: the locals that hold what `writes` are to be. It sets the call's `result`, if that has one. */
  emit(to: InlineBody): readonly Local[]
}

export interface InlineBody {
  readonly f: FunctionBody
  /** Locals that hold `reads`, not to be changed. */
  readonly inputs: readonly Local[]
  readonly result: Local | undefined
  readonly ram: InlineRam
  /** The call's arguments that are not constant. */
  readonly args: readonly (Local | undefined)[]
  /** Where the case at hand is left to the helper. */
  readonly slow: Label
  /** A fresh local. */
  local(type: ValueType): Local
}

/** RAM that code uses without asking for a translation: what is not of it is slow. */
export interface InlineRam {
  /** Pushes the aligned word at guest address `address`. */
  pushWord(address: Local): void
  /** Puts `value` there; slow too where that takes more than a store. */
  putWord(address: Local, value: Local): void
  /** Pushes the physical address of `address`, whose word was pushed just before. */
  pushPhysical(address: Local): void
}
