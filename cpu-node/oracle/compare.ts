/** Compares what QEMU and this CPU left of each case. */
import { Decoder } from '../isa/decoder.ts'
import { fieldOf } from '../isa/encoding.ts'
import { encodings } from '../isa/mips/encodings.ts'
import { type Difference, differences } from './differences.ts'
import { type Case, isMissing, type Outcome, readOutcome } from './harness.ts'

/** One case that differs, in words for a person. */
export interface Mismatch {
  name: string
  fields: string[]
}

export interface Comparison {
  cases: number
  /** The first ones, `MOST_MISMATCHES` at most. */
  mismatches: Mismatch[]
  mismatchCount: number
  /** How many fields each explained difference accounts for. */
  explained: Map<Difference, number>
}

const MOST_MISMATCHES = 30

function show(value: unknown): string {
  return typeof value === 'number' || typeof value === 'bigint' ? `0x${value.toString(16)}` : String(value)
}

const decoder = new Decoder(encodings)

/** The registers that a case's instructions name, as it was given them. */
function inputs(test: Case): string {
  const shown = new Set([`Status=${show(test.status)} FCSR=${show(test.fcsr)} HI=${show(test.hi)} LO=${show(test.lo)}`])
  for (const word of test.code) {
    const encoding = decoder.decode(word)
    for (const letter of Object.keys(encoding?.fields ?? {})) {
      const register = fieldOf(encoding!, letter, word)
      if ('std'.includes(letter)) shown.add(`$${register}=${show(test.gpr.get(register) ?? 0)}`)
      if ('RSTD'.includes(letter)) shown.add(`$f${register}=${show(test.fpr.get(register) ?? 0n)}`)
    }
  }
  return [...shown].join(' ')
}

export function compareRecords(
  cases: readonly Case[],
  endian: 'little' | 'big',
  qemu: Uint8Array,
  ananke: Uint8Array,
): Comparison {
  const little = endian === 'little'
  const comparison: Comparison = { cases: cases.length, mismatches: [], mismatchCount: 0, explained: new Map() }
  let expectedBefore: Outcome | undefined
  let actualBefore: Outcome | undefined
  for (const [index, test] of cases.entries()) {
    if (isMissing(qemu, index, little)) throw new Error(`QEMU never finished ${test.name}`)
    const fields: string[] = []
    const expected = readOutcome(qemu, index, little)
    const actual = readOutcome(ananke, index, little)
    for (const [field, value] of expected) {
      const got = actual.get(field)
      if (got === value) continue
      const deviation = { test, field, expected, actual, expectedBefore, actualBefore }
      const difference = differences.find((candidate) => candidate.explains(deviation))
      if (difference) comparison.explained.set(difference, (comparison.explained.get(difference) ?? 0) + 1)
      else fields.push(`${field}: expected ${show(value)}, actual ${show(got)}`)
    }
    expectedBefore = expected
    actualBefore = actual
    if (fields.length === 0) continue
    comparison.mismatchCount++
    if (comparison.mismatches.length < MOST_MISMATCHES) {
      comparison.mismatches.push({ name: `${test.name}; ${inputs(test)}`, fields })
    }
  }
  return comparison
}
