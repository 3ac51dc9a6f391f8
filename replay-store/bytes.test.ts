import t from 'tap'
import { ByteReader } from './bytes.ts'
import { Random } from './sample.ts'

const fail = (what: string) => new RangeError(what)
const LIMITS = [0, 1, 63, 64, 127, 128, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 49, Number.MAX_SAFE_INTEGER]

/** The encoding in other words than those of the one that segments are written with. */
class BigIntWriter {
  readonly #bytes: number[] = []

  whole(value: number): void {
    const groups = BigInt(value)
      .toString(2)
      .padStart(Math.ceil(BigInt(value).toString(2).length / 7) * 7, '0')
      .match(/.{7}/g)!
    groups.reverse().forEach((bits, i) => {
      this.#bytes.push(Number.parseInt(bits, 2) + (i < groups.length - 1 ? 0x80 : 0))
    })
  }

  signed(value: number): void {
    const magnitude = BigInt(Math.abs(value))
    const first = Number(magnitude % 64n) * 2 + (value < 0 ? 1 : 0)
    this.#bytes.push(magnitude < 64n ? first : first + 0x80)
    if (magnitude >= 64n) this.whole(Number(magnitude / 64n))
  }

  u32(value: number): void {
    this.#bytes.push(...new Uint8Array(Uint32Array.of(value).buffer))
  }

  view(): Uint8Array {
    return Uint8Array.from(this.#bytes)
  }
}

t.test('numbers of every size come back', async (t) => {
  const seed = Date.now() >>> 0
  t.comment(`seed ${seed}`)
  const random = new Random(seed)
  const values = [...LIMITS, ...Array.from({ length: 2000 }, () => random.whole())]
  const writer = new BigIntWriter()
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
