import t from 'tap'
import type { Cell } from '../isa/inline-call.ts'
import { FunctionBody } from '../wasm/function.ts'
import { encodeModule } from '../wasm/module.ts'
import { Cells } from './cells.ts'

const SIGNATURE = { parameters: [], results: [] } as const
/** Behind the state that the cells are in. */
const SEEN = 64
const WRITTEN = 72

const CELLS: readonly Cell[] = [
  { type: 'i32', offset: 8 },
  { type: 'i32', offset: 12 },
  { type: 'f32', offset: 8 },
  { type: 'f32', offset: 16 },
  { type: 'f64', offset: 8 },
  { type: 'f64', offset: 16 },
  { type: 'f64', offset: 8, high: 16 },
  { type: 'f64', offset: 0, high: 8 },
]

const nameOf = ({ type, offset, high }: Cell): string =>
  `${type} at ${offset}${high === undefined ? '' : ` and ${high}`}`

/** Runs what `write` writes on words that count from 1: the words after that. */
function run(write: (f: FunctionBody) => void): Int32Array {
  const body = new FunctionBody(SIGNATURE.parameters)
  write(body)
  const functions = [{ name: 'run', signature: SIGNATURE, body }]
  const bytes = encodeModule({ memoryPages: 1, imports: [], functions })
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 })
  const words = new Int32Array(memory.buffer, 0, 32)
  for (let word = 0; word < SEEN / 4; word++) words[word] = word + 1
  words.set([0x11111111, 0x22222222], WRITTEN / 4)
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } })
  ;(exports['run'] as () => void)()
  return words
}

const wordsOf = (words: Int32Array, { type, offset, high }: Cell): number[] =>
  [offset, ...(type === 'f64' ? [high ?? offset + 4] : [])].map((byte) => words[byte / 4]!)

/** Stores what `cell`'s local holds. */
function store(f: FunctionBody, cells: Cells, cell: Cell): void {
  const local = cells.hold(cell)
  f.i32(0)
  f.get(local)
  f.memory(`${cell.type}.store`, SEEN)
}

for (const written of CELLS) {
  t.test(`after a write of ${nameOf(written)}`, async (t) => {
    for (const held of CELLS) {
      const words = run((f) => {
        const cells = new Cells(f)
        cells.hold(held)
        const value = f.local(written.type)
        f.i32(0)
        f.memory(`${written.type}.load`, WRITTEN)
        f.set(value)
        cells.put(written, value)
        store(f, cells, held)
      })
      const seen = [...words.subarray(SEEN / 4, WRITTEN / 4)]
      t.same(wordsOf(words, written), [0x11111111, 0x22222222].slice(0, wordsOf(words, written).length))
      t.same(seen.slice(0, wordsOf(words, held).length), wordsOf(words, held), `${nameOf(held)} is as it is in memory`)
    }
  })
}

t.test('what is written by other means is forgotten', async (t) => {
  for (const held of CELLS) {
    for (const length of [4, 8]) {
      const words = run((f) => {
        const cells = new Cells(f)
        cells.hold(held)
        f.i32(0)
        f.i64(0x7777_7777_7777_7777n)
        f.memory(length === 4 ? 'i64.store32' : 'i64.store', 8)
        cells.forget(8, length)
        store(f, cells, held)
      })
      const seen = [...words.subarray(SEEN / 4, WRITTEN / 4)]
      t.same(seen.slice(0, wordsOf(words, held).length), wordsOf(words, held), nameOf(held))
    }
  }
})

t.test('a word is read from where it is held', async (t) => {
  const f = new FunctionBody(SIGNATURE.parameters)
  const cells = new Cells(f)
  t.equal(cells.heldWord(8), undefined)
  cells.hold({ type: 'f32', offset: 8 })
  t.equal(cells.heldWord(8), undefined)
  const local = cells.hold({ type: 'i32', offset: 8 })
  t.equal(cells.heldWord(8), local)
  cells.clear()
  t.equal(cells.heldWord(8), undefined)
})
