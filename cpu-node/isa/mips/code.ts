import { BlockBuilder } from '../../ir/builder.ts'
import type { Code, CodeKind } from '../code.ts'
import { inlineFloat } from './float-inline.ts'
import { Helper } from './helpers.ts'
import { lift } from './lift.ts'
import { loadLinked, storeConditional } from './linked-inline.ts'
import { Status } from './state.ts'

/** MIPS code of one kind. */
export function mipsCode({ bigEndian, flags, fixed }: CodeKind): Code {
  const fr = (flags & Status.FR) !== 0
  const options = { bigEndian, fr, fixed, inDelaySlot: false, exact: false }
  return {
    lift(window, pc, maxInstructions) {
      const builder = new BlockBuilder(window.relativeTo !== undefined)
      lift(builder, window, pc, maxInstructions, options)
      return builder.block
    },
    inlineCall(helper, args) {
      if (helper === Helper.float) return inlineFloat(args, fr)
      // An address or a value that is constant, of register 0, is not worth a case of its own.
      if (bigEndian || args.some((arg) => arg !== undefined)) return undefined
      if (helper === Helper.loadLinked) return loadLinked
      return helper === Helper.storeConditional ? storeConditional : undefined
    },
  }
}
