/** Room for regions: what is used stays, what is not makes room. */
import t from 'tap'
import { type CodeBlock, CodeCache, ENTRY_REGION, ENTRY_WORDS, REGION_SHIFT } from '../interpreter/code-cache.ts'
import { LiveRegions } from './live-regions.ts'

const CODE_SHIFT = 2
const HOT_ENTRIES = 1000
const WAKING_ENTRIES = 50
const MOST = 8

/** Anything that can stand in the table. */
const run = new WebAssembly.Instance(
  new WebAssembly.Module(
    // An empty function, exported as `f`.
    Uint8Array.from([
      ...[
        0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 0x66, 0, 0, 10, 4, 1, 2, 0, 0x0b,
      ],
    ]),
  ),
  {},
).exports['f']

function setUp() {
  const code = new CodeCache(CODE_SHIFT, new Int32Array(10_000), HOT_ENTRIES, () => {})
  const page = code.codePage(0, 0, 0)
  const regions = new LiveRegions(code, MOST, new Int32Array(16 * (MOST + 1)))
  const makeBlock = (pc: number): CodeBlock => {
    const made = { pc, length: 4, instructions: 1, lastInDelaySlot: false, code: new Int32Array(10), codeWords: 10 }
    return code.add(page, { ...made, pcs: Int32Array.of(pc), starts: Int32Array.of(3) }, 'entry')!
  }
  const blocks = Array.from({ length: 40 }, (_, index) => makeBlock(4 * index))
  const translated = () => blocks.flatMap((block, index) => (code.isTranslated(block) ? [index] : []))
  const entriesLeft = (block: CodeBlock) => code.words[block.ip - ENTRY_WORDS + 1]
  const table = () => Array.from({ length: MOST + 1 }, (_, number) => regions.table.get(number) !== null)
  const add = (...added: CodeBlock[]) => {
    regions.add(
      run,
      added.map((block) => ({ block, pc: block.pc })),
    )
  }
  return { code, regions, blocks, add, translated, entriesLeft, table }
}

t.test('there are never more than there may be, and those that are not entered make room', async (t) => {
  const { regions, blocks, add, translated, table } = setUp()
  for (const block of blocks) add(block)
  t.ok(regions.size <= MOST)
  t.equal(regions.size + regions.dropped, blocks.length)
  t.equal(table().filter((isSet) => isSet).length, regions.size)
  t.ok(translated().length < MOST)
  t.same(
    translated(),
    translated().map((_, index) => blocks.length - translated().length + index),
    'the newest are left',
  )
})

t.test('one that rests is used again when a block of it is hot', async (t) => {
  const { regions, blocks, add, translated, entriesLeft } = setUp()
  const [first, second] = blocks as [CodeBlock, CodeBlock]
  add(first, second)
  for (const block of blocks.slice(2)) {
    if (!translated().includes(0)) {
      t.equal(entriesLeft(second), WAKING_ENTRIES)
      t.equal(regions.wake(second), true)
      t.ok(translated().includes(0), 'all of it is')
      t.ok(translated().includes(1))
    }
    add(block)
  }
  t.ok(regions.dropped > MOST)
  t.ok(regions.wake(first), 'it is still there')
})

t.test('what made room has to become hot anew', async (t) => {
  const { regions, blocks, add, entriesLeft } = setUp()
  for (const block of blocks) add(block)
  const [first] = blocks as [CodeBlock]
  t.equal(regions.wake(first), false)
  t.equal(entriesLeft(first), HOT_ENTRIES)
})

t.test('a block that two regions have is entered through the one when the other is gone', async (t) => {
  const { code, regions, blocks, add } = setUp()
  const [shared, alone, other] = blocks as [CodeBlock, CodeBlock, CodeBlock]
  const numberOf = (block: CodeBlock) => code.words[block.ip - ENTRY_WORDS + ENTRY_REGION]! >>> REGION_SHIFT
  add(shared, alone)
  add(other, shared)
  const number = numberOf(shared)
  t.equal(number, numberOf(alone))
  const { regions: dropped } = code.written(0, alone.pc, 4)
  regions.drop(dropped)
  t.equal(regions.size, 1)
  t.equal(code.isTranslated(shared), false)
  t.equal(regions.wake(shared), true)
  t.equal(numberOf(shared), numberOf(other))
  t.not(number, numberOf(other))
})

t.test('all go when the code cache drops everything', async (t) => {
  const { code, regions, blocks, add, table } = setUp()
  for (const block of blocks.slice(0, 5)) add(block)
  code.clear()
  regions.clear()
  t.equal(regions.size, 0)
  t.notOk(table().some((isSet) => isSet))
})
