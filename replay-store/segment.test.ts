import t from 'tap'
import type { Message } from '../bus/mod.ts'
import { NodeTable } from './codec.ts'
import { EntryEncoder } from './entry-encoder.ts'
import { DamagedError } from './errors.ts'
import { FlatEntry } from './flat-entry.ts'
import { bootMessages, NS_PER_INSTRUCTION, Random, randomMessages, SAMPLE_NODES } from './sample.ts'
import { decodeSegmentBody, decodeSegmentHeader, MAX_HEADER_BYTES, SegmentWriter } from './segment.ts'

const nodes = new NodeTable(SAMPLE_NODES)

function append(encoder: EntryEncoder, segment: SegmentWriter, message: Message): void {
  encoder.entry.set(message, nodes)
  segment.append()
}

/** The file of a segment of `messages`. */
function encode(messages: Iterable<Message>, number = 0, firstEntry = 0): Uint8Array {
  const encoder = new EntryEncoder(nodes)
  const segment = new SegmentWriter(encoder, NS_PER_INSTRUCTION)
  for (const message of messages) append(encoder, segment, message)
  return segment.finish(number, firstEntry)
}

function decode(file: Uint8Array): { header: ReturnType<typeof decodeSegmentHeader>; messages: Message[] } {
  const header = decodeSegmentHeader(file.subarray(0, MAX_HEADER_BYTES), file.length, 'FILE')
  const body = file.subarray(header.bodyAt)
  const entries = decodeSegmentBody(body, header, SAMPLE_NODES.length, NS_PER_INSTRUCTION, 'FILE')
  const flat = new FlatEntry()
  const messages = Array.from({ length: entries.length }, (_, i) => {
    entries.read(i, flat)
    return flat.message(nodes)
  })
  return { header, messages }
}

t.test('random entries come back from columns, and the index says what is in them', async (t) => {
  const seed = Date.now() >>> 0
  t.comment(`seed ${seed}`)
  const random = new Random(seed)
  for (const count of [1, 2, 5, 300, 4000]) {
    const messages = randomMessages(count, random, true)
    const { header, messages: read } = decode(encode(messages, 3, 1000))
    t.strictSame(read, messages, `${count} entries`)
    t.match(header, { number: 3, firstEntry: 1000, entryCount: count })
    t.equal(header.firstVt, messages[0]!.vt)
    t.equal(header.lastVt, messages.at(-1)!.vt)
    for (const [node, name] of SAMPLE_NODES.entries()) {
      const own = messages.filter(({ src, dst }) => src === name || dst === name)
      const expected =
        own.length === 0
          ? undefined
          : { node, count: own.length, firstIcount: own[0]!.icount, lastIcount: own.at(-1)!.icount }
      t.strictSame(
        header.nodes.find((range) => range.node === node),
        expected,
        name,
      )
    }
  }
})

t.test('one writer makes segment after segment, large and small, each as if it were the only one', async (t) => {
  const random = new Random(9)
  const [src, dst] = [SAMPLE_NODES[0]!, SAMPLE_NODES[1]!]
  const manyShapes = Array.from({ length: 5000 }, (_, i): Message => {
    return { vt: 8 * i, icount: i, src, dst, payload: { kind: 'read', region: i % 7, offset: i, size: 1 } }
  })
  const manyBytes = Array.from({ length: 6 }, (_, i): Message => {
    return { vt: 8e4 + i, icount: 5000, src, dst, payload: { kind: 'output', bytes: new Uint8Array(100_000).fill(i) } }
  })
  const few = randomMessages(50, random, true).map((message) => {
    return { ...message, vt: message.vt + 1e6, icount: message.icount + 1e5 }
  })
  const encoder = new EntryEncoder(nodes)
  const writer = new SegmentWriter(encoder, NS_PER_INSTRUCTION)
  for (const messages of [manyShapes, manyBytes, few]) {
    for (const message of messages) append(encoder, writer, message)
    const file = writer.finish(1, 2)
    t.strictSame(decode(file).messages, messages)
    t.ok(Buffer.from(file).equals(encode(messages, 1, 2)))
  }
})

t.test('numbers of every size come back', async (t) => {
  const seed = Date.now() >>> 0
  t.comment(`seed ${seed}`)
  const random = new Random(seed)
  const limits = [0, 1, 63, 64, 127, 128, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 49, Number.MAX_SAFE_INTEGER]
  const values = [...limits, ...Array.from({ length: 500 }, () => random.whole())]
  const [src, dst] = [SAMPLE_NODES[0]!, SAMPLE_NODES[1]!]
  const last = Number.MAX_SAFE_INTEGER - 1
  const messages = values.flatMap((value): Message[] => [
    { vt: 0, icount: 0, src, dst, payload: { kind: 'dmaRead', target: -1, address: value, length: value } },
    { vt: 0, icount: 0, src, dst, payload: { kind: 'timer', due: value } },
    { vt: 0, icount: 0, src, dst, payload: { kind: 'grid', hash: value >>> 0 } },
  ])
  // Times as far back as times may be.
  for (const value of values) {
    messages.push({ vt: last, icount: 0, src, dst, payload: { kind: 'timer', due: Math.max(0, last - value) } })
  }
  t.strictSame(decode(encode(messages)).messages, messages)
})

t.test('every flipped bit of a segment is found and named', async (t) => {
  const file = encode(randomMessages(8, new Random(5)))
  const { bodyAt } = decodeSegmentHeader(file, file.length, 'FILE')
  for (let bit = 0; bit < file.length * 8; bit++) {
    const flipped = Uint8Array.from(file)
    flipped[bit >> 3]! ^= 1 << (bit & 7)
    const part = bit >> 3 < bodyAt ? 'the header of the segment' : 'the body of the segment'
    const error = t.throws(() => decode(flipped))
    if (!(error instanceof DamagedError) || error.part !== part) t.fail(`bit ${bit}: ${error}`)
  }
})

t.test('every cut of a segment is found', async (t) => {
  const file = encode(randomMessages(8, new Random(6)))
  for (let length = 0; length < file.length; length++) t.throws(() => decode(file.subarray(0, length)), DamagedError)
  t.throws(() => decode(Buffer.concat([file, Uint8Array.of(0)])), { message: /should have/ })
})

t.test('a boot fits a fraction of what it must', async (t) => {
  let messages: Message[] = []
  let total = 0
  let grids = 0
  for (const message of bootMessages(new Random(7), 25, 8800)) {
    messages.push(message)
    if (message.payload.kind === 'grid') grids++
    if (message.payload.kind === 'segment') {
      total += encode(messages).length
      messages = []
    }
  }
  total += encode(messages).length
  t.comment(`${total} bytes, ${grids * 4} of them hashes of grid points, which nothing compresses`)
  t.ok(total - grids * 4 < 40_000, `${total} bytes`)
})
