/**
 * Micro-ops by themselves, and how the hot loop calls out and goes on. What whole programs do is in `cpu.test.ts`.
 */
import t from 'tap'
import { BACKING_BASE, GuestMemory, PAGE_BYTES, SCRATCH, STATE_BYTES } from '../memory.ts'
import { HAS_CODE, SOFT_TLB_ENTRIES, SoftTlb } from '../soft-tlb.ts'
import { DOWN, FOR_WRITE, SIGNED } from '../translator/layout.ts'
import { BLOCK_WORDS, ENTRY_WORDS } from './code-cache.ts'
import { type LoopCalls, makeHotLoop } from './hot-loop.ts'
import { Left } from './loop-writer.ts'
import { microOps, opcodeOf } from './micro-ops.ts'

/** Slots. */
const A = 32
const B = 40
const C = 48
const D = 56
const PC = 128
const FIXED = { mask: 0xc000_0000 | 0, value: 0x8000_0000 | 0, contextMask: 0 }
const DIRECT = 0x8000_0000 | 0
/** Where programs begin, in words. */
const START = 16

type Line = readonly [name: string, ...operands: number[]]

/** A hot loop with nothing around it: calls that a test does not give must not happen. */
function machine(calls: Partial<LoopCalls> = {}) {
  const memory = new GuestMemory(2 * PAGE_BYTES, 4096, 0)
  const state = new Int32Array(memory.buffer, 0, STATE_BYTES / 4)
  const state64 = new BigInt64Array(memory.buffer, 0, STATE_BYTES / 8)
  const softTlb = new SoftTlb(memory.buffer)
  const unexpected = (): never => {
    throw new Error('the loop calls out')
  }
  const loop = makeHotLoop({
    memory: memory.memory,
    memoryPages: memory.wasmPages,
    arenaBase: memory.arenaBase,
    pc: PC,
    fixed: FIXED,
    direct: DIRECT,
    physical: 0,
    flagBase: memory.flagBase,
    chunkBase: memory.chunkBase,
    ramHelpers: new Map(),
    calls: {
      dispatch: unexpected,
      load: unexpected,
      store: unexpected,
      helper: unexpected,
      fault: unexpected,
      hot: unexpected,
      missed: unexpected,
      next: unexpected,
      disarmBreak: unexpected,
      ...calls,
    },
  })
  const put = (place: number, lines: readonly Line[]): void => {
    memory.arena.set(
      lines.flatMap(([name, ...operands]) => [opcodeOf(name), ...operands]),
      place,
    )
  }
  const scratch = (name: keyof typeof SCRATCH) => state[SCRATCH[name] / 4]!
  /** Runs from `START`; gives why it came back. */
  const run = (remaining = 100): number => {
    state[SCRATCH.ip / 4] = 4 * START
    state[SCRATCH.remaining / 4] = remaining
    return loop(0)
  }
  return { memory, state, state64, softTlb, put, scratch, run }
}

const EDGES = [0, 1, 2, 31, 32, 33, 0x7f, 0x80, 0x7fff, 0x8000, 0x7fff_ffff, -0x8000_0000, -1, -2, 0x1234_5678]

const meaning: Record<string, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: Math.imul,
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => a << b,
  shrU: (a, b) => a >>> b,
  shrS: (a, b) => a >> b,
  rotr: (a, b) => (a >>> b) | (a << (32 - b)),
  divS: (a, b) => Math.trunc(a / b),
  divU: (a, b) => Math.floor((a >>> 0) / (b >>> 0)),
  remS: (a, b) => a % b,
  remU: (a, b) => (a >>> 0) % (b >>> 0),
  eq: (a, b) => Number(a === b),
  ne: (a, b) => Number(a !== b),
  ltS: (a, b) => Number(a < b),
  ltU: (a, b) => Number(a >>> 0 < b >>> 0),
  leS: (a, b) => Number(a <= b),
  leU: (a, b) => Number(a >>> 0 <= b >>> 0),
}

/** What lifters keep away. */
const isOpen = (name: string, a: number, b: number): boolean =>
  /^(div|rem)/.test(name) && (b === 0 || (a === -0x8000_0000 && b === -1))

t.test('operations on two words, in slots or with a constant', async (t) => {
  const { state, put, run } = machine()
  for (const [name, expected] of Object.entries(meaning)) {
    const forms = [name, `${name}.imm`].filter((form) => microOps.some((op) => op.name === form))
    for (const form of forms) {
      const wrong: string[] = []
      for (const a of EDGES) {
        for (const b of EDGES) {
          if (isOpen(name, a, b)) continue
          put(START, [[form, D, A, form === name ? B : b], ['lookAtState']])
          state[A / 4] = a
          state[B / 4] = b
          if (run() !== Left.look || state[D / 4] !== (expected(a, b) | 0)) wrong.push(`${a}, ${b}: ${state[D / 4]}`)
        }
      }
      t.same(wrong, [], form)
    }
  }
})

