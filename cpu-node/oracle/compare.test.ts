/** The judge must see every register, and name what differs: our own records, changed by hand, stand in for QEMU's. */
import t from 'tap'
import { runOnAnanke } from './ananke.ts'
import { word } from './assembler.ts'
import { CaseList } from './case-list.ts'
import { compareRecords } from './compare.ts'
import { buildProgram, CP0_REGISTERS, RECORD_BYTES, readOutcome } from './harness.ts'

const SEED = 1

function records(endian: 'little' | 'big') {
  const list = new CaseList(SEED)
  list.add('addu', 'addu', [word('addu', { s: 4, t: 5, d: 6 })], { gpr: { 4: 7, 5: 8 } })
  list.add('add', 'add', [word('add', { s: 4, t: 5, d: 6 })], { gpr: { 4: 0x7fffffff, 5: 1 } })
  const program = buildProgram(list.cases, endian)
  return { cases: list.cases, bytes: runOnAnanke(program, endian, list.cases.length) }
}

for (const endian of ['little', 'big'] as const) {
  t.test(`the harness, ${endian} endian`, (t) => {
    const { cases, bytes } = records(endian)
    const little = endian === 'little'
    const sum = readOutcome(bytes, 0, little)
    t.equal(sum.get('$6'), 15)
    t.equal(sum.get('vector'), 'general')
    t.equal(Number(sum.get('Cause')) & 0x7c, 9 << 2, 'the break that ends a slot')
    const overflow = readOutcome(bytes, 1, little)
    t.equal(overflow.get('$6'), cases[1]?.gpr.get(6), 'an overflow writes nothing')
    t.equal(Number(overflow.get('Cause')) & 0x7c, 12 << 2)
    t.equal(compareRecords(cases, endian, bytes, bytes).mismatchCount, 0)
    t.end()
  })
}

t.test('a changed bit anywhere in what a case leaves is seen and named', (t) => {
  const { cases, bytes } = records('little')
  const names = new Set<string>()
  let seen = 0
  for (let offset = 0; offset < RECORD_BYTES; offset += 4) {
    const changed = bytes.slice()
    changed[RECORD_BYTES + offset]! ^= 1
    const { mismatches } = compareRecords(cases, 'little', bytes, changed)
    if (mismatches.length === 0) continue
    seen++
    t.match(mismatches[0]?.name, /^add \[00853020\]; .*\$4=0x7fffffff \$5=0x1 /)
    for (const field of mismatches[0]?.fields ?? []) names.add(field.slice(0, field.indexOf(':')))
  }
  // An explained difference covers LLAddr where QEMU's is 0, as it is here.
  const outcome = [...readOutcome(bytes, 1, true).keys()].filter((name) => name !== 'LLAddr')
  t.same([...names].sort(), outcome.sort())
  // 34 integer registers, Status, FCSR, vector, CP0, 32 wide registers, the data.
  t.equal(seen, 34 + 3 + CP0_REGISTERS.length - 1 + 64 + 32)
  t.end()
})

t.test('a case that never came back', (t) => {
  const { cases, bytes } = records('little')
  const lost = bytes.slice()
  lost.fill(0, RECORD_BYTES)
  t.match(compareRecords(cases, 'little', bytes, lost).mismatches[0]?.fields, [/^\$/])
  t.throws(() => compareRecords(cases, 'little', lost, bytes), /QEMU never finished add/)
  t.end()
})
