/**
 * Lifts MIPS code, block by block.
 *
 * A branch and its delay slot are one: what the branch decides is computed first, then the delay slot, then the block
 * ends as the branch said. Where a block must end between the two (a limit, the end of the page), the branch leaves its
 * target in guest state and the delay slot becomes a block of its own.
 */
import type { Builder } from '../../ir/builder.ts'
import type { Exit, Value } from '../../ir/ir.ts'
import { Decoder } from '../decoder.ts'
import type { FetchWindow } from '../isa.ts'
import { encodings, type Mnemonic } from './encodings.ts'
import { control } from './lift-control.ts'
import { fpu } from './lift-fpu.ts'
import { integer } from './lift-integer.ts'
import { memory } from './lift-memory.ts'
import { system } from './lift-system.ts'
import { type Lifter, Lifting, type Outcome } from './lifting.ts'
import { BRANCH_TARGET, Exception, IN_DELAY_SLOT, PC } from './state.ts'

/** Every mnemonic has its lifter: the compiler checks that none is missing. */
const lifters: Record<Mnemonic, Lifter> = { ...integer, ...control, ...memory, ...system, ...fpu }

export const decoder = new Decoder(
  encodings.map((row) => ({ ...row, lifter: lifters[row.mnemonic], isBranch: row.mnemonic in control })),
)

export interface LiftOptions {
  bigEndian: boolean
  /** Status.FR. */
  fr: boolean
  /** Not even a delay slot may come on top of `maxInstructions`. */
  exact: boolean
  /** Nothing can map the code's page elsewhere. */
  fixed: boolean
  /** The instruction at `pc` is a delay slot whose branch has been executed. */
  inDelaySlot: boolean
}

/** Writes the block at `pc`: at most `maxInstructions` (1 or more) of them, all of one page. */
export function lift(b: Builder, window: FetchWindow, pc: number, maxInstructions: number, options: LiftOptions): void {
  const at = new Lifting(b, options.bigEndian, options.fr, options.fixed, window.relativeTo)
  if (options.inDelaySlot) {
    const outcome = liftOne(at, window, pc, true)
    b.put(IN_DELAY_SLOT, b.const(0))
    const target = b.get(BRANCH_TARGET)
    // Where a run was cut is no part of the state: a target that has been used leaves no trace.
    b.put(BRANCH_TARGET, b.const(0))
    b.finish(pc, 4, afterDelaySlot(b, outcome, { kind: 'indirect', target }))
    return
  }
  let end = pc
  let exit: Exit | undefined
  for (let count = 1; exit === undefined; count++) {
    const outcome = liftOne(at, window, end, false)
    end = (end + 4) | 0
    const pageEnds = end >>> 0 >= window.end || end === 0
    const last = count >= maxInstructions || pageEnds
    if (outcome?.when === 'now') {
      exit = outcome.exit
    } else if (outcome?.when === 'afterDelaySlot' && (options.exact ? last : pageEnds)) {
      exit = leaveBeforeDelaySlot(b, outcome.exit, end)
    } else if (outcome?.when === 'afterDelaySlot') {
      exit = afterDelaySlot(b, liftOne(at, window, end, true), outcome.exit)
      end = (end + 4) | 0
    } else if (last) {
      exit = { kind: 'jump', target: end }
    }
  }
  b.finish(pc, (end - pc) >>> 0, exit)
}

// biome-ignore lint/suspicious/noConfusingVoidType: as lifters return
function liftOne(at: Lifting, window: FetchWindow, pc: number, delaySlot: boolean): Outcome | void {
  at.b.instruction(pc, delaySlot)
  at.pc = pc
  at.delaySlot = delaySlot
  at.word = window.word(pc) | 0
  const row = decoder.decode(at.word)
  if (row === undefined || (delaySlot && row.isBranch)) {
    // A branch in a delay slot is unpredictable in the manual; like QEMU, we take it for reserved.
    return { when: 'now', exit: { kind: 'fault', code: reservedCode(at) } }
  }
  return row.lifter(at)
}

/** Encodings of a coprocessor that there is not, or that is switched off, fault for the coprocessor first. */
function reservedCode(at: Lifting): number {
  switch (at.word >>> 26) {
    case 0o20:
      at.needCop0()
      return Exception.RI
    case 0o21:
    case 0o23:
      at.needCop1()
      return Exception.RI
    case 0o22:
    case 0o62:
    case 0o66:
    case 0o72:
    case 0o76:
      return Exception.CpU | (2 << 8)
    default:
      return Exception.RI
  }
}

/** The end of a block whose branch ends so, when the delay slot itself gave `outcome`. */
// biome-ignore lint/suspicious/noConfusingVoidType: as lifters return
function afterDelaySlot(b: Builder, outcome: Outcome | void, exit: Exit): Exit {
  if (outcome === undefined) return exit
  if (outcome.exit.kind === 'look') {
    b.put(PC, targetOf(b, exit))
    return { kind: 'lookAtState' }
  }
  return outcome.exit
}

function leaveBeforeDelaySlot(b: Builder, exit: Exit, delaySlot: number): Exit {
  b.put(BRANCH_TARGET, targetOf(b, exit))
  b.put(IN_DELAY_SLOT, b.const(1))
  return { kind: 'look', target: delaySlot }
}

function targetOf(b: Builder, exit: Exit): Value {
  switch (exit.kind) {
    case 'jump':
      return b.address(exit.target)
    case 'branch':
      return b.select(exit.condition, b.address(exit.taken), b.address(exit.fallThrough))
    case 'indirect':
      return exit.target
    default:
      throw new Error(`a branch does not end in ${exit.kind}`)
  }
}
