import t from 'tap'
import { accessTable, caseTable, mipsOf, projectTable, resultObject, rounded, targetTable } from './report.ts'
import { Results } from './results.ts'
import type { Sample } from './sample.ts'

const sample = (seconds: number, more: Partial<Sample> = {}): Sample => ({
  seconds,
  cpuSeconds: seconds,
  peakBytes: 256 * 2 ** 20,
  ...more,
})
const project = {
  instructions: 5_000_000_000,
  journalBytes: 250_000,
  bytesPer1000Instructions: 0.05,
  digest: 'd',
  peakBeyondGuestBytes: 600e6,
  statistics: { instructions: 5_000_000_000, regions: 4027, translatedInstructions: 4_900_000_000 },
}

/** The cells of each row of a table. */
const rows = (table: string) =>
  table
    .split('\n')
    .filter((line) => line.startsWith('│'))
    .map((line) =>
      line
        .slice(1, -1)
        .split('│')
        .map((cell) => cell.trim()),
    )

function results(): Results {
  const all = new Results(3)
  for (const [round, seconds] of [6, 4, 5].entries()) {
    all.add(round, 'record', 'ananke', sample(seconds, { wholeSeconds: 2 * seconds, project }))
    all.add(round, 'record', 'qemu-record', sample(2 * seconds))
    all.add(round, 'boot', 'qemu', sample(seconds / 2))
    // One round of the peer failed.
    if (round !== 1) all.add(round, 'copy', 'qemu', sample(seconds, { instructions: 1e9 }))
    all.add(round, 'copy', 'ananke', sample(seconds / 4, { instructions: 1e9 }))
  }
  return all
}

t.test('figures have three digits or so', async (t) => {
  t.same([0.123, 5, 12.34, 1234.5].map(rounded), ['0.12', '5.00', '12.3', '1,235'])
})

t.test('the table of cases', async (t) => {
  t.same(rows(caseTable(results())), [
    ['case', 'side', 'median s', 'low', 'high', 'whole s', 'CPU s', 'peak MiB', 'MIPS'],
    ['boot', 'qemu', '2.50', '2.00', '3.00', '', '2.50', '256', ''],
    ['record', 'ananke', '5.00', '4.00', '6.00', '10.0', '5.00', '256', '500'],
    ['record', 'qemu-record', '10.0', '8.00', '12.0', '', '10.0', '256', ''],
    ['copy', 'ananke', '1.25', '1.00', '1.50', '', '1.25', '256', '800'],
    ['copy', 'qemu', '5.50', '5.00', '6.00', '', '5.50', '256', '183'],
  ])
})

t.test('the table of targets says what is reached', async (t) => {
  t.same(rows(targetTable(results())), [
    ['target', 'measured', 'of pairs', 'low', 'high', 'must', 'aim', 'reached'],
    ['recording the boot / QEMU recording it', '0.500', '0.500', '0.500', '0.500', '≤ 1.000', '≤ 1.000', 'aim'],
    ['recording the boot / QEMU plain', '2.000', '2.000', '2.000', '2.000', '', '≤ 1.000', 'not reached'],
    ['copy: MIPS / QEMU plain', '4.000', '4.000', '4.000', '4.000', '≥ 1.000', '≥ 2.000', 'aim'],
    ['journal of the boot', '0.25 MB', '', '0.25 MB', '0.25 MB', '≤ 1.00 MB', '≤ 0.30 MB', 'aim'],
    [
      'peak memory beyond guest RAM, recording the boot',
      '600 MB',
      '',
      '600 MB',
      '600 MB',
      '≤ 500 MB',
      '≤ 300 MB',
      'not reached',
    ],
  ])
  t.equal(targetTable(new Results(1)), '')
})

t.test("the table of the project's own figures", async (t) => {
  const table = new Map(rows(projectTable(results())).map(([what, ...cells]) => [what, cells]))
  t.same(table.get('of the project'), ['record'])
  t.same(table.get('instructions'), ['5,000,000,000'])
  t.same(table.get('instructions translated'), ['98.00 %'])
  t.same(table.get('instructions interpreted'), ['2.00 %'])
  t.same(table.get('regions'), ['4,027'])
  t.equal(projectTable(new Results(1)), '')
})

t.test('an access costs what its loop takes more than the one without', async (t) => {
  const all = new Results(2)
  for (const [round, seconds] of [4, 3].entries()) {
    all.add(round, 'message-access', 'ananke', sample(seconds, { iterations: 1e6 }))
    // One round of the loop without failed, and with it that of the access.
    if (round === 0) all.add(round, 'no-access', 'ananke', sample(1, { iterations: 5e6 }))
  }
  t.same(rows(accessTable(all)), [
    ['a register access', 'side', 'median ns', 'low', 'high'],
    ['message-access', 'ananke', '1,900', '1,900', '1,900'],
  ])
  const target = rows(targetTable(all)).at(-1)!
  t.same(target.slice(1), ['1,900 ns', '', '1,900 ns', '1,900 ns', '≤ 1,000 ns', '≤ 1,000 ns', 'not reached'])
  t.equal(accessTable(results()), '')
})

t.test('speed is of the loop where its instructions are known, else of the whole run', async (t) => {
  t.equal(mipsOf(sample(2, { instructions: 1e9, project, wholeSeconds: 100 })), 500)
  t.equal(mipsOf(sample(2, { project, wholeSeconds: 10 })), 500)
  t.equal(mipsOf(sample(2, { project })), undefined)
})

t.test('everything is kept for programs', async (t) => {
  const object = JSON.parse(JSON.stringify(resultObject(results())))
  t.equal(object.rounds, 3)
  const copy = object.cases.find(({ case: name, side }: Record<string, string>) => name === 'copy' && side === 'qemu')
  t.same(
    copy.samples.map((one: Sample | null) => one?.seconds),
    [6, undefined, 5],
  )
  t.match(object.targets[1], { what: 'recording the boot / QEMU plain', must: null, aim: 1, median: 2 })
})
