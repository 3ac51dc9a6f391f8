/** The fields that lifters read, by the manual's names; where each stands is what the rows say. */
import assert from 'node:assert/strict'
import type { Encoding, Field } from '../encoding.ts'
import { encodings } from './encodings.ts'

/** Field `letter`, which stands in one place in all of `rows` that have it. */
function fieldOfAll(letter: string, rows: readonly Encoding[] = encodings): Field {
  const [first, ...others] = rows.flatMap(({ fields }) => fields[letter] ?? [])
  assert(first !== undefined, `a row has field ${letter}`)
  for (const { low, bits } of others) assert(low === first.low && bits === first.bits, `field ${letter} has one place`)
  return first
}

const isComparison = ({ mnemonic }: Encoding): boolean => mnemonic.startsWith('c.cond')

export const rs = fieldOfAll('s')
export const rt = fieldOfAll('t')
export const rd = fieldOfAll('d')
export const sa = fieldOfAll('a')
export const instrIndex = fieldOfAll('j')
export const sel = fieldOfAll('e')
export const msb = fieldOfAll('m')
export const lsb = fieldOfAll('l')
export const fr = fieldOfAll('R')
export const ft = fieldOfAll('T')
export const fs = fieldOfAll('S')
export const fd = fieldOfAll('D')
export const cond = fieldOfAll('n')
/** The condition code that an instruction tests, and the one that C.cond.fmt sets. */
export const cc = fieldOfAll(
  'c',
  encodings.filter((row) => !isComparison(row)),
)
export const comparedCc = fieldOfAll('c', encodings.filter(isComparison))
