import t from 'tap'
import { NEVER, StateError } from '../../bus/mod.ts'
import { DeviceBench } from '../../bus/testing.ts'
import { addSeconds, fromUnixSeconds } from './calendar.ts'
import { mc146818 } from './mc146818.ts'

const SECOND = 1_000_000_000
/** 2026-02-28 23:59:57 UTC, a Saturday. */
const START = Date.UTC(2026, 1, 28, 23, 59, 57) / 1000

const bench = (startSeconds = START) => new DeviceBench(mc146818, { startSeconds })
type Bench = ReturnType<typeof bench>
const read = (b: Bench, index: number) => b.read('ports', 1, 1, index)
const write = (b: Bench, index: number, value: number) => b.write('ports', 1, value, 1, index)
const TIME = [9, 8, 7, 4, 2, 0]
const clock = (b: Bench) => TIME.map((index) => read(b, index).toString(16).padStart(2, '0')).join(' ')

t.test('time goes on from its start, over the end of a month', async (t) => {
  const b = bench()
  t.equal(clock(b), '26 02 28 23 59 57')
  t.equal(read(b, 6), 7, 'Saturday')
  t.equal(read(b, 0x32), 0x20, 'century')
  b.advanceTo(3 * SECOND - 1)
  t.equal(clock(b), '26 02 28 23 59 59')
  b.advance(1)
  t.equal(clock(b), '26 03 01 00 00 00')
  t.equal(read(b, 6), 1)
  b.advanceTo(100 * 86_400 * SECOND)
  t.equal(clock(b), '26 06 08 23 59 57')
  t.equal(b.due, NEVER, 'no timer while nobody waits')
  t.equal(read(b, 0x0d), 0x80)
})

t.test('the calendar agrees with the Gregorian one from 2000 to 2099', async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  t.comment(`seed ${seed}`)
  let x = seed
  const random = (below: number) => {
    x = (Math.imul(x, 1_103_515_245) + 12_345) & 0x7fffffff
    return Math.floor((x / 0x80000000) * below)
  }
  const from = Date.UTC(2000, 0, 1) / 1000
  const span = Date.UTC(2100, 0, 1) / 1000 - from
  for (let i = 0; i < 2000; i++) {
    const a = from + random(span)
    const b = a + random(from + span - a)
    const got = addSeconds(fromUnixSeconds(a).time, b - a)
    const want = fromUnixSeconds(b).time
    const weekday = new Date(b * 1000).getUTCDay() + 1
    if (JSON.stringify(got) !== JSON.stringify(want) || got.weekday !== weekday)
      t.same(got, { ...want, weekday }, `${a} to ${b}`)
  }
  t.pass('2000 pairs')
})

t.test('UIP is set 2228 us before each second, and validUntil says exactly when it changes', async (t) => {
  const b = bench()
  const toggles: number[] = []
  for (let i = 0; i < 4; i++) {
    const uip = read(b, 0x0a) & 0x80
    t.equal(uip, i % 2 === 0 ? 0 : 0x80)
    const until = b.lastData?.validUntil ?? 0
    b.advanceTo(until - 1)
    t.equal(read(b, 0x0a) & 0x80, uip)
    b.advanceTo(until)
    toggles.push(b.now)
  }
  t.same(toggles, [SECOND - 2_228_000, SECOND, 2 * SECOND - 2_228_000, 2 * SECOND])
  t.equal(read(b, 0x0a) & 0x7f, 0x26)
})

t.test('time registers stay valid until the next second, RAM for ever', async (t) => {
  const b = bench()
  b.advance(SECOND / 3)
  read(b, 0)
  t.equal(b.lastData?.validUntil, SECOND)
  write(b, 0x40, 0x5a)
  t.equal(read(b, 0x40), 0x5a)
  t.equal(b.lastData?.validUntil, NEVER)
})

t.test('SET stops the clock while it is set; the next second counts from the running divider', async (t) => {
  const b = bench()
  write(b, 0x0b, 0x82)
  t.equal(read(b, 0x0a) & 0x80, 0)
  t.equal(b.lastData?.validUntil, NEVER)
  b.advance(10.25 * SECOND)
  t.equal(clock(b), '26 02 28 23 59 57')
  for (const [index, value] of [
    [0, 0x30],
    [2, 0x15],
    [4, 0x08],
    [7, 0x31],
    [8, 0x12],
    [9, 0x99],
  ] as const) {
    write(b, index, value)
  }
  write(b, 0x0b, 0x02)
  b.advance(0.75 * SECOND - 1)
  t.equal(clock(b), '99 12 31 08 15 30')
  b.advance(1)
  t.equal(clock(b), '99 12 31 08 15 31')
})

t.test('a divider let out of reset updates half a second later: setting the clock as Linux does', async (t) => {
  const b = bench()
  b.advance(0.3 * SECOND)
  write(b, 0x0b, 0x82)
  write(b, 0x0a, 0x76)
  b.advance(5 * SECOND)
  write(b, 0, 0x10)
  write(b, 0x0b, 0x02)
  write(b, 0x0a, 0x26)
  read(b, 0)
  t.equal(b.lastData?.validUntil, b.now + SECOND / 2)
  b.advance(SECOND / 2)
  t.equal(read(b, 0), 0x11)
})

