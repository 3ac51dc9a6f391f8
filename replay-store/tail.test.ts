import t from 'tap'
import { NodeTable } from './codec.ts'
import { EntryEncoder } from './entry-encoder.ts'
import { DamagedError } from './errors.ts'
import { toMessage } from './flat-entry.ts'
import { Random, randomMessages, SAMPLE_NODES } from './sample.ts'
import { decodeTail, encodeFrame } from './tail.ts'

const nodes = new NodeTable(SAMPLE_NODES)
const FIRST = 77

/** Frames of 1, 2, 3, ... entries, and where each ends. */
function sampleTail(frameCount: number) {
  const messages = randomMessages((frameCount * (frameCount + 1)) / 2, new Random(11))
  const encoder = new EntryEncoder(nodes)
  const frames: Uint8Array[] = []
  const ends: { bytes: number; entries: number }[] = [{ bytes: 0, entries: 0 }]
  for (let count = 1, next = 0; count <= frameCount; next += count++) {
    for (const message of messages.slice(next, next + count)) encoder.encode(message)
    const frame = encodeFrame(encoder.view(), FIRST + next, count)
    encoder.drop(encoder.length)
    frames.push(frame)
    ends.push({ bytes: ends.at(-1)!.bytes + frame.length, entries: next + count })
  }
  return { messages, file: Buffer.concat(frames), ends }
}

const decode = (bytes: Uint8Array) => {
  const { entries, cut } = decodeTail(bytes, FIRST, nodes, 'FILE')
  return { messages: entries.map((entry) => toMessage(entry, nodes)), cut }
}

t.test('a tail cut at any byte gives its whole frames', async (t) => {
  const { messages, file, ends } = sampleTail(6)
  for (let length = 0; length <= file.length; length++) {
    const whole = ends.findLast((end) => end.bytes <= length)!
    const { messages: read, cut } = decode(file.subarray(0, length))
    t.strictSame(read, messages.slice(0, whole.entries), `${length} bytes`)
    t.equal(cut?.offset, whole.bytes === length ? undefined : whole.bytes)
  }
})

t.test('a flipped bit is damage, in the last frame a cut', async (t) => {
  const { messages, file, ends } = sampleTail(4)
  const lastFrame = ends.at(-2)!
  for (let bit = 0; bit < file.length * 8; bit++) {
    const flipped = Buffer.from(file)
    flipped[bit >> 3]! ^= 1 << (bit & 7)
    const frame = ends.findLast((end) => end.bytes <= bit >> 3)!
    if (frame === lastFrame) {
      const { messages: read, cut } = decode(flipped)
      t.equal(cut?.offset, lastFrame.bytes)
      t.strictSame(read, messages.slice(0, lastFrame.entries))
      continue
    }
    const error = t.throws(() => decode(flipped))
    if (!(error instanceof DamagedError) || error.part !== `the frame at byte ${frame.bytes}`) {
      t.fail(`bit ${bit}: ${error}`)
    }
  }
})

t.test('a file that a power failure left with zeros behind is cut there', async (t) => {
  const { messages, file, ends } = sampleTail(3)
  const { messages: read, cut } = decode(Buffer.concat([file, Buffer.alloc(4096)]))
  t.strictSame(read, messages)
  t.equal(cut?.offset, ends.at(-1)!.bytes)
})

t.test('a lost or repeated frame is damage', async (t) => {
  const { file, ends } = sampleTail(3)
  const [, first, second] = ends
  const lost = Buffer.concat([file.subarray(0, first!.bytes), file.subarray(second!.bytes)])
  t.throws(() => decode(lost), { name: 'DamagedError', message: /begins with entry/ })
  t.throws(() => decode(Buffer.concat([file, file])), { name: 'DamagedError', message: /begins with entry/ })
})
