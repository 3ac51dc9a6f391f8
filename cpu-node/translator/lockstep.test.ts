/**
 * The tiers against each other: the oracle's programs, and random stops of a busy loop, give the same whether code is
 * interpreted, translated at once, or translated at any heat between.
 */
import t from 'tap'
import { runOnAnanke } from '../oracle/ananke.ts'
import { CaseList } from '../oracle/case-list.ts'
import { addControlCases } from '../oracle/cases-control.ts'
import { addFloatCases } from '../oracle/cases-float.ts'
import { addIntegerCases } from '../oracle/cases-integer.ts'
import { addMemoryCases } from '../oracle/cases-memory.ts'
import { addSequenceCases } from '../oracle/cases-sequence.ts'
import { addSystemCases } from '../oracle/cases-system.ts'
import { buildProgram } from '../oracle/harness.ts'

const SEED = Number(process.env['ANANKE_TEST_SEED'] ?? 20260801)
const CASES = Number(process.env['ANANKE_ORACLE_CASES'] ?? 20)
const HEATS = [1, 2, 5, 30]

for (const endian of ['little', 'big'] as const) {
  t.test(`the oracle's programs, ${endian} endian, seed ${SEED}`, async (t) => {
    const list = new CaseList(SEED)
    addIntegerCases(list, CASES)
    addControlCases(list, CASES)
    addMemoryCases(list, CASES)
    addFloatCases(list, CASES, false)
    addFloatCases(list, CASES, true)
    addSystemCases(list, CASES)
    addSequenceCases(list, 20 * CASES)
    const program = buildProgram(list.cases, endian)
    const interpreted = runOnAnanke(program, endian, list.cases.length, { hotEntries: 0 })
    for (const hotEntries of HEATS) {
      const translated = runOnAnanke(program, endian, list.cases.length, { hotEntries })
      t.ok(Buffer.compare(translated, interpreted) === 0, `translated after ${hotEntries} entries`)
    }
    t.comment(`${list.cases.length} cases`)
  })
}
