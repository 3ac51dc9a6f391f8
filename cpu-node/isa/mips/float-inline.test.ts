/**
 * Floating point without a call against the helper `float`: where the one does an operation itself, state must be as the
 * other leaves it. Operands are edges, random patterns, and pairs whose result is exact or misses that by a bit.
 */
import assert from 'node:assert/strict'
import t from 'tap'
import { randomDouble, randomSingle, randomWords } from '../../softfloat/test-patterns.ts'
import { Cells } from '../../translator/cells.ts'
import { FunctionBody } from '../../wasm/function.ts'
import { encodeModule } from '../../wasm/module.ts'
import { inlineFloat } from './float-inline.ts'
import { FLOAT_OPERATIONS, Fpu } from './fpu.ts'
import { FCSR, fpr, STATE_BYTES } from './state.ts'

const SEED = Number(process.env['ANANKE_TEST_SEED'] ?? 20260802)
const CASES = Number(process.env['ANANKE_FLOAT_CASES'] ?? 6000)
const FCSR_FS = 1 << 24
const [D, S, T, R] = [0, 2, 4, 6]
const noRam = () => assert.fail('no operation on floats uses memory')
const SIGNATURE = { parameters: [], results: ['i32'] } as const

type Random = () => number
type Letter = 's' | 'd' | 'w'

/** A function on `memory`'s state that does one operation, and tells whether it did. */
function makeInline(args: readonly number[], fr: boolean, memory: WebAssembly.Memory): (() => number) | undefined {
  const call = inlineFloat(args, fr)
  if (call === undefined) return undefined
  const f = new FunctionBody(SIGNATURE.parameters)
  const cells = new Cells(f)
  const inputs = call.reads.map((cell) => cells.hold(cell))
  const slow = f.block()
  const outputs = call.emit({
    f,
    inputs,
    args: [],
    result: undefined,
    ram: { pushWord: noRam, putWord: noRam, pushPhysical: noRam },
    slow,
    local: (type) => f.local(type),
  })
  call.writes.forEach((cell, place) => {
    cells.put(cell, outputs[place]!)
  })
  f.i32(1)
  f.op('return')
  f.end(slow)
  f.i32(0)
  const functions = [{ name: 'inline', signature: SIGNATURE, body: f }]
  const bytes = encodeModule({ memoryPages: 1, imports: [], functions })
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } })
  return exports['inline'] as () => number
}

/** A machine's state twice: for the helper, and for what is tried. */
class Pair {
  readonly memory = new WebAssembly.Memory({ initial: 1, maximum: 1 })
  readonly tried = new Int32Array(this.memory.buffer, 0, STATE_BYTES / 4)
  readonly expected = new Int32Array(STATE_BYTES / 4)
  readonly fpu = new Fpu(this.expected)

  /** Runs both. Undefined: the helper was to be called; otherwise the first word that differs, or -1. */
  difference(args: readonly number[], fr: boolean, inline: () => number): number | undefined {
    this.expected.set(this.tried)
    if (inline() === 0) {
      assert.deepEqual(this.tried, this.expected, 'nothing is written before the helper is called')
      return undefined
    }
    this.fpu.configure(fr)
    const [number, d, s, u, r] = args as [number, number, number, number, number]
    if (!this.fpu.run(number, d, s, u, r)) return FCSR / 4
    return this.tried.findIndex((value, word) => value !== this.expected[word])
  }

  set(register: number, value: bigint, wide: boolean): void {
    this.tried[fpr(register) / 4] = Number(BigInt.asIntN(32, value))
    this.tried[wide ? fpr(register) / 4 + 1 : fpr(register | 1) / 4] = Number(BigInt.asIntN(32, value >> 32n))
  }
}

const doubleBits = (value: number): bigint => new BigInt64Array(Float64Array.of(value).buffer)[0]!
const singleBits = (value: number): bigint => BigInt(new Int32Array(Float32Array.of(value).buffer)[0]!)

/** An odd number of `bits` bits. */
function oddNumber(next: Random, bits: number): number {
  const value = (BigInt(next()) << 32n) | BigInt(next())
  return Number((BigInt.asUintN(bits, value) | 1n | (1n << BigInt(bits - 1))) & ((1n << BigInt(bits)) - 1n))
}

/** Operands s, t, r such that s * t, r / t and the root of r are exact, or would be if r were not a bit off. */
function nearExact(next: Random, letter: Letter): [bigint, bigint, bigint] {
  const precision = letter === 'd' ? 53 : 24
  const pattern = letter === 'd' ? doubleBits : singleBits
  const bits = 1 + (next() % (precision - 1))
  const scale = 2 ** ((next() % 40) - 20)
  const s = oddNumber(next, bits)
  const t = oddNumber(next, Math.max(1, precision - bits - 1 + (next() % 4)))
  const square = oddNumber(next, 1 + (next() % ((precision >> 1) + 1)))
  const r = pattern((next() % 2 === 0 ? s * t : square * square) * scale)
  return [pattern(s), pattern(t), r + BigInt((next() % 3) - 1)]
}

