/**
 * XXH64 of spans of CPU memory, in place, in WebAssembly: in JavaScript the hashes of a boot's grid points and segments
 * took 6 % of its time. (xxHash specification 0.2.0, "XXH64 algorithm description"; without the part for a length that
 * is no multiple of 32.)
 */
import assert from 'node:assert/strict'
import { FunctionBody, type Local } from './wasm/function.ts'
import { encodeModule } from './wasm/module.ts'

const WASM_PAGE_BYTES = 65536
const STRIPE_BYTES = 32
/** The number of `span` in the module: nothing is imported. */
const SPAN_FUNCTION = 0
const PRIME_1 = 0x9e37_79b1_85eb_ca87n
const PRIME_2 = 0xc2b2_ae3d_27d4_eb4fn
const PRIME_3 = 0x1656_67b1_9e37_79f9n
const PRIME_4 = 0x85eb_ca77_c2b2_ae63n

export interface SpanHashes {
  /** (first byte in the memory, bytes: a multiple of 32 and not 0, seed) -> XXH64, unsigned. */
  span(start: number, bytes: number, seed: bigint): bigint
  /**
   * The low 32 bits, unsigned, of the hash of a second span whose seed is that of a first one, with seed 0: what is asked
   * for at each grid point makes no `bigint`.
   */
  twoSpans(start: number, bytes: number, secondStart: number, secondBytes: number): number
  /** Stores the hash of a span, or 0 if all its bytes are, as 64 bits at `into`: of pages, without a `bigint` for each. */
  store(start: number, bytes: number, seed: number, into: number): void
}

const SPAN = { parameters: ['i32', 'i32', 'i64'], results: ['i64'] } as const
const STORE = { parameters: ['i32', 'i32', 'i32', 'i32'], results: [] } as const
const TWO_SPANS = { parameters: ['i32', 'i32', 'i32', 'i32'], results: ['i32'] } as const

export function makeSpanHashes(memory: WebAssembly.Memory, memoryPages: number): SpanHashes {
  const functions = [
    { name: 'span', signature: SPAN, body: emitSpan() },
    { name: 'twoSpans', signature: TWO_SPANS, body: emitTwoSpans() },
    { name: 'store', signature: STORE, body: emitStore() },
  ]
  const module = new WebAssembly.Module(encodeModule({ memoryPages, imports: [], functions }))
  const { exports } = new WebAssembly.Instance(module, { env: { memory } })
  const { span, twoSpans, store } = exports as unknown as SpanHashes
  return {
    span(start, bytes, seed) {
      checkLength(bytes)
      return BigInt.asUintN(64, span(start, bytes, seed))
    },
    twoSpans(start, bytes, secondStart, secondBytes) {
      checkLength(bytes)
      checkLength(secondBytes)
      return twoSpans(start, bytes, secondStart, secondBytes) >>> 0
    },
    store(start, bytes, seed, into) {
      checkLength(bytes)
      store(start, bytes, seed, into)
    },
  }
}

/** Of `bytes` bytes that are anywhere, with a number below 2^32 as the seed: XXH64, unsigned. They are copied to a memory of its own. */
export function makeOutsideHash(bytes: number): (from: Uint8Array, seed: number) => bigint {
  const memoryPages = Math.ceil(bytes / WASM_PAGE_BYTES)
  const memory = new WebAssembly.Memory({ initial: memoryPages, maximum: memoryPages })
  const { span } = makeSpanHashes(memory, memoryPages)
  const copy = new Uint8Array(memory.buffer, 0, bytes)
  return (from, seed) => {
    assert(from.length === bytes)
    copy.set(from)
    return span(0, bytes, BigInt(seed))
  }
}

function checkLength(bytes: number): void {
  assert(bytes > 0 && bytes % STRIPE_BYTES === 0)
}

/** span(span(start, bytes, 0) as the seed), and of that the low half. */
function emitTwoSpans(): FunctionBody {
  const body = new FunctionBody(TWO_SPANS.parameters)
  const hash = body.local('i64')
  body.get(body.parameter(0))
  body.get(body.parameter(1))
  body.i64(0n)
  body.call(SPAN_FUNCTION)
  body.set(hash)
  body.get(body.parameter(2))
  body.get(body.parameter(3))
  body.get(hash)
  body.call(SPAN_FUNCTION)
  body.op('i32.wrap_i64')
  return body
}

