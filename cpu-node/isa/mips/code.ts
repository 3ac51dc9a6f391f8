import type { Code, CodeKind } from '../code.ts'
import { inlineFloat } from './float-inline.ts'
import { Helper } from './helpers.ts'
import { lift } from './lift.ts'
import { Status } from './state.ts'

/** MIPS code of one kind. */
export function mipsCode({ bigEndian, flags, fixed }: CodeKind): Code {
  const fr = (flags & Status.FR) !== 0
  const options = { bigEndian, fr, fixed, inDelaySlot: false, exact: false }
  return {
    lift: (window, pc, maxInstructions) => lift(window, pc, maxInstructions, options),
    inlineCall: (helper, args) => (helper === Helper.float ? inlineFloat(args, fr) : undefined),
  }
}
