import t from 'tap'
import { ByteReader, ByteWriter } from './bytes.ts'
import { Random } from './sample.ts'

const fail = (what: string) => new RangeError(what)
const LIMITS = [0, 1, 63, 64, 127, 128, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 49, Number.MAX_SAFE_INTEGER]

t.test('numbers of every size come back', async (t) => {
  const seed = Date.now() >>> 0
  t.comment(`seed ${seed}`)
  const random = new Random(seed)
  const values = [...LIMITS, ...Array.from({ length: 2000 }, () => random.whole())]
  const writer = new ByteWriter()
  for (const value of values) {
    writer.whole(value)
    writer.signed(value)
    writer.signed(-value)
    writer.u32(value >>> 0)
  }
  const reader = new ByteReader(writer.view(), fail)
  for (const value of values) {
    const read = [reader.whole(), reader.signed(), reader.signed(), reader.u32()]
    // Adding 0 makes a 0 of a -0, which a column does not tell apart.
    t.strictSame(
      read.map((each) => each + 0),
      [value, value, -value + 0, value >>> 0],
    )
  }
  t.ok(reader.atEnd)
})

t.test('the end of the bytes and a number that is none are errors', async (t) => {
  t.throws(() => new ByteReader(Uint8Array.of(0x80), fail).whole(), { message: 'it ends too early' })
  t.throws(() => new ByteReader(Uint8Array.of(1, 2), fail).u32(), { message: 'it ends too early' })
  t.throws(() => new ByteReader(Uint8Array.of(1, 2), fail).bytes(3), { message: 'it ends too early' })
  t.throws(() => new ByteReader(new Uint8Array(20).fill(0xff), fail).whole(), { message: /53 bits/ })
})
