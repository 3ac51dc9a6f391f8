/**
 * Which values of a block are made where they are used, on WebAssembly's stack, instead of in a local.
 */
import type { Block, Op, Value } from '../ir/ir.ts'
import { valuesOf } from '../ir/uses.ts'

export interface Inlining {
  /** 1: made where it is used. */
  inline: Uint8Array
  uses: Int32Array
}

/** A value is made where it is used if that is one place and no state is written on the way there. */
export function planInlining({ ops, exit }: Block): Inlining {
  const count = ops.length
  const uses = new Int32Array(count)
  const user = new Int32Array(count)
  const effectsBefore = new Int32Array(count + 2)
  const use = (value: Value, at: number) => {
    uses[value]!++
    user[value] = at
  }
  for (let index = 0; index < count; index++) {
    const op = ops[index]!
    for (const value of valuesOf(op)) use(value, index)
    effectsBefore[index + 1] = effectsBefore[index]! + (isEffect(op) ? 1 : 0)
  }
  effectsBefore[count + 1] = effectsBefore[count]!
  if (exit.kind === 'branch') use(exit.condition, count)
  if (exit.kind === 'indirect') use(exit.target, count)
  const inline = new Uint8Array(count)
  const emittedAt = new Int32Array(count)
  for (let index = count - 1; index >= 0; index--) {
    emittedAt[index] = index
    const op = ops[index]!
    if (op.op === 'const' || op.op === 'address') inline[index] = 1
    if (!isPure(op) || uses[index] !== 1) continue
    const at = user[index]! < count ? emittedAt[user[index]!]! : count
    if (effectsBefore[at] !== effectsBefore[index + 1]) continue
    inline[index] = 1
    emittedAt[index] = at
  }
  return { inline, uses }
}

function isPure(op: Op): boolean {
  return (
    op.op === 'get' ||
    op.op === 'binary' ||
    op.op === 'compare' ||
    op.op === 'unary' ||
    op.op === 'convert' ||
    op.op === 'select'
  )
}

/** Writes to guest state: what reads it must not move over these. */
function isEffect(op: Op): boolean {
  return op.op === 'put' || op.op === 'call'
}