t.test(
  'two at one go do what they do one after the other, up to a break that the first has put before the second',
  async (t) => {
    let hasBreak = false
    const { memory, state, put, run } = machine({
      load: () => {
        state[SCRATCH.slowValue / 4] = 41
        if (hasBreak) memory.arena[START + 4] = opcodeOf('break')
        return 1
      },
      disarmBreak: () => {},
    })
    for (hasBreak of [false, true, false]) {
      put(START, [['load32 add.imm', D, A, 0], ['add.imm', D, D, 1], ['lookAtState']])
      t.equal(run(), Left.look)
      t.equal(state[D / 4], hasBreak ? 41 : 42)
    }
  },
)

t.test('a load or store of RAM that is direct is no call, but for what takes more than a store', async (t) => {
  const called: number[] = []
  const m = machine({
    load: (address) => {
      called.push(address)
      return 1
    },
    store: (address) => {
      called.push(address)
      return 1
    },
  })
  const lines: Line[] = [['load8S', D, A, 3], ['load16U', C, A, 2], ['load32.down', B, A, 3], ['lookAtState']]
  const stores: Line[] = [['store8', B, A, 5], ['store16', B, A, 6], ['store32.down', B, A, 11], ['lookAtState']]
  const first = (BACKING_BASE + PAGE_BYTES - 4) / 4
  const { words } = m.memory
  words[first] = 0x8091_a2f3 | 0
  m.state[A / 4] = (DIRECT + PAGE_BYTES - 4) | 0
  m.state[SCRATCH.directAddend / 4] = BACKING_BASE - DIRECT
  m.state[SCRATCH.directBytes / 4] = 2 * PAGE_BYTES
  m.put(START, lines)
  m.run()
  t.same([m.state[D / 4], m.state[C / 4], m.state[B / 4]], [-0x80, 0x8091, 0x8091_a2f3 | 0])
  m.put(START, stores)
  m.run()
  t.same(
    called.splice(0),
    [1, 2, 7].map((offset) => (DIRECT + PAGE_BYTES + offset) | 0),
    'a page that is not dirty',
  )
  m.memory.markDirty(1)
  m.run()
  t.same([words[first + 1], words[first + 2]], [0xa2f3_f300 | 0, 0x8091_a2f3 | 0])
  m.memory.markCode(PAGE_BYTES, 4)
  m.run()
  t.equal(called.splice(0).length, 3, 'a page with code')
  m.put(START, lines)
  m.state[A / 4] = (DIRECT + 2 * PAGE_BYTES) | 0
  m.run()
  t.equal(called.splice(0).length, 3, 'behind it')
  m.state[A / 4] = (DIRECT + 1) | 0
  m.run()
  t.same(called.splice(0), [(DIRECT + 3) | 0], 'misaligned')
})

t.test('pages at one place of the soft TLB take turns in its ways', async (t) => {
  const m = machine()
  const { softTlb, state, put, run } = m
  const [one, other] = [0x0040_0000, 0x0080_0000]
  const first = BACKING_BASE / 4
  const second = first + PAGE_BYTES / 4
  m.memory.words[first] = 11
  softTlb.fillRead(one, 0, 0)
  softTlb.fillWrite(other, 0, 1, true)
  softTlb.fillWrite(one, 0, 0, false)
  state[A / 4] = one
  state[B / 4] = other
  put(START, [['load32', C, A, 0], ['store32', C, B, 0], ['store32', B, A, 4], ['store32', A, B, 4], ['lookAtState']])
  const tags = () => Array.from(softTlb.words).filter((word, index) => index < 2 * SOFT_TLB_ENTRIES && (word & 7) !== 7)
  for (let round = 0; round < 2; round++) {
    t.equal(run(), Left.look)
    t.same([m.memory.words[second], m.memory.words[second + 1]], [11, one])
    t.equal(m.memory.words[first + 1], other)
    t.same(tags(), [other | HAS_CODE], 'the last one is first')
  }
  softTlb.forget(one, PAGE_BYTES)
  t.throws(run, /calls out/, 'both are forgotten')
  t.same(tags(), [])
  softTlb.fillWrite(one, 0, 0, false)
  softTlb.fillRead(other, 0, 1)
  softTlb.clearWrites()
  t.throws(run, /calls out/)
})

