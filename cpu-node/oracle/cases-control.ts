/**
 * Jumps and branches, with what stands in their delay slots: plain work, registers the branch itself uses, faults.
 *
 *     word 0   b word 4; nop        a way around
 *          2   break                where a backward branch goes
 *          4   the branch
 *          5   its delay slot
 *          6   ori                  passed over if it is taken
 *          7   break
 *          8   break                where a forward branch goes
 */
import type { Mnemonic } from '../isa/mips/encodings.ts'
import { word } from './assembler.ts'
import { type CaseList, STATUS_KERNEL } from './case-list.ts'
import { END } from './harness.ts'

const BRANCHES: readonly Mnemonic[] = [
  ...(['bltz', 'bgez', 'bltzl', 'bgezl', 'bltzal', 'bgezal', 'bltzall', 'bgezall'] as const),
  ...(['beq', 'bne', 'blez', 'bgtz', 'beql', 'bnel', 'blezl', 'bgtzl', 'bc1f', 'bc1t', 'bc1fl', 'bc1tl'] as const),
]
const JUMPS: readonly Mnemonic[] = ['j', 'jal', 'jr', 'jalr']
const LINKING = new Set<Mnemonic>(['bltzal', 'bgezal', 'bltzall', 'bgezall'])
const BRANCH_AT = 4
const BACKWARD_TO = 2
const FORWARD_TO = 8
const RA = 31

/** A delay slot: work on any register, on one that the branch reads or writes, or a fault. */
function delaySlot(list: CaseList, used: number): number {
  const { source } = list
  switch (source.below(10)) {
    case 0:
      return 0
    case 1:
      return word('teq', { s: 0, t: 0, k: source.below(1024) })
    case 2:
      return word('lw', { s: 0, t: source.below(32), i: 1 + 4 * source.below(1000) })
    case 3:
      return word('syscall', { k: source.below(1 << 20) })
    case 4:
      return word('sw', { s: 0, t: source.below(32), i: 0x1000 + 4 * source.below(1000) })
    case 5:
      return word('addiu', { s: used, t: used, i: source.word() & 0xffff })
    case 6:
      return word('addu', { s: RA, t: used, d: source.below(32) })
    case 7:
      return word('addu', { s: source.below(32), t: source.below(32), d: RA })
    case 8:
      return word('add', { s: source.below(32), t: source.below(32), d: source.below(32) })
    default:
      return word('xori', { s: used, t: source.below(32), i: source.next() & 0xffff })
  }
}

function code(list: CaseList, branch: number, slot: number): number[] {
  const around = word('beq', { s: 0, t: 0, i: BRANCH_AT - 1 })
  const marker = word('ori', { s: 0, t: 1 + list.source.below(31), i: 0x5a5a })
  return [around, 0, END, END, branch, slot, marker, END, END]
}

function addBranch(list: CaseList, mnemonic: Mnemonic): void {
  const { source } = list
  const target = source.oneIn(3) ? BACKWARD_TO : FORWARD_TO
  // A branch-and-link on register 31 is unpredictable.
  const s = LINKING.has(mnemonic) ? source.below(31) : source.below(32)
  const { word: branch, values, name } = list.instruction(mnemonic, { i: target - BRANCH_AT - 1, s })
  const gpr: Record<number, number> = {}
  if (source.oneIn(2) && values['t']) gpr[values['t']] = gpr[s] = source.word()
  if (source.oneIn(4)) gpr[s] = 0
  const fcsr = (source.next() & 0xfe800000) >>> 0
  list.add(mnemonic, name, code(list, branch, delaySlot(list, s)), { gpr, fcsr, clearTlb: true })
}

/** Where a register jump goes: in the slot, nowhere aligned, nowhere mapped. (An odd address is MIPS16 on QEMU's 24Kf.) */
function registerTarget(list: CaseList): number {
  const choice = list.source.below(8)
  if (choice === 0) return list.slot + 4 * FORWARD_TO + 2
  if (choice === 1) return 0x00400000 + 4 * list.source.below(1000)
  if (choice === 2) return 0xc0001000 + 4 * list.source.below(1000)
  return list.slot + 4 * (choice & 1 ? FORWARD_TO : BACKWARD_TO)
}

function addJump(list: CaseList, mnemonic: Mnemonic): void {
  const { source } = list
  const s = 1 + source.below(31)
  const given: Record<string, number> = { s, h: source.oneIn(2) ? 16 : 0 }
  if (mnemonic === 'j' || mnemonic === 'jal') {
    given['j'] = ((list.slot >>> 2) + (source.oneIn(3) ? BACKWARD_TO : FORWARD_TO)) & 0x3ffffff
  } else if (mnemonic === 'jalr') {
    // The same register as source and link is unpredictable.
    given['d'] = (s + 1 + source.below(31)) % 32
  }
  const { word: jump, name } = list.instruction(mnemonic, given)
  const gpr = { [s]: registerTarget(list) }
  list.add(mnemonic, name, code(list, jump, delaySlot(list, s)), { gpr, clearTlb: true })
}

export function addControlCases(list: CaseList, casesPerEncoding: number): void {
  for (const mnemonic of BRANCHES) {
    for (let count = 0; count < casesPerEncoding; count++) addBranch(list, mnemonic)
  }
  for (const mnemonic of JUMPS) for (let count = 0; count < casesPerEncoding; count++) addJump(list, mnemonic)
  // Branches on a condition code of a coprocessor that is switched off.
  for (const mnemonic of ['bc1f', 'bc1tl'] as const) {
    const { word: branch, name } = list.instruction(mnemonic, { i: FORWARD_TO - BRANCH_AT - 1 })
    list.add(mnemonic, `${name} without CU1`, code(list, branch, 0), { status: STATUS_KERNEL & ~0x20000000 })
  }
}
