/** Room in the code arena. */
import t from 'tap'
import { CodeCache } from './code-cache.ts'

const CODE_SHIFT = 2

function cacheWithPage() {
  const cache = new CodeCache(CODE_SHIFT, new Int32Array(1000), 0)
  const page = cache.codePage(0, 0, 0)
  const add = (pc: number, word: number) => {
    const lifted = { pc, length: 4, pcs: [pc], lastInDelaySlot: false, successors: [] }
    return cache.add(page, { code: new Int32Array(10).fill(word), starts: [3] }, lifted, undefined)
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
