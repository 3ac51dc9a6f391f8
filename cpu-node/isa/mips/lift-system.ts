/** Coprocessor 0, system calls, and RDHWR. */
import { rd, rt, sel } from './fields.ts'
import { Helper } from './helpers.ts'
import type { Lifter, Lifting, Outcome } from './lifting.ts'
import { cp0, Exception } from './state.ts'

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

const look = (at: Lifting): Outcome => ({ when: 'now', exit: { kind: 'look', target: (at.pc + 4) | 0 } })

/** Calls a helper after which mode, mapping or interrupts may be others. */
const callAndLook =
  (helper: number): Lifter =>
  (at) => {
    at.needCop0()
    at.b.call(helper, [])
    return look(at)
  }

const setInterrupts =
  (enable: 0 | 1): Lifter =>
  (at) => {
    at.needCop0()
    at.putReg(rt, at.b.call(Helper.setInterruptEnable, [at.b.const(enable)], 'i32'))
    return look(at)
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
    at.b.call(Helper.writeCp0, [at.b.const(8 * at.field(rd) + at.field(sel)), at.reg(rt)])
    return look(at)
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
  di: setInterrupts(0),
  ei: setInterrupts(1),
  tlbr: callAndLook(Helper.tlbRead),
  tlbwi: callAndLook(Helper.tlbWriteIndexed),
  tlbwr: callAndLook(Helper.tlbWriteRandom),
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
  rdhwr: (at) => at.putReg(rt, at.b.call(Helper.readHardware, [at.b.const(at.field(rd))], 'i32')),
} satisfies Record<string, Lifter>
