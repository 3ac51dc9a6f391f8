/** Room in the code arena. */
import t from 'tap'
import {
  BLOCK_WORDS,
  type CodeBlock,
  CodeCache,
  ENTRY_REGION,
  ENTRY_WORDS,
  type NewBlock,
  REGION_SHIFT,
} from './code-cache.ts'
import { opcodeOf } from './micro-ops.ts'

const CODE_SHIFT = 2

/** A block of one instruction. */
function oneInstruction(pc: number, code: Int32Array): NewBlock {
  return {
    ...{ pc, length: 4, instructions: 1, lastInDelaySlot: false, code, codeWords: code.length },
    ...{ pcs: Int32Array.of(pc), starts: Int32Array.of(BLOCK_WORDS) },
  }
}

function cacheWithPage() {
  const cache = new CodeCache(CODE_SHIFT, new Int32Array(1000), 0, () => {})
  const page = cache.codePage(0, 0, 0)
  const add = (pc: number, word: number) => {
    return cache.add(page, oneInstruction(pc, new Int32Array(10).fill(word)), undefined)!
  }
  return { cache, add }
}

t.test('the last block that was not kept gives its room back', async (t) => {
  const { cache, add } = cacheWithPage()
  const first = add(0, 1)
  cache.drop(first)
  t.equal(add(4, 2).ip, first.ip)
})

t.test('one that others were added after does not', async (t) => {
  const { cache, add } = cacheWithPage()
  const first = add(0, 1)
  const second = add(4, 2)
  cache.drop(first)
  const third = add(8, 3)
  t.equal(cache.words[second.ip], 2)
  t.equal(cache.words[third.ip], 3)
  t.equal(cache.block(second.ip), second)
})

const ARENA_WORDS = 2000
const HOT_ENTRIES = 1000

/** Two micro-ops: `block`, and a jump by way of a link. */
function jumpTo(pc: number, target: number): Int32Array {
  return Int32Array.of(opcodeOf('block'), 1, pc, opcodeOf('jump'), 4 * 77, target)
}

const OVERHEAD_WORDS = ENTRY_WORDS + 2

function cacheOfJumps() {
  const cache = new CodeCache(CODE_SHIFT, new Int32Array(ARENA_WORDS), HOT_ENTRIES, () => {})
  const page = cache.codePage(0, 0, 0)
  const add = (pc: number, keep: 'entry' | 'delaySlot' = 'entry') => {
    return cache.add(page, oneInstruction(pc, jumpTo(pc, pc + 4)), keep)
  }
  const enter = (block: CodeBlock, times: number) => {
    cache.words[block.ip - ENTRY_WORDS + 1]! -= times
  }
  return { cache, page, add, enter }
}

t.test('where there is no room the blocks that were entered seldom make some', async (t) => {
  const { cache, page, add, enter } = cacheOfJumps()
  const blocks: CodeBlock[] = []
  for (let block = add(0); block !== undefined; block = add(4 * blocks.length)) blocks.push(block)
  t.equal(blocks.length, Math.floor((ARENA_WORDS - 1) / (OVERHEAD_WORDS + 6)))
  const used = blocks.filter((_, index) => index % 3 === 2)
  for (const block of used) enter(block, 500)
  cache.reclaim()
  t.ok(cache.fullness < 0.4)
  for (const [index, block] of blocks.entries()) {
    const { pc } = block
    if (!used.includes(block)) {
      t.equal(cache.blockAt(page, pc), undefined)
      t.notOk(cache.isUsed(block))
      continue
    }
    t.equal(cache.blockAt(page, pc), block, `block ${index} is found where it is now`)
    t.equal(cache.block(block.ip), block)
    t.equal(cache.pcOf(block, 0), pc)
    t.equal(cache.startOf(block, 0), block.ip + BLOCK_WORDS)
    const code = cache.words.slice(block.ip, block.ip + 6)
    t.same(code, jumpTo(pc, pc + 4).with(4, 0), 'its link leads nowhere')
  }
  const added = add(4 * blocks.length)!
  t.equal(cache.blockAt(page, added.pc), added)
  cache.reclaim()
  t.equal(cache.fullness, 1 / ARENA_WORDS, 'they have to be used anew')
})

t.test('blocks of regions and blocks that are being translated stay', async (t) => {
  const { cache, page, add } = cacheOfJumps()
  const [cold, ofRegion, pending, inSlot] = [add(0)!, add(4)!, add(8)!, add(12, 'delaySlot')!]
  cache.enterRegion({ number: 3, blocks: [ofRegion], pcs: [ofRegion.pc], hasGrown: false })
  cache.translationPending([pending])
  cache.reclaim()
  t.same(
    page.blocks.toSorted((a, b) => a.pc - b.pc),
    [ofRegion, pending],
  )
  t.ok(cache.isTranslated(ofRegion))
  t.equal(cache.words[ofRegion.ip - ENTRY_WORDS + ENTRY_REGION], 3 << REGION_SHIFT)
  t.equal(page.delaySlots.get(12), undefined)
  t.throws(() => cache.block(inSlot.ip))
  t.not(cache.blockAt(page, 0), cold)
})

t.test('what was overwritten leaves its room, and a page without code its table', async (t) => {
  const { cache, page, add, enter } = cacheOfJumps()
  const [one, other] = [add(0)!, add(4)!]
  enter(one, 500)
  enter(other, 500)
  const { stale, kept } = cache.written(0, 0, 4)
  t.same(stale, [one])
  t.same(kept, [other])
  t.same(cache.written(0, 64, 4), { stale: [], regions: [], kept: [] })
  cache.reclaim()
  t.same(page.blocks, [other])
  t.equal(other.ip, 1 + ENTRY_WORDS)
  t.equal(cache.findCodePage(0, 0, 0), page)
  cache.written(0, 4, 4)
  cache.reclaim()
  t.equal(cache.findCodePage(0, 0, 0), undefined)
  t.same([...cache.codePages], [])
  t.equal(cache.fullness, 1 / ARENA_WORDS)
})

t.test('a part of a block gives its room back once', async (t) => {
  const { cache, add } = cacheWithPage()
  const part = add(0, 1)
  cache.drop(part)
  const next = add(4, 2)
  cache.drop(part)
  t.equal(cache.block(next.ip), next)
})
