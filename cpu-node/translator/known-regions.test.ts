/** What is known of earlier runs: found by its code, and translated as far as there is room. */
import t from 'tap'
import { NOWHERE } from '../interpreter/code-cache.ts'
import { PAGE_BYTES } from '../memory.ts'
import type { FoundCode } from './hot-code.ts'
import { KnownRegions } from './known-regions.ts'

const kind: FoundCode['kind'] = { isa: 'mips', bigEndian: false, flags: 0, relative: true, fixed: false }

/** A region of one block of one instruction. */
function regionOf(pc: number): FoundCode {
  return {
    kind,
    pcs: Int32Array.of(pc),
    lengths: Int32Array.of(4),
    targets: Int32Array.of(NOWHERE),
    words: Int32Array.of(1000 + pc),
    byCall: new Int32Array(),
    instructions: 0,
  }
}

const codes = [regionOf(0), regionOf(4), regionOf(8)]
const page = new Int32Array(PAGE_BYTES / 4)
page.set([1000, 1004, 1008])

t.test('a region is found by any page that has its code', async (t) => {
  const known = new KnownRegions(codes, 2)
  t.same(known.find(kind, 4, 4, page), { region: known.regions[1], pc: 4 })
  t.equal(known.find({ ...kind, flags: 1 }, 4, 4, page), undefined)
  t.equal(known.find(kind, 4, 8, page), undefined)
  t.equal(known.find(kind, 4, 4, page.with(1, 0)), undefined)
})

t.test('a region of several pages is found by any of them', async (t) => {
  const [first, second] = [regionOf(8), regionOf(PAGE_BYTES + 4)]
  const both = { ...first, pcs: Int32Array.of(8, PAGE_BYTES + 4), words: Int32Array.of(1008, second.words[0]!) }
  const known = new KnownRegions([{ ...both, lengths: Int32Array.of(4, 4), targets: Int32Array.of(NOWHERE, 8) }], 2)
  const other = new Int32Array(PAGE_BYTES / 4).with(1, second.words[0]!)
  t.same(known.find(kind, 8, 4, page), { region: known.regions[0], pc: 8 })
  t.same(known.find(kind, 4, 4, other), { region: known.regions[0], pc: PAGE_BYTES + 4 })
  t.equal(known.hasAt(4, second.words[0]!), true)
  t.equal(known.hasAt(4, 1004), false)
})

t.test('of translations as many are kept as were asked for, those used last', async (t) => {
  const known = new KnownRegions(codes, 2)
  for (const region of known.regions) region.isSubmitted = true
  const [first, second, third] = known.regions
  const translation = { id: 0, module: undefined, pcs: [] }
  known.translated(first!, translation)
  known.translated(second!, translation)
  known.used(first!)
  known.translated(third!, translation)
  const kept = () => known.regions.map(({ translation }) => translation !== undefined)
  t.same(kept(), [true, false, true])
  t.same(
    known.regions.map(({ isSubmitted }) => isSubmitted),
    [true, false, true],
    'the other can be had again',
  )
  known.translated(second!, translation)
  t.same(kept(), [false, true, true])
})
