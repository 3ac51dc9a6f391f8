/** Jumps and branches. */
import type { Compare, Value } from '../../ir/ir.ts'
import { instrIndex, rd, rs, rt } from './fields.ts'
import { conditionCode } from './lift-integer.ts'
import type { Lifter, Lifting, Outcome } from './lifting.ts'
import { gpr } from './state.ts'

const RA = gpr(31)

function branch(at: Lifting, condition: Value): Outcome {
  const exit = { kind: 'branch', condition, taken: at.branchTarget, fallThrough: (at.pc + 8) | 0 } as const
  return { when: 'afterDelaySlot', exit }
}

/** A branch likely that is not taken passes over its delay slot. */
function branchLikely(at: Lifting, condition: Value): Outcome {
  at.b.exitIf(at.b.compare('eq', condition, at.b.const(0)), (at.pc + 8) | 0)
  return jumpTo(at.branchTarget)
}

function jumpTo(target: number): Outcome {
  return { when: 'afterDelaySlot', exit: { kind: 'jump', target } }
}

type Finish = (at: Lifting, condition: Value) => Outcome

const ofTwo =
  (name: Compare, finish: Finish): Lifter =>
  (at) => {
    if (name === 'eq' && finish === branch && at.field(rs) === at.field(rt)) return jumpTo(at.branchTarget)
    return finish(at, at.b.compare(name, at.reg(rs), at.reg(rt)))
  }

/** Compares rs with zero; `swapped` puts the zero first. */
const ofOne =
  (name: Compare, swapped: boolean, finish: Finish, link = false): Lifter =>
  (at) => {
    const zero = at.b.const(0)
    const condition = swapped ? at.b.compare(name, zero, at.reg(rs)) : at.b.compare(name, at.reg(rs), zero)
    if (link) at.b.put(RA, at.b.address(at.pc + 8))
    // BAL: zero is not less than zero.
    if (link && name === 'leS' && finish === branch && at.field(rs) === 0) return jumpTo(at.branchTarget)
    return finish(at, condition)
  }

const ofCode =
  (wanted: 0 | 1, finish: Finish): Lifter =>
  (at) => {
    at.needCop1()
    return finish(at, at.b.compare('eq', conditionCode(at), at.b.const(wanted)))
  }

const jump =
  (link: boolean): Lifter =>
  (at) => {
    if (link) at.b.put(RA, at.b.address(at.pc + 8))
    const index = at.field(instrIndex) << 2
    if (at.relativeTo === undefined) {
      return jumpTo(((at.pc + 4) & 0xf000_0000) | index)
    }
    const target = at.b.const((at.relativeTo & 0xf000_0000) | index)
    return { when: 'afterDelaySlot', exit: { kind: 'indirect', target } }
  }

export const control = {
  j: jump(false),
  jal: jump(true),
  jr: (at) => ({ when: 'afterDelaySlot', exit: { kind: 'indirect', target: at.reg(rs) } }),
  jalr(at) {
    const target = at.reg(rs)
    at.putReg(rd, at.b.address(at.pc + 8))
    return { when: 'afterDelaySlot', exit: { kind: 'indirect', target } }
  },
  beq: ofTwo('eq', branch),
  bne: ofTwo('ne', branch),
  beql: ofTwo('eq', branchLikely),
  bnel: ofTwo('ne', branchLikely),
  blez: ofOne('leS', false, branch),
  bgtz: ofOne('ltS', true, branch),
  bltz: ofOne('ltS', false, branch),
  bgez: ofOne('leS', true, branch),
  blezl: ofOne('leS', false, branchLikely),
  bgtzl: ofOne('ltS', true, branchLikely),
  bltzl: ofOne('ltS', false, branchLikely),
  bgezl: ofOne('leS', true, branchLikely),
  bltzal: ofOne('ltS', false, branch, true),
  bgezal: ofOne('leS', true, branch, true),
  bltzall: ofOne('ltS', false, branchLikely, true),
  bgezall: ofOne('leS', true, branchLikely, true),
  bc1f: ofCode(0, branch),
  bc1t: ofCode(1, branch),
  bc1fl: ofCode(0, branchLikely),
  bc1tl: ofCode(1, branchLikely),
} satisfies Record<string, Lifter>
