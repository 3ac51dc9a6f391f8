/**
 * Every encoding of the table on QEMU's Malta and on this CPU, with random and edge operands: registers, memory, flags and
 * exceptions must be the same, but for the differences that `differences.ts` explains.
 *
 * ANANKE_ORACLE_CASES: cases for each encoding. ANANKE_TEST_SEED: the seed, which is printed.
 */
import t from 'tap'
import { encodings } from '../isa/mips/encodings.ts'
import { runOnAnanke } from './ananke.ts'
import { CaseList } from './case-list.ts'
import { addControlCases } from './cases-control.ts'
import { addFloatCases } from './cases-float.ts'
import { addIntegerCases } from './cases-integer.ts'
import { addMemoryCases, addWideMemoryCases } from './cases-memory.ts'
import { addSequenceCases } from './cases-sequence.ts'
import { addSystemCases } from './cases-system.ts'
import { compareRecords } from './compare.ts'
import { type Difference, differences } from './differences.ts'
import { buildProgram } from './harness.ts'
import { missingQemu, runOnQemu } from './qemu.ts'

const CASES = Number(process.env['ANANKE_ORACLE_CASES'] ?? 60)
const SEED = Number(process.env['ANANKE_TEST_SEED'] ?? 20260117)

function usualCases(): CaseList {
  const list = new CaseList(SEED)
  addIntegerCases(list, CASES)
  addControlCases(list, CASES)
  addMemoryCases(list, CASES)
  addFloatCases(list, CASES, false)
  addSystemCases(list, CASES)
  addSequenceCases(list, 20 * CASES)
  return list
}

/** Status.FR set: 32 double registers. QEMU's 24Kf has it fixed at 0, its 74Kf not. */
function wideCases(): CaseList {
  const list = new CaseList(SEED + 1)
  addWideMemoryCases(list, CASES)
  addFloatCases(list, CASES, true)
  return list
}

const runs = [
  { list: usualCases(), cpu: '24Kf', what: 'all encodings' },
  { list: wideCases(), cpu: '74Kf', what: 'coprocessor 1 with FR=1' },
]
const explainedAnywhere = new Set<Difference>()

for (const endian of ['little', 'big'] as const) {
  const missing = missingQemu(endian)
  const skip = missing === undefined ? false : `${missing} is not installed (Debian: apt-get install qemu-system-mips)`
  for (const { list, cpu, what } of runs) {
    t.test(`${what}, ${endian} endian, seed ${SEED}`, { skip }, async (t) => {
      const program = buildProgram(list.cases, endian)
      const qemu = await runOnQemu(program, endian, cpu)
      const ananke = runOnAnanke(program, endian, list.cases.length)
      const comparison = compareRecords(list.cases, endian, qemu, ananke)
      for (const [difference, count] of comparison.explained) {
        explainedAnywhere.add(difference)
        t.comment(`${count} fields differ because ${difference.reason}`)
      }
      t.same(comparison.mismatches, [], `${comparison.mismatchCount} of ${comparison.cases} cases differ`)
      t.comment(`${list.counts.size} encodings, ${comparison.cases} cases`)
      t.end()
    })
  }
}

t.test('the cases leave no encoding out', (t) => {
  const covered = new Set(runs.flatMap(({ list }) => [...list.counts.keys()]))
  const left = encodings.filter(({ mnemonic }) => !covered.has(mnemonic))
  t.same(left, [])
  t.comment(`${covered.size} encodings`)
  t.end()
})

const missing = missingQemu('little') ?? missingQemu('big')

t.test('every explained difference is still there', { skip: missing ? `${missing} is not installed` : false }, (t) => {
  const stale = differences.filter((difference) => !explainedAnywhere.has(difference))
  t.same(
    stale.map(({ reason }) => reason),
    [],
  )
  t.end()
})