t.test('a load or store goes to memory where the soft TLB has its page, else it is a call of its kind', async (t) => {
  const called: (number | string)[][] = []
  const m = machine({
    load: (address, kind) => {
      called.push(['load', address, kind, m.scratch('remaining'), m.scratch('ip')])
      m.state[SCRATCH.slowValue / 4] = 0x1234_56f8
      return 1
    },
    store: (address, kind, slot) => {
      called.push(['store', address, kind, slot])
      return 0
    },
  })
  const page = 0x0040_0000
  m.softTlb.fillRead(page, 0, 1)
  m.softTlb.fillWrite(page, 0, 1, false)
  m.memory.words[(BACKING_BASE + PAGE_BYTES) / 4 + 2] = 0x8091_a2f3 | 0
  m.state[A / 4] = page + 16
  m.put(START, [
    ['load8S', D, A, -8],
    ['load16U', C, A, -6],
    ['load32.down', B, A, -5],
    ['store8', A, A, -7],
    ['lookAtState'],
  ])
  t.equal(m.run(), Left.look)
  t.same([m.state[D / 4], m.state[C / 4], m.state[B / 4]], [-13, 0x8091, 0x8091_a2f3 | 0])
  t.equal(m.memory.words[(BACKING_BASE + PAGE_BYTES) / 4 + 2], 0x8091_10f3 | 0)
  t.same(called, [])

  m.put(START, [
    ['load8S', D, A, 0x1000],
    ['load32.downForWrite', C, A, 0x1001],
    ['load32', B, A, 2],
    ['store64', D, A, 4],
  ])
  t.equal(m.run(50), Left.trapped, 'a call that says so is a trap')
  t.same([m.state[D / 4], m.state[C / 4]], [-8, 0x1234_56f8])
  t.same(called, [
    ['load', page + 0x1010, 8 | SIGNED, 50, 4 * START],
    ['load', page + 0x1011, 32 | DOWN | FOR_WRITE, 50, 4 * (START + 4)],
    ['load', page + 18, 32, 50, 4 * (START + 8)],
    ['store', page + 20, 64, D],
  ])
  t.equal(m.scratch('ip'), 4 * (START + 12), 'which is of that micro-op')
})

t.test('a helper gets slots or constants, may bring the limit nearer and may fail', async (t) => {
  const m = machine({
    helper: (...args) => {
      m.state[SCRATCH.slowValue / 4] = args.reduce((sum, arg) => sum + arg, 0)
      m.state[SCRATCH.remaining / 4]! -= 3
      return args[0] === 9 ? 0 : 1
    },
  })
  m.state[A / 4] = 1000
  m.put(START, [
    ['call', D, 1, A, A, A, A, A],
    ['call.imm', B, 2, 10, 20, 30, 40, 50],
    ['call.imm', 0, 3, 0, 0, 0, 0, 0],
    ['call.imm', C, 9, 1, 1, 1, 1, 1],
  ])
  t.equal(m.run(20), Left.trapped)
  t.same([m.state[D / 4], m.state[B / 4], m.state[C / 4], m.state[0]], [5001, 152, 0, 0])
  t.equal(m.scratch('remaining'), 8)
})

t.test('blocks: counted, cut, linked within a page, entered by what is found', async (t) => {
  const target = START + 100
  const links: number[] = []
  const hot: number[] = []
  const m = machine({
    next: (link) => {
      links.push(link)
      return m.state[PC / 4] === 0x8000_1040 - 2 ** 32 ? target : 0
    },
    hot: (entry) => hot.push(entry),
  })
  m.put(START, [
    ['entry', 2, 0, 0x8000_1000, 0],
    ['block', 5, 0x8000_1000],
    ['jump', 0, 0x8000_1040],
  ])
  m.put(target, [
    ['entry', 2, 0, 0x8000_1040, 0],
    ['block', 7, 0x8000_1040],
    ['indirect', A, 1],
  ])
  m.state[A / 4] = 0x8000_2000
  t.equal(m.run(12), Left.missing)
  t.equal(m.scratch('remaining'), 0)
  t.same(links, [4 * (START + ENTRY_WORDS + BLOCK_WORDS + 1), 0], 'an indirect jump has no link')
  t.equal(m.scratch('block'), 4 * (target + ENTRY_WORDS))

  t.equal(m.run(11), Left.cut)
  t.equal(m.state[PC / 4], 0x8000_1040 | 0)
  t.equal(m.scratch('remaining'), 6)
  t.same(hot, [START, target])
})

t.test('a relative block counts its addresses from where it was entered', async (t) => {
  const target = START + 100
  const m = machine({ next: () => target })
  m.state[A / 4] = 0x0040_3008
  m.put(START, [['indirect', A, 1]])
  m.put(target, [
    ['entry', 2, 0, 8, 0],
    ['block', 1, 8],
    ['move.address', D, 0x24],
    ['look', 0xc],
  ])
  t.equal(m.run(), Left.look)
  t.same([m.state[D / 4], m.state[PC / 4], m.scratch('base')], [0x0040_3024, 0x0040_300c, 0x0040_3000])
})

t.test('an error that a call throws comes out of the loop, which says where it was', async (t) => {
  const m = machine()
  m.put(START, [
    ['move.imm', D, 3],
    ['load32', D, A, 0],
  ])
  t.throws(() => m.run(30), { message: 'the loop calls out' })
  t.same([m.scratch('ip'), m.scratch('remaining'), m.state[D / 4]], [4 * (START + 3), 30, 3])
})

t.test('a word that is no opcode is an assertion', async (t) => {
  const m = machine()
  for (const word of [0, microOps.length + 1, -1]) {
    m.memory.arena[START] = word
    t.throws(() => m.run(), { name: 'RuntimeError' })
  }
})
