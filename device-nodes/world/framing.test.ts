import t from 'tap'
import { FrameReader, framed } from './framing.ts'

const frame = (length: number, fill: number) => new Uint8Array(length).fill(fill)
const join = (...parts: Uint8Array[]) => Uint8Array.from(Buffer.concat(parts))

t.test('a frame stands behind its length, the highest byte first', async (t) => {
  t.same([...framed(frame(258, 7)).subarray(0, 6)], [0, 0, 1, 2, 7, 7])
})

t.test('frames come out whole, however the stream is cut', async (t) => {
  const sent = [frame(14, 1), frame(60, 2), frame(1518, 3), frame(64, 4)]
  const stream = join(...sent.map(framed))
  for (const bytes of [1, 2, 3, 5, 17, 18, 64, 1000, stream.length]) {
    const reader = new FrameReader()
    const got: Uint8Array[] = []
    for (let at = 0; at < stream.length; at += bytes) got.push(...reader.read(stream.subarray(at, at + bytes)))
    t.same(got, sent, `${bytes} at a time`)
    t.match(reader, { tooShort: 0, tooLong: 0, isOutOfStep: false })
  }
})

t.test('a frame does not change with the chunk that it came in', async (t) => {
  const chunk = framed(frame(60, 9))
  const [got] = new FrameReader().read(chunk)
  chunk.fill(0)
  t.same(got, frame(60, 9))
})

t.test('what is no frame of Ethernet is skipped and counted, and the next one is whole', async (t) => {
  const good = frame(100, 8)
  const skipped = [frame(0, 0), frame(1, 1), frame(13, 1), frame(1519, 2), frame(65_535, 3), frame(1 << 20, 4)]
  const stream = join(...skipped.flatMap((each) => [framed(each), framed(good)]))
  for (const bytes of [1, 700, 65_536, stream.length]) {
    const reader = new FrameReader()
    const got: Uint8Array[] = []
    for (let at = 0; at < stream.length; at += bytes) got.push(...reader.read(stream.subarray(at, at + bytes)))
    t.same(got, Array(skipped.length).fill(good), `${bytes} at a time`)
    t.match(reader, { tooShort: 3, tooLong: 3, isOutOfStep: false })
  }
})

t.test('behind a length that cannot be nothing is read', async (t) => {
  for (const length of [0x10_0001, 0x4745_5420, 0xffff_ffff]) {
    const reader = new FrameReader()
    const word = new Uint8Array(4)
    new DataView(word.buffer).setUint32(0, length)
    const stream = join(framed(frame(60, 1)), word, framed(frame(60, 2)))
    t.same(reader.read(stream), [frame(60, 1)])
    t.ok(reader.isOutOfStep)
    t.same(reader.read(framed(frame(60, 3))), [])
  }
})
