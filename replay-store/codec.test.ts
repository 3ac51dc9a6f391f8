import { Packr } from 'msgpackr'
import t from 'tap'
import type { Message, Payload } from '../bus/mod.ts'
import { NEVER } from '../bus/mod.ts'
import { decodeEntries, KINDS, NodeTable } from './codec.ts'
import { EntryEncoder } from './entry-encoder.ts'
import { toMessage } from './flat-entry.ts'
import { JournalHasher } from './identity.ts'
import { Random, randomMessages, SAMPLE_NODES } from './sample.ts'

const nodes = new NodeTable(SAMPLE_NODES)
const fail = (what: string) => new Error(what)

function encodeAll(messages: readonly Message[]): Buffer {
  const encoder = new EntryEncoder(nodes)
  for (const message of messages) encoder.encode(message)
  return Buffer.from(encoder.view())
}

function decodeAll(bytes: Uint8Array): Message[] {
  return decodeEntries(bytes, nodes, fail).map((entry) => toMessage(entry, nodes))
}

const at = (payload: Payload, src = 'cpu', dst = 'uart0'): Message => ({
  vt: 2 ** 33,
  icount: 2 ** 30,
  src,
  dst,
  payload,
})

/** One entry of every kind and form, with the bytes that format version 1 gives it after vt and icount. */
const GOLDEN: readonly [Payload, string][] = [
  [{ kind: 'reset' }, '95 000400'],
  [{ kind: 'read', region: 0, offset: 5, size: 1 }, '98 000401 000501'],
  [{ kind: 'read', region: 1, offset: 1, size: 4, index: 0x80001000 }, '99 000401 010104ce80001000'],
  [{ kind: 'write', region: 0, offset: 0, size: 1, value: 0x41 }, '99 000402 00000141'],
  [{ kind: 'write', region: 0, offset: 1, size: 2, value: 0xffff, index: 10 }, '9a 000402 000102cdffff0a'],
  [{ kind: 'event' }, '95 000403'],
  [{ kind: 'line', wire: 4, level: 1 }, '97 000404 0401'],
  [{ kind: 'memory', bytes: Uint8Array.of(1, 2, 3) }, '96 000405 c403010203'],
  [{ kind: 'memory', bytes: Uint8Array.of(255), length: 4096 }, '97 000405 c401ffcd1000'],
  [{ kind: 'input', bytes: Uint8Array.of(13) }, '96 000406 c4010d'],
  [{ kind: 'data', value: 0x60, validUntil: NEVER }, '97 000407 60c0'],
  [{ kind: 'data', value: 0, validUntil: 0 }, '97 000407 0000'],
  [{ kind: 'timer', due: NEVER }, '96 000408 c0'],
  [{ kind: 'timer', due: 2 ** 40 }, '96 000408 cb4270000000000000'],
  [{ kind: 'dmaRead', target: -1, address: 4096, length: 16 }, '98 000409 ffcd100010'],
  [{ kind: 'dmaWrite', target: 0, address: 0, bytes: Uint8Array.of() }, '98 00040a 0000c400'],
  [
    { kind: 'map', region: 0, space: 'io', base: 0x1000, length: 32, offset: 0, mode: 'ram' },
    '9b 00040b 00a2696fcd1000200001',
  ],
  [{ kind: 'output', bytes: Uint8Array.of(104, 105) }, '96 00040c c4026869'],
  [{ kind: 'grid', hash: 0xdeadbeef }, '96 00040d cedeadbeef'],
  [{ kind: 'segment', hashLow: 1, hashHigh: 0x80000000 }, '97 00040e 01ce80000000'],
  [{ kind: 'stop', reason: 'poweroff' }, '96 00040f 00'],
  [{ kind: 'stop', reason: 'failed' }, '96 00040f 03'],
  [
    { kind: 'dmaCopy', from: 1, to: -1, fromAddress: 0x1000, toAddress: 0x300, length: 16 },
    '9a 000410 01ffcd1000cd030010',
  ],
]

t.test('canonical bytes of every kind', async (t) => {
  for (const [payload, hex] of GOLDEN) {
    const [array, rest] = [hex.slice(0, 2), hex.slice(2).replaceAll(' ', '')]
    const bytes = encodeAll([at(payload)])
    // vt 2^33 needs a float64, icount 2^30 is a uint32.
    t.equal(bytes.toString('hex'), `${array}cb4200000000000000ce40000000${rest}`, payload.kind)
    t.strictSame(decodeAll(bytes), [at(payload)])
  }
  t.same(new Set(GOLDEN.map(([payload]) => payload.kind)), new Set(KINDS.map((row) => row.kind)), 'every kind is there')
})

t.test('random messages come back, and their bytes do not depend on what came before', async (t) => {
  const seed = Date.now() >>> 0
  t.comment(`seed ${seed}`)
  const messages = randomMessages(3000, new Random(seed), true)
  const bytes = encodeAll(messages)
  t.strictSame(decodeAll(bytes), messages)
  const alone = Buffer.concat(messages.map((message) => encodeAll([message])))
  t.ok(bytes.equals(alone))
})

