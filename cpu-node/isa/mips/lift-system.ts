/** Coprocessor 0, system calls, and RDHWR. */
import type { Value } from '../../ir/ir.ts'
import { rd, rt, sel } from './fields.ts'
import { Helper } from './helpers.ts'
import type { Lifter, Lifting, Outcome } from './lifting.ts'
import { CAUSE, Cause, COP0_UNUSABLE, cp0, Exception, HWRENA, STATUS, Status, USER_LOCAL } from './state.ts'

/** Registers that read as guest state has them; the others ask `readCp0`. */
const PLAIN_READS = new Set(
  [
    [0], [2], [3], [4], [4, 2], [5], [6], [7], [8], [10], [11], [12], [12, 1], [12, 2], [13], [14], [15], [15, 1],
    [16], [16, 1], [16, 2], [16, 3], [30],
  ].map(([register, select]) => cp0(register!, select)),
) // biome-ignore format: a table

/** Registers that a plain write, through a mask, is enough for: nothing else depends on them at once. */
const PLAIN_WRITES = new Map<number, number>([
  [cp0(2), 0x03ff_ffff],
  [cp0(3), 0x03ff_ffff],
  [cp0(4, 2), -1],
  [cp0(14), -1],
  [cp0(30), -1],
])

/** RDHWR's number of UserLocal. */
const USER_LOCAL_NUMBER = 29

const look = (at: Lifting): Outcome => ({ when: 'now', exit: { kind: 'look', target: (at.pc + 4) | 0 } })

/** Calls a helper after which mode, mapping or interrupts may be others. */
const callAndLook =
  (helper: number): Lifter =>
  (at) => {
    at.needCop0()
    at.b.call(helper, [])
    return look(at)
  }

/** Looks after this instruction if `condition` is not 0. In a delay slot that is where the branch goes: look always. */
// biome-ignore lint/suspicious/noConfusingVoidType: as lifters return
function lookIf(at: Lifting, condition: Value): Outcome | void {
  if (at.delaySlot) return look(at)
  at.b.lookIf(condition, (at.pc + 4) | 0)
}

/** Puts Status with IE cleared or set, and what it was in rt. Gives the new Status. */
function putInterruptEnable(at: Lifting, enable: 0 | 1): Value {
  const { b } = at
  const before = b.get(STATUS)
  const status =
    enable === 1 ? b.binary('or', before, b.const(Status.IE)) : b.binary('and', before, b.const(~Status.IE))
  b.put(STATUS, status)
  at.putReg(rt, before)
  return status
}

/** A TLB entry is written: code that is not mapped through the TLB itself just goes on. */
const writeTlb =
  (helper: number): Lifter =>
  (at) => {
    at.needCop0()
    at.b.call(helper, [])
    if (!at.fixed) return look(at)
  }

const fault =
  (code: number): Lifter =>
  () => ({ when: 'now', exit: { kind: 'fault', code } })

export const system = {
  mfc0(at) {
    at.needCop0()
    const register = 8 * at.field(rd) + at.field(sel)
    const offset = cp0(at.field(rd), at.field(sel))
    at.putReg(rt, PLAIN_READS.has(offset) ? at.b.get(offset) : at.b.call(Helper.readCp0, [at.b.const(register)], 'i32'))
  },
  mtc0(at) {
    at.needCop0()
    const offset = cp0(at.field(rd), at.field(sel))
    const mask = PLAIN_WRITES.get(offset)
    if (mask !== undefined) {
      at.b.put(offset, mask === -1 ? at.reg(rt) : at.b.binary('and', at.reg(rt), at.b.const(mask)))
      return
    }
    return lookIf(at, at.b.call(Helper.writeCp0, [at.b.const(8 * at.field(rd) + at.field(sel)), at.reg(rt)], 'i32'))
  },
  // One register set: the previous set is the current one.
  rdpgpr(at) {
    at.needCop0()
    at.putReg(rd, at.reg(rt))
  },
  wrpgpr(at) {
    at.needCop0()
    at.putReg(rd, at.reg(rt))
  },
  di(at) {
    at.needCop0()
    putInterruptEnable(at, 0)
  },
  ei(at) {
    at.needCop0()
    const { b } = at
    const status = putInterruptEnable(at, 1)
    const pending = b.binary('and', b.binary('and', b.get(CAUSE), status), b.const(Cause.IP))
    const blocked = b.binary('and', status, b.const(Status.EXL | Status.ERL))
    return lookIf(at, b.binary('and', b.compare('ne', pending, b.const(0)), b.compare('eq', blocked, b.const(0))))
  },
  tlbr: callAndLook(Helper.tlbRead),
  tlbwi: writeTlb(Helper.tlbWriteIndexed),
  tlbwr: writeTlb(Helper.tlbWriteRandom),
  tlbp(at) {
    at.needCop0()
    at.b.call(Helper.tlbProbe, [])
  },
  eret(at) {
    at.needCop0()
    at.b.call(Helper.exceptionReturn, [])
    return { when: 'now', exit: { kind: 'lookAtState' } }
  },
  wait: callAndLook(Helper.wait),
  syscall: fault(Exception.Sys),
  break: fault(Exception.Bp),
  rdhwr(at) {
    if (at.field(rd) !== USER_LOCAL_NUMBER) {
      at.putReg(rt, at.b.call(Helper.readHardware, [at.b.const(at.field(rd))], 'i32'))
      return
    }
    // Every access to thread-local data is one of these.
    const { b } = at
    const enabled = b.binary('and', b.binary('shrU', b.get(HWRENA), b.const(USER_LOCAL_NUMBER)), b.const(1))
    const allowed = b.binary('or', enabled, b.compare('eq', b.get(COP0_UNUSABLE), b.const(0)))
    b.faultIf(b.compare('eq', allowed, b.const(0)), Exception.RI)
    at.putReg(rt, b.get(USER_LOCAL))
  },
} satisfies Record<string, Lifter>
