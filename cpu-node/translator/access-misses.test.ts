/** When code is made to call for accesses that miss, and for which. */
import t from 'tap'
import { CODE_BASE, testMachine } from '../test-machine.ts'
import { AccessMisses, CALLING_CHUNK } from './access-misses.ts'
import { ImmediateCompiler } from './compilers.ts'
import type { TranslationRequest } from './translate.ts'

const PLACE = 3 * CALLING_CHUNK + 8

t.test('many misses in few instructions make a chunk call', async (t) => {
  const misses = new AccessMisses()
  const counts = Array.from({ length: 63 }, (_, count) => misses.add(PLACE, 1000 * count))
  t.notOk(counts.includes(true))
  t.notOk(misses.isByCall(PLACE))
  t.ok(misses.add(PLACE, 100_000))
  const [first, last] = [3 * CALLING_CHUNK, 4 * CALLING_CHUNK - 4]
  t.same(
    [first - 4, first, PLACE, last, last + 4].map((place) => misses.isByCall(place)),
    [false, true, true, true, false],
  )
})

t.test('addresses are signed, or offsets in a page', async (t) => {
  const misses = new AccessMisses()
  misses.call((0x8000_1000 + PLACE) | 0)
  t.ok(misses.isByCall((0x8000_1000 + PLACE + 4) | 0))
  t.notOk(misses.isByCall(PLACE))
})

t.test('as many in more instructions, or of several places, do not', async (t) => {
  const misses = new AccessMisses()
  for (let count = 0; count < 1000; count++) {
    if (misses.add(PLACE, 1_000_000 * count)) t.fail('a miss in a million instructions is seldom')
    if (count < 100 && misses.add(count * 4, 0)) t.fail('one miss of each is seldom')
  }
  t.notOk(misses.isByCall(PLACE))
})

t.test('accesses around one that often misses call too', async (t) => {
  const requests: TranslationRequest[] = []
  const immediate = new ImmediateCompiler()
  const compiler = {
    submit: (request: TranslationRequest) => {
      requests.push(request)
      immediate.submit(request)
    },
    finished: () => immediate.finished(),
  }
  const { runTo } = testMachine(
    (at) => {
      // Kernel code looks at its window of RAM alone, so that a page of the TLB is always missed.
      at.emit('addiu', { t: 4, i: 0x4000 }).emit('mtc0', { t: 4, d: 10 })
      at.emit('addiu', { t: 8, i: (4 << 6) | 6 }).emit('mtc0', { t: 8, d: 2 })
      at.emit('mtc0', { t: 0, d: 3 }).emit('tlbwi').constant(5, 0x8000_4000)
      at.label('loop').emit('lw', { s: 4, t: 9, i: 0 }).emit('lw', { s: 5, t: 10, i: 0 })
      at.branch('beq', {}, 'loop').emit('addu', { s: 9, t: 10, d: 9 })
    },
    { hotEntries: 5, compiler },
  )
  for (let icount = 1000; icount <= 5000; icount += 1000) runTo(icount)
  const { pcs, lengths, byCall } = requests.at(-1)!.code
  t.equal(requests.length, 2, 'once before, once after')
  t.same([...requests[0]!.code.byCall], [])
  t.ok(pcs[0]! >>> 0 > CODE_BASE)
  t.same(
    [...byCall],
    Array.from({ length: lengths[0]! / 4 }, (_, index) => pcs[0]! + 4 * index),
  )
})