t.test('the bytes are those of msgpackr', async (t) => {
  const seed = Date.now() >>> 0
  t.comment(`seed ${seed}`)
  const packr = new Packr({ useRecords: false })
  const same = (messages: readonly Message[], what: string) => {
    const bytes = encodeAll(messages)
    const packed = decodeEntries(bytes, nodes, fail).map((entry) => new Uint8Array(packr.pack(entry)))
    t.ok(bytes.equals(Buffer.concat(packed)), what)
  }
  same(randomMessages(3000, new Random(seed), true), 'random messages')
  for (const length of [0, 31, 32, 255, 256, 65_535, 65_536, 200_000]) {
    const output: Payload = { kind: 'output', bytes: new Uint8Array(length).fill(length) }
    const map: Payload = { kind: 'map', region: 1, space: '', base: 2, length: 3, offset: 4, mode: 'off' }
    same([at(output), at({ ...map, space: 'x'.repeat(length) }), at({ kind: 'event' })], `${length} bytes`)
    // More bytes than characters.
    same(
      [at({ ...map, space: 'é'.repeat(length) }), at({ ...map, space: '中'.repeat(length) })],
      `${length} characters`,
    )
  }
})

t.test('bytes that wait can be taken in parts', async (t) => {
  const messages = GOLDEN.map(([payload]) => at(payload))
  const encoder = new EntryEncoder(nodes)
  const taken: Buffer[] = []
  for (const [i, message] of messages.entries()) {
    const before = encoder.length
    encoder.encode(message)
    if (i % 3 !== 2) continue
    taken.push(Buffer.from(encoder.view(before)))
    encoder.drop(before)
  }
  taken.push(Buffer.from(encoder.view()))
  t.ok(Buffer.concat(taken).equals(encodeAll(messages)))
})

t.test('a Buffer and a Uint8Array encode alike', async (t) => {
  const array = encodeAll([at({ kind: 'output', bytes: Uint8Array.of(1, 2) })])
  t.ok(array.equals(encodeAll([at({ kind: 'output', bytes: Buffer.from([9, 1, 2]).subarray(1) })])))
})

t.test('identity', async (t) => {
  const messages = GOLDEN.map(([payload]) => at(payload))
  const identity = (list: readonly Message[], names = SAMPLE_NODES) => {
    const hasher = new JournalHasher(names)
    for (const message of list) hasher.append(message)
    t.equal(hasher.entryCount, list.length)
    return hasher.digest()
  }
  const first = messages.filter(({ payload }) => payload.kind !== 'dmaCopy')
  t.equal(identity(first), 'ada88b507fdeba6da3995e0420b9b7aa059e84b92d10b8ba2986d30145a5664c', 'format version 1')
  const asked = new JournalHasher(SAMPLE_NODES)
  for (const message of messages) {
    asked.append(message)
    asked.digest()
  }
  t.equal(asked.digest(), identity(messages), 'asking meanwhile changes nothing')
  t.not(identity(messages.slice(1)), identity(messages))
  t.not(identity(messages, [...SAMPLE_NODES, 'more']), identity(messages), 'the node table is part of it')
  const large = [at({ kind: 'output', bytes: new Uint8Array(100_000).fill(7) })]
  t.not(identity(large), identity([at({ kind: 'output', bytes: new Uint8Array(100_000).fill(8) })]))
})

t.test('ill-formed messages are refused', async (t) => {
  const refused = (message: Message, expected: RegExp) =>
    t.throws(() => new EntryEncoder(nodes).encode(message), { name: 'AssertionError', message: expected })
  refused({ ...at({ kind: 'event' }), src: 'nobody' }, /node nobody is not in the node table/)
  refused({ ...at({ kind: 'event' }), vt: 0.5 }, /vt is not/)
  refused({ ...at({ kind: 'event' }), icount: -1 }, /icount is not/)
  refused(at({ kind: 'grid', hash: -1 }), /grid.hash is not a valid u32/)
  refused(at({ kind: 'write', region: 0, offset: 0, size: 3 as 4, value: 0 }), /write.size/)
  refused(at({ kind: 'map', region: 0, space: 'io', base: 0, length: 0, offset: 0, mode: 'x' as 'ram' }), /map.mode/)
  refused(at({ kind: 'dmaRead', target: -2, address: 0, length: 0 }), /dmaRead.target/)
  t.throws(() => encodeAll([at({ kind: 'event' }), { ...at({ kind: 'event' }), vt: 5 }]), /ordered by vt/)
  t.throws(() => encodeAll([at({ kind: 'event' }), { ...at({ kind: 'event' }), icount: 5 }]), /backwards/)
})

t.test('bytes that are no entries are refused', async (t) => {
  const refused = (hex: string, expected: RegExp) =>
    t.throws(() => decodeEntries(Buffer.from(hex, 'hex'), nodes, fail), { message: expected }, hex)
  refused('01', /not an array/)
  refused('9500000004', /not msgpack/)
  refused('950000000411', /unknown kind/)
  refused('9500000004a66c656e677468', /unknown kind/)
  refused('950000070400', /src is not/)
  refused('96000000040001', /too many fields/)
  refused('95000000040d', /grid.hash/)
})
