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
const LITTLE_ROOM = { maxRegions: 4, arenaWords: 4000 }

/** A part of them is compared after every block. */
const COMPARED_CASES = Math.ceil(CASES / 5)

function casesOf(count: number) {
  const list = new CaseList(SEED)
  addIntegerCases(list, count)
  addControlCases(list, count)
  addMemoryCases(list, count)
  addFloatCases(list, count, false)
  addFloatCases(list, count, true)
  addSystemCases(list, count)
  addSequenceCases(list, 20 * count)
  return list.cases
}

for (const endian of ['little', 'big'] as const) {
  t.test(`the oracle's programs, ${endian} endian, seed ${SEED}`, async (t) => {
    const cases = casesOf(CASES)
    const program = buildProgram(cases, endian)
    const interpreted = runOnAnanke(program, endian, cases.length, { hotEntries: 0 })
    for (const hotEntries of HEATS) {
      const translated = runOnAnanke(program, endian, cases.length, { hotEntries })
      t.ok(Buffer.compare(translated, interpreted) === 0, `translated after ${hotEntries} entries`)
    }
    t.comment(`${cases.length} cases`)
  })

  t.test(`the same, compared after every block, ${endian} endian, seed ${SEED}`, async (t) => {
    const cases = casesOf(COMPARED_CASES)
    const program = buildProgram(cases, endian)
    for (const tiers of [{ hotEntries: 1 }, { hotEntries: 2, ...LITTLE_ROOM }])
      t.doesNotThrow(() => runOnAnanke(program, endian, cases.length, tiers, {}))
    t.comment(`${cases.length} cases`)
  })
}