function operands(next: Random, letter: Letter): [bigint, bigint, bigint] {
  if (letter === 'w') return [next() % 2 === 0 ? BigInt(next()) : 1n << BigInt(next() % 33), 0n, 0n]
  const one = letter === 'd' ? randomDouble : randomSingle
  if (next() % 2 === 0) return [one(next), one(next), one(next)]
  const [s, t, r] = nearExact(next, letter)
  const choice = next() % 4
  if (choice === 0) return [s, t, one(next)]
  return choice === 1 ? [r, t, s] : [s, t, r]
}

/** All modes, but half of the time the one that the fast way is for. */
function anFcsr(next: Random): number {
  const usual = next() % 2 === 0
  const rounding = usual ? 0 : next() & 3
  const flush = next() % 4 === 0 ? FCSR_FS : 0
  const enables = usual ? 0 : next() & 0xf80
  return (next() & 0xfe83_f07c) | rounding | flush | enables
}

function letterOf(mnemonic: string): Letter {
  const last = mnemonic.at(-1)
  assert(last === 's' || last === 'd' || last === 'w')
  return last
}

for (const fr of [false, true]) {
  t.test(`operations do what the helper does, Status.FR = ${Number(fr)}, seed ${SEED}`, async (t) => {
    const next = randomWords(SEED)
    const pair = new Pair()
    let inlined = 0
    let called = 0
    const tryOne = (name: string, args: readonly number[]) => {
      const inline = makeInline(args, fr, pair.memory)
      if (inline === undefined) return
      const letter = letterOf(name)
      for (let number = 0; number < CASES; number++) {
        const [s, u, r] = operands(next, letter)
        pair.tried[FCSR / 4] = anFcsr(next)
        pair.set(S, s, fr)
        pair.set(T, u, fr)
        pair.set(R, r, fr)
        const fcsr = pair.tried[FCSR / 4]!
        const difference = pair.difference(args, fr, inline)
        if (difference === undefined) called++
        else inlined++
        if (difference === undefined || difference < 0) continue
        const operandWords = [s, u, r].map((value) => BigInt.asUintN(64, value).toString(16)).join(', ')
        t.equal(
          pair.tried[difference]! >>> 0,
          pair.expected[difference]! >>> 0,
          `${name} of ${operandWords}, FCSR ${(fcsr >>> 0).toString(16)}: word ${4 * difference}`,
        )
        return
      }
      t.pass(`${name}`)
    }
    for (const [number, mnemonic] of FLOAT_OPERATIONS.entries()) {
      if (!mnemonic.startsWith('c.cond')) tryOne(mnemonic, [number, D, S, T, R])
      else for (let condition = 0; condition < 16; condition++) tryOne(mnemonic, [number, condition, S, T, next() & 7])
    }
    t.comment(`${inlined} operations without a call, ${called} with`)
  })
}

t.test('ordinary numbers need no call', async (t) => {
  const pair = new Pair()
  const numbers = { s: [3, 0.1, 7], d: [3, 0.1, 7], w: [123456789, 0, 0] } as const
  for (const [number, mnemonic] of FLOAT_OPERATIONS.entries()) {
    const args = [number, D, S, T, R]
    const inline = makeInline(args, false, pair.memory)
    if (inline === undefined) {
      t.match(mnemonic, /\.l/, 'conversions of 64-bit integers are left to the helper')
      continue
    }
    const letter = letterOf(mnemonic)
    const pattern = letter === 'd' ? doubleBits : letter === 's' ? singleBits : BigInt
    pair.tried.fill(0)
    for (const [place, register] of [S, T, R].entries()) pair.set(register, pattern(numbers[letter][place]!), false)
    t.equal(pair.difference(args, false, inline), -1, mnemonic)
  }
})

t.test('zeros that are exact need no call', async (t) => {
  const pair = new Pair()
  const cases = [
    ['add.d', -5, 5],
    ['sub.d', 5, 5],
    ['mul.d', 0, -5],
    ['mul.d', 5, 0],
    ['div.d', 0, -5],
    ['cvt.s.d', -0, 0],
  ] as const
  for (const [mnemonic, s, u] of cases) {
    const args = [FLOAT_OPERATIONS.indexOf(mnemonic), D, S, T, R]
    pair.tried.fill(0)
    pair.set(S, doubleBits(s), false)
    pair.set(T, doubleBits(u), false)
    t.equal(pair.difference(args, false, makeInline(args, false, pair.memory)!), -1, `${mnemonic} ${s}, ${u}`)
  }
})
