import t from 'tap'
import { emitFindCode } from './find-code.ts'
import { JumpCache, jumpContext } from './jump-cache.ts'
import { PAGE_BYTES, SCRATCH } from './memory.ts'
import { randomWords } from './softfloat/test-patterns.ts'
import { FunctionBody } from './wasm/function.ts'
import { encodeModule } from './wasm/module.ts'

const SEED = Number(process.env['ANANKE_TEST_SEED'] ?? 20260801)
const STEPS = 60_000
const PC = 136
const WASM_PAGES = 6
const fixed = { mask: 0xc000_0000 | 0, value: 0x8000_0000 | 0, contextMask: 8 }

/** As generated code finds it; 0 where it goes to `missing`. */
function makeFind(memory: WebAssembly.Memory): () => number {
  const f = new FunctionBody([])
  const entry = f.local('i32')
  const missing = f.block()
  emitFindCode(f, { pc: PC, fixed }, entry, missing)
  f.end(missing)
  f.get(entry)
  const functions = [{ name: 'find', signature: { parameters: [], results: ['i32'] }, body: f } as const]
  const module = new WebAssembly.Module(encodeModule({ memoryPages: WASM_PAGES, imports: [], functions }))
  return new WebAssembly.Instance(module, { env: { memory } }).exports['find'] as () => number
}

t.test(`what is found is what was put there last, seed ${SEED}`, async (t) => {
  const random = randomWords(SEED)
  const below = (count: number) => (random() >>> 0) % count
  const memory = new WebAssembly.Memory({ initial: WASM_PAGES, maximum: WASM_PAGES })
  const words = new Int32Array(memory.buffer)
  const cache = new JumpCache(memory.buffer)
  const find = makeFind(memory)
  // Pages that are neighbours, or want the same place, or are the same in every address space.
  const pages = [
    0x0040_0000, 0x0040_1000, 0x0440_0000, 0x0140_0000, 0x7fff_f000, 0x8010_0000, 0x8010_1000, 0x8410_0000, 0xc000_0000,
  ]
  const model = new Map<string, number>()
  const keyOf = (pc: number, context: number) => `${pc} ${jumpContext(fixed, pc, context)}`
  let found = 0
  for (let entry = 1; entry <= STEPS; entry++) {
    const pc = (pages[below(pages.length)]! + 4 * below(16)) | 0
    const context = (below(2) << 4) | (below(2) << 3) | below(2)
    const key = keyOf(pc, context)
    words[PC / 4] = pc
    words[SCRATCH.codeContext / 4] = context
    const known = cache.find(pc, jumpContext(fixed, pc, context))
    if (known !== find()) t.equal(find(), known, 'generated code finds the same')
    if (known !== 0) found++
    if (known !== 0 && known !== model.get(key)) t.equal(known, model.get(key), 'it is what was put there')
    const what = below(2000)
    if (what === 0) {
      const length = PAGE_BYTES << below(2)
      const page = pc & -length
      cache.forget(page, length)
      for (const other of model.keys()) if ((Number(other.split(' ')[0]) & -length) === page) model.delete(other)
    } else if (what < 10 && known !== 0) {
      cache.forgetBlock(pc, known)
      model.delete(key)
    } else if (known === 0) {
      cache.set(pc, jumpContext(fixed, pc, context), entry)
      model.set(key, entry)
      if (find() !== entry) t.equal(find(), entry, 'it is found at once')
    }
  }
  t.ok(found > STEPS / 20, `${found} of ${STEPS} were found`)
})

t.test('two that want the same place are both found, and so is a whole page', async (t) => {
  const { buffer } = new WebAssembly.Memory({ initial: WASM_PAGES, maximum: WASM_PAGES })
  const cache = new JumpCache(buffer)
  const page = 0x8010_0000 | 0
  // Differs in what says nothing about its place.
  const rival = (page ^ (1 << 27)) | 0
  for (const [index, pc] of [page, rival].entries()) cache.set(pc, 0, index + 1)
  t.same([cache.find(page, 0), cache.find(rival, 0)], [1, 2])
  // One that is not used any more does not have two others drive each other out, whose places are neighbours.
  const neighbour = (page ^ 4) | 0
  for (const pc of [neighbour, page]) if (cache.find(pc, 0) === 0) cache.set(pc, 0, 3)
  t.ok(cache.find(page, 0) !== 0 && cache.find(neighbour, 0) !== 0)
  cache.clear()
  for (let at = 0; at < PAGE_BYTES; at += 4) cache.set(page + at, 0, at + 1)
  for (let at = 0; at < PAGE_BYTES; at += 4) if (cache.find(page + at, 0) !== at + 1) t.fail(`${at} is found`)
  cache.forget(page, PAGE_BYTES)
  for (let at = 0; at < PAGE_BYTES; at += 4) if (cache.find(page + at, 0) !== 0) t.fail(`${at} is forgotten`)
})

t.test(`relative blocks are forgotten wherever they stand, seed ${SEED}`, async (t) => {
  const random = randomWords(SEED)
  const below = (count: number) => (random() >>> 0) % count
  const { buffer } = new WebAssembly.Memory({ initial: WASM_PAGES, maximum: WASM_PAGES })
  const cache = new JumpCache(buffer)
  // Few places, so that entries drive each other out, and one block at several addresses.
  const addresses = Array.from({ length: 600 }, () => 4 * below(64) + PAGE_BYTES * below(8) + (below(4) << 27))
  for (let round = 0; round < 300; round++) {
    for (const pc of addresses) if (below(3) === 0 && cache.find(pc, 0) === 0) cache.set(pc, 0, 1 + below(40))
    const before = addresses.map((pc) => cache.find(pc, 0))
    const forgotten = new Set(Array.from({ length: 1 + below(4) }, () => 1 + below(40)))
    cache.forgetRelativeBlocks(forgotten)
    const expected = before.map((entry) => (forgotten.has(entry) ? 0 : entry))
    const after = addresses.map((pc) => cache.find(pc, 0))
    if (after.some((entry, i) => entry !== expected[i])) t.same(after, expected, `round ${round}`)
  }
  t.ok(addresses.some((pc) => cache.find(pc, 0) !== 0))
})
