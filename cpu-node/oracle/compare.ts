/** Compares what QEMU and this CPU left of each case. */
import { type Difference, differences } from './differences.ts'
import { type Case, isMissing, readOutcome } from './harness.ts'

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

/** The registers that a case was given, as far as they help to understand it: all that its first word names. */
function inputs(test: Case): string {
  const registers = [...test.gpr].map(([register, value]) => `$${register}=${show(value)}`).join(' ')
  const floats = [...test.fpr].map(([register, value]) => `$f${register}=${show(value)}`).join(' ')
  return `Status=${show(test.status)} FCSR=${show(test.fcsr)} HI=${show(test.hi)} LO=${show(test.lo)} ${registers} ${floats}`
}

export function compareRecords(
  cases: readonly Case[],
  endian: 'little' | 'big',
  qemu: Uint8Array,
  ananke: Uint8Array,
): Comparison {
  const little = endian === 'little'
  const comparison: Comparison = { cases: cases.length, mismatches: [], mismatchCount: 0, explained: new Map() }
  for (const [index, test] of cases.entries()) {
    if (isMissing(qemu, index, little)) throw new Error(`QEMU never finished ${test.name}`)
    const fields: string[] = []
    const actual = readOutcome(ananke, index, little)
    for (const [field, expected] of readOutcome(qemu, index, little)) {
      const got = actual.get(field)
      if (got === expected) continue
      const difference = differences.find((candidate) => candidate.explains(test, field, expected, got))
      if (difference) comparison.explained.set(difference, (comparison.explained.get(difference) ?? 0) + 1)
      else fields.push(`${field}: expected ${show(expected)}, actual ${show(got)}`)
    }
    if (fields.length === 0) continue
    comparison.mismatchCount++
    if (comparison.mismatches.length < MOST_MISMATCHES) {
      comparison.mismatches.push({ name: `${test.name}; ${inputs(test)}`, fields })
    }
  }
  return comparison
}
