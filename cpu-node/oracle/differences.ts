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

/**
 * Registers of another value by design: by the case that reads them, which general registers hold them and which bits may
 * differ.
 */
interface RegisterDifference {
  names: readonly string[]
  fields: readonly string[]
  mask: number
  reason: string
}

const registers: readonly RegisterDifference[] = [
  {
    names: ['mfc0 13,0', 'mtc0 Cause'],
    fields: ['$4', '$6'],
    mask: CAUSE_HARDWARE,
    reason: "interrupts of QEMU's board and timer, read by mfc0",
  },
  { names: ['mtc0 Wired'], fields: ['$6'], mask: 0x30, reason: "Wired: 64 TLB entries; QEMU's 24Kf has 16" },
  { names: ['mtc0 Index'], fields: ['$6'], mask: 0x3f, reason: 'Index: 64 TLB entries; QEMU ignores what is above 15' },
  {
    names: ['mtc0 Config1', 'mfc0 16,1'],
    fields: ['$4', '$5', '$6'],
    mask: 0x7e00000e,
    reason: 'Config1: 64 TLB entries, no watch registers, no MIPS16, no EJTAG',
  },
  {
    names: ['mtc0 Config3', 'mfc0 16,3'],
    fields: ['$4', '$5', '$6'],
    mask: 1 << 13,
    reason: "Config3.ULRI: UserLocal is there; QEMU's 24Kf has none",
  },
  { names: ['mtc0 HWREna'], fields: ['$6'], mask: 1 << 29, reason: 'HWREna bit 29 lets users read UserLocal' },
  {
    names: ['mtc0 Compare'],
    fields: ['$5'],
    mask: -1,
    reason: 'Compare was set from Count, which QEMU counts at another speed',
  },
  {
    names: ['mtc0 IntCtl'],
    fields: ['$6'],
    mask: 0x3e0,
    reason: 'IntCtl.VS is 0 where Config3.VInt is; QEMU keeps it',
  },
  {
    names: ['mtc0 SRSCtl'],
    fields: ['$6'],
    mask: 0xf3c0,
    reason: 'SRSCtl.ESS and PSS are 0: no shadow sets; QEMU keeps them',
  },
  { names: ['mtc0 LLAddr'], fields: ['$5', '$6'], mask: -1, reason: 'LLAddr, which QEMU clears at eret, read by mfc0' },
  { names: ['mtc0 TagLo', 'mtc0 DataLo'], fields: ['$6'], mask: -1, reason: 'no caches: TagLo and DataLo read as 0' },
  {
    names: [1, 2, 3].flatMap((select) => [`mfc0 13,${select}`, `mfc0 14,${select}`]),
    fields: ['$4'],
    mask: -1,
    reason: "a CP0 register that is not there reads as 0; QEMU's as all ones",
  },
]

function ofRegister({ names, fields, mask, reason }: RegisterDifference): Difference {
  return {
    reason,
    explains: ({ test, field, expected, actual }) =>
      fields.includes(field) &&
      names.some((name) => test.name.startsWith(`${name} [`)) &&
      ((numberOf(expected, field) ^ numberOf(actual, field)) & ~mask) === 0,
  }
}

/** Whether a TLB entry read back differs in address bits below its page size alone. */
function differsUnderPageMask({ test, field, expected, actual }: Deviation): boolean {
  if (test.mnemonic !== 'tlbr') return false
  const pageMask = numberOf(expected, 'PageMask')
  const difference = numberOf(expected, field) ^ numberOf(actual, field)
  if (field === 'EntryHi' || field === '$9') return (difference & ~pageMask) === 0
  const isLow = field === 'EntryLo0' || field === 'EntryLo1' || field === '$10' || field === '$11'
  return isLow && (difference & ~((pageMask >>> 13) << 6)) === 0
}

export const differences: readonly Difference[] = [
  {
    reason: "QEMU's Count runs at another speed and its board interrupts; here neither timer nor board interrupts",
    explains: (deviation) => causeDiffersIn(CAUSE_HARDWARE, deviation),
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
  {
    reason: 'address bits below a page of its size are implementation dependent in a TLB entry (MD00090, TLBWI)',
    explains: differsUnderPageMask,
  },
  {
    reason: 'Index, but for its top bit, is undefined after a tlbp that found nothing (MD00090, Index)',
    explains: ({ test, field, expected, actual }) =>
      test.mnemonic === 'tlbp' &&
      (field === 'Index' || field === '$10') &&
      numberOf(expected, field) >>> 31 === 1 &&
      numberOf(actual, field) >>> 31 === 1,
  },
  ...registers.map(ofRegister),
]