t.test('binary and 12-hour modes', async (t) => {
  const b = bench(Date.UTC(2026, 5, 1, 11, 59, 59) / 1000)
  write(b, 0x0b, 0x00)
  write(b, 4, 0x11)
  b.advance(SECOND)
  t.equal(read(b, 4), 0x92, '12 PM')
  b.advance(12 * 3600 * SECOND)
  t.equal(read(b, 4), 0x12, '12 AM')
  t.equal(read(b, 7), 0x02)
  write(b, 0x0b, 0x86)
  write(b, 2, 59)
  write(b, 0, 59)
  write(b, 4, 23)
  write(b, 0x0b, 0x06)
  b.advance(SECOND)
  t.same([read(b, 4), read(b, 2), read(b, 0)], [0, 0, 0])
})

t.test('the periodic interrupt keeps its rate exactly, and waits for register C', async (t) => {
  const b = bench()
  write(b, 0x0a, 0x26)
  write(b, 0x0b, 0x42)
  for (let i = 0; i < 1024; i++) {
    b.advanceTo(b.due - 1)
    t.equal(b.line('irq'), 0)
    b.advance(1)
    t.equal(b.line('irq'), 1)
    t.equal(b.due, NEVER)
    t.equal(read(b, 0x0c) & 0xe0, 0xc0)
    t.equal(b.line('irq'), 0)
  }
  t.equal(b.now, SECOND)
  write(b, 0x0b, 0x02)
  t.equal(b.due, NEVER)
  write(b, 0x0a, 0x21)
  write(b, 0x0b, 0x42)
  t.equal(b.due, SECOND + 3_906_250)
  write(b, 0x0a, 0x2f)
  t.equal(b.due, 1.5 * SECOND)
})

t.test('flags are set with their interrupts disabled; enabling one then raises IRQ at once', async (t) => {
  const b = bench()
  b.advance(1.5 * SECOND)
  t.equal(b.line('irq'), 0)
  write(b, 0x0b, 0x12)
  t.equal(b.line('irq'), 1)
  t.equal(read(b, 0x0c), 0x80 | 0x40 | 0x10)
  t.equal(b.line('irq'), 0)
  t.equal(b.due, 2 * SECOND)
  write(b, 0x0b, 0x92)
  t.equal(read(b, 0x0b), 0x82, 'SET clears UIE')
})

t.test('alarms: exact time, any hour, and none that comes', async (t) => {
  const b = bench()
  write(b, 1, 0x05)
  write(b, 3, 0x01)
  write(b, 5, 0x00)
  read(b, 0x0c)
  write(b, 0x0b, 0x22)
  t.equal(b.due, 68 * SECOND)
  b.advanceTo(68 * SECOND)
  t.equal(b.line('irq'), 1)
  t.equal(read(b, 0x0c) & 0xa0, 0xa0)
  t.equal(b.due, (68 + 86_400) * SECOND, 'the same time tomorrow')
  write(b, 5, 0xc0)
  t.equal(b.due, (68 + 3600) * SECOND)
  write(b, 3, 0xff)
  write(b, 1, 0xff)
  t.equal(b.due, 69 * SECOND)
  write(b, 1, 0x61)
  t.equal(b.due, NEVER)
})

t.test('reset clears enables and flags and keeps the time', async (t) => {
  const b = bench()
  write(b, 0x40, 7)
  write(b, 0x0b, 0x72)
  b.advance(SECOND)
  t.equal(b.line('irq'), 1)
  b.reset()
  t.equal(b.line('irq'), 0)
  t.equal(read(b, 0x0b), 0x02)
  t.equal(read(b, 0x0c), 0)
  t.equal(clock(b), '26 02 28 23 59 58')
  t.equal(read(b, 0x40), 7)
})

t.test('state comes back', async (t) => {
  const whole = bench()
  write(whole, 0x0b, 0x62)
  write(whole, 1, 0xff)
  write(whole, 3, 0xff)
  write(whole, 5, 0xff)
  whole.advance(7_654_321)
  read(whole, 0x0c)
  const saved = whole.save()
  const again = new DeviceBench(mc146818, { startSeconds: 0 }, {}, structuredClone(saved))
  again.advanceTo(whole.now)
  for (const b of [whole, again]) {
    b.advance(1_234_567)
    b.advance(SECOND)
    t.equal(read(b, 0x0c), 0xf0)
    t.equal(clock(b), '26 02 28 23 59 58')
  }
  t.same(again.save(), whole.save())
  const damaged = structuredClone(saved)
  damaged.state['bytes'] = new Uint8Array(64)
  t.throws(() => again.host.restore(damaged), StateError)
})

t.test('the log names registers', async (t) => {
  const decode = mc146818.decoder?.({ startSeconds: 0 })
  t.equal(
    decode?.({ kind: 'write', region: 0, offset: 1, size: 1, value: 0x82, index: 0x0b }),
    'register B <- SET|HOURS_24',
  )
  decode?.({ kind: 'read', region: 0, offset: 1, size: 1, index: 0x0a })
  t.equal(decode?.({ kind: 'data', value: 0xa6, validUntil: 0 }), 'register A -> UIP|DV=2|RS=6')
  t.equal(decode?.({ kind: 'read', region: 0, offset: 1, size: 1, index: 0x32 }), 'CMOS 0x32 ?')
})
