import t from 'tap'
import { makeOutsideHash, makeSpanHashes } from './hash.ts'

const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 })
const bytes = new Uint8Array(memory.buffer)
const { span: xxh64, twoSpans, store } = makeSpanHashes(memory, 1)

// Of the bytes 0, 1, 2, ... modulo 251: as xxhsum 0.8.1 has them where the seed is 0, else as the specification computes.
const KNOWN = [
  { start: 0, length: 32, seed: 0n, hash: 0xcbf5_9c51_16ff_32b4n },
  { start: 0, length: 64, seed: 0n, hash: 0xf7c6_7301_db67_13f0n },
  { start: 7, length: 4096, seed: 0n, hash: 0xb23b_cd63_53a8_ef8cn },
  { start: 4096, length: 4096, seed: 1n, hash: 0xc215_ab70_3207_28dan },
  { start: 0, length: 65536, seed: 0xffff_ffff_ffff_fff0n, hash: 0xf8c1_efeb_52c9_c2d2n },
  { start: 96, length: 1024, seed: 12345n, hash: 0x7031_2ff8_a885_25d2n },
]

t.test('spans have the hashes that the reference program gives them', async (t) => {
  for (let index = 0; index < bytes.length; index++) bytes[index] = index % 251
  for (const { start, length, seed, hash } of KNOWN)
    t.equal(xxh64(start, length, seed), hash, `${length} from ${start}`)
})

t.test('bytes outside have the hash that they have inside', async (t) => {
  const hash = makeOutsideHash(4096)
  const outside = bytes.slice(7, 7 + 4096)
  for (const seed of [0, 1, 0xffff_ffff]) t.equal(hash(outside, seed), xxh64(7, 4096, BigInt(seed)))
  t.throws(() => hash(outside.subarray(1), 0), { name: 'AssertionError' })
})

t.test('two spans: the low half of the second, with the first as its seed', async (t) => {
  for (const [start, length, second, secondLength] of [
    [0, 32, 32, 32],
    [0, 2048, 16384, 256],
    [96, 1024, 7, 4096],
  ] as const) {
    const whole = xxh64(second, secondLength, xxh64(start, length, 0n))
    t.equal(twoSpans(start, length, second, secondLength), Number(whole & 0xffff_ffffn))
  }
  t.throws(() => twoSpans(0, 32, 0, 31), { name: 'AssertionError' })
  t.throws(() => twoSpans(0, 0, 0, 32), { name: 'AssertionError' })
})

t.test('a stored hash: 0 where all bytes are, wherever a single one is not', async (t) => {
  const into = 32_760
  const stored = () => new DataView(memory.buffer).getBigUint64(into, true)
  bytes.fill(0, 8192, 8192 + 4096)
  store(8192, 4096, 7, into)
  t.equal(stored(), 0n)
  for (const at of [0, 31, 32, 2047, 4088, 4095]) {
    bytes[8192 + at] = 1
    store(8192, 4096, 7, into)
    t.equal(stored(), xxh64(8192, 4096, 7n), `byte ${at}`)
    bytes[8192 + at] = 0
  }
  store(8192, 4096, 7, into)
  t.equal(stored(), 0n)
  bytes[8192] = 1
  store(8192, 32, 0x8000_0000, into)
  t.equal(stored(), xxh64(8192, 32, 0x8000_0000n), 'the seed is unsigned')
  t.throws(() => store(0, 31, 0, into), { name: 'AssertionError' })
})