function emitStore(): FunctionBody {
  const body = new FunctionBody(STORE.parameters)
  const start = body.parameter(0)
  const bytes = body.parameter(1)
  const hash = body.local('i64')
  const at = body.local('i32')
  body.get(start)
  body.set(at)
  const done = body.block()
  const notZero = body.block()
  const stripes = body.loop()
  for (let word = 0; word < STRIPE_BYTES; word += 8) {
    body.get(at)
    body.memory('i64.load', word)
    if (word > 0) body.op('i64.or')
  }
  body.i64(0n)
  body.op('i64.ne')
  body.brIf(notZero)
  body.get(at)
  body.i32(STRIPE_BYTES)
  body.op('i32.add')
  body.tee(at)
  body.get(start)
  body.op('i32.sub')
  body.get(bytes)
  body.op('i32.ne')
  body.brIf(stripes)
  body.end(stripes)
  body.br(done)
  body.end(notZero)
  body.get(start)
  body.get(bytes)
  body.get(body.parameter(2))
  body.op('i64.extend_i32_u')
  body.call(SPAN_FUNCTION)
  body.set(hash)
  body.end(done)
  body.get(body.parameter(3))
  body.get(hash)
  body.memory('i64.store', 0)
  return body
}

function emitSpan(): FunctionBody {
  const body = new FunctionBody(SPAN.parameters)
  const start = body.parameter(0)
  const bytes = body.parameter(1)
  const seed = body.parameter(2)
  const end = body.local('i32')
  const hash = body.local('i64')
  const seedOffsets = [PRIME_1 + PRIME_2, PRIME_2, 0n, -PRIME_1]
  const lanes = seedOffsets.map((offset) => {
    const lane = body.local('i64')
    body.get(seed)
    constant(body, offset)
    body.op('i64.add')
    body.set(lane)
    return lane
  })
  body.get(start)
  body.get(bytes)
  body.op('i32.add')
  body.set(end)

  const stripes = body.loop()
  for (const [index, lane] of lanes.entries()) {
    body.get(lane)
    body.get(start)
    body.memory('i64.load', 8 * index)
    emitRound(body)
    body.set(lane)
  }
  body.get(start)
  body.i32(STRIPE_BYTES)
  body.op('i32.add')
  body.tee(start)
  body.get(end)
  body.op('i32.ne')
  body.brIf(stripes)
  body.end(stripes)

  for (const [index, lane] of lanes.entries()) {
    body.get(lane)
    rotateLeft(body, [1, 7, 12, 18][index]!)
    if (index > 0) body.op('i64.add')
  }
  for (const lane of lanes) {
    // What is on the stack, with the lane mixed in.
    constant(body, 0n)
    body.get(lane)
    emitRound(body)
    body.op('i64.xor')
    multiply(body, PRIME_1)
    constant(body, PRIME_4)
    body.op('i64.add')
  }
  body.get(bytes)
  body.op('i64.extend_i32_u')
  body.op('i64.add')
  body.set(hash)
  for (const [shift, prime] of [
    [33n, PRIME_2],
    [29n, PRIME_3],
    [32n, undefined],
  ] as const) {
    foldDown(body, hash, shift)
    if (prime !== undefined) multiply(body, prime)
    body.set(hash)
  }
  body.get(hash)
  return body
}

/** (lane, word) -> lane. */
function emitRound(body: FunctionBody): void {
  multiply(body, PRIME_2)
  body.op('i64.add')
  rotateLeft(body, 31)
  multiply(body, PRIME_1)
}

function foldDown(body: FunctionBody, value: Local, shift: bigint): void {
  body.get(value)
  body.get(value)
  body.i64(shift)
  body.op('i64.shr_u')
  body.op('i64.xor')
}

function rotateLeft(body: FunctionBody, bits: number): void {
  body.i64(BigInt(64 - bits))
  body.op('i64.rotr')
}

function multiply(body: FunctionBody, factor: bigint): void {
  constant(body, factor)
  body.op('i64.mul')
}

function constant(body: FunctionBody, value: bigint): void {
  body.i64(BigInt.asIntN(64, value))
}
