/**
 * Where QEMU and this CPU differ, and why that is right. Whatever differs and is not explained here fails the test; so
 * does an explanation that nothing needs any more.
 */
import { fieldOf } from '../isa/encoding.ts'
import type { Mnemonic } from '../isa/mips/encodings.ts'
import { Exception } from '../isa/mips/state.ts'
import { encodingOf } from './assembler.ts'
import type { Case, Outcome } from './harness.ts'

/** One register or piece of memory of one case that is not the same. */
export interface Deviation {
  test: Case
  /** Its name in an outcome. */
  field: string
  /** What QEMU left, and what we did, of this case and of the one before. */
  expected: Outcome
  actual: Outcome
  expectedBefore: Outcome | undefined
  actualBefore: Outcome | undefined
}

export interface Difference {
  reason: string
  explains(deviation: Deviation): boolean
}

const CAUSE_HARDWARE = 0x4000fc00
const CAUSE_CE = 0x30000000
const CAUSE_BD = 0x80000000

const ADDRESS_ERRORS: readonly number[] = [Exception.AdEL, Exception.AdES]

function numberOf(outcome: Outcome, field: string): number {
  const value = outcome.get(field)
  return typeof value === 'number' ? value : Number.NaN
}

function exceptionCode(outcome: Outcome): number {
  return (numberOf(outcome, 'Cause') >>> 2) & 0x1f
}

/** Whether Cause differs in bits of `mask` alone. */
function causeDiffersIn(mask: number, { field, expected, actual }: Deviation): boolean {
  return field === 'Cause' && ((numberOf(expected, field) ^ numberOf(actual, field)) & ~mask) === 0
}

const BRANCH_WORD = 4
/** Branches that compare a register with zero, and are not taken where the register is $0. */
const NEVER_WITH_ZERO = new Set<Mnemonic>(['bltz', 'bgtz'])

/** Whether a branch can be seen from its word alone never to be taken. */
function isNeverTaken({ mnemonic, code }: Case): boolean {
  const branch = code[BRANCH_WORD]
  if (branch === undefined) return false
  const register = (letter: string): number => fieldOf(encodingOf(mnemonic), letter, branch)
  if (mnemonic === 'bne') return register('s') === register('t')
  return NEVER_WITH_ZERO.has(mnemonic) && register('s') === 0
}

export const differences: readonly Difference[] = [
  {
    reason: "QEMU's Count follows the host's clock and its board interrupts; here neither timer nor board interrupts",
    explains: (deviation) => causeDiffersIn(CAUSE_HARDWARE, deviation),
  },
  {
    reason: 'Cause.CE is undefined but after Coprocessor Unusable (MD00090, Cause); QEMU leaves what was there',
    explains: (deviation) =>
      exceptionCode(deviation.expected) !== Exception.CpU && causeDiffersIn(CAUSE_HARDWARE | CAUSE_CE, deviation),
  },
  {
    reason: 'Context and EntryHi are undefined after an address error (MD00090, EntryHi); QEMU writes them',
    explains: ({ field, expected, actual }) =>
      (field === 'Context' || field === 'EntryHi') &&
      ADDRESS_ERRORS.includes(exceptionCode(actual)) &&
      exceptionCode(expected) === exceptionCode(actual),
  },
  {
    reason: "QEMU's eret clears LLAddr, which the manual leaves alone",
    explains: ({ field, expected }) => field === 'LLAddr' && expected.get(field) === 0,
  },
  {
    reason: 'a register that this case leaves alone still holds what an earlier, explained case left in it',
    explains: ({ field, expected, actual, expectedBefore, actualBefore }) =>
      (field === 'BadVAddr' || field === 'Context') &&
      expectedBefore?.get(field) === expected.get(field) &&
      actualBefore?.get(field) === actual.get(field),
  },
  {
    reason: 'sc translates and checks its address even if the link is broken (MD00086, SC); QEMU does not look at it',
    explains: ({ test, expected, actual }) =>
      test.mnemonic === 'sc' && exceptionCode(expected) === Exception.Bp && exceptionCode(actual) !== Exception.Bp,
  },
  {
    reason: 'coprocessor 2 is unusable (MD00086, COP2) before its instructions are reserved; QEMU says reserved',
    explains: (deviation) =>
      deviation.test.code[0]! >>> 26 === 0x12 &&
      exceptionCode(deviation.actual) === Exception.CpU &&
      causeDiffersIn(CAUSE_HARDWARE | CAUSE_CE | 0x7c, deviation),
  },
  {
    reason: 'a branch that is never taken still has a delay slot; QEMU takes it for a nop',
    explains: (deviation) => {
      const { test, field, expected, actual } = deviation
      if (!isNeverTaken(test)) return false
      if (field === 'EPC') return numberOf(expected, field) === numberOf(actual, field) + 4
      return causeDiffersIn(CAUSE_HARDWARE | CAUSE_CE | CAUSE_BD, deviation)
    },
  },
]
