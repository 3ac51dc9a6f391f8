import t from 'tap'
import { NEVER, StateError } from '../../bus/mod.ts'
import { DeviceBench } from '../../bus/testing.ts'
import { i8254 } from './i8254.ts'

const HERTZ = 1_193_182n
/** The first nanosecond of CLK pulse `pulse`, in exact integers. */
const vtOf = (pulse: number) => Number((BigInt(pulse) * 1_000_000_000n + HERTZ - 1n) / HERTZ)

const bench = () => new DeviceBench(i8254, {})
type Bench = ReturnType<typeof bench>

function program(b: Bench, counter: number, mode: number, count: number, bcd = 0): void {
  b.write('ports', 3, (counter << 6) | 0x30 | (mode << 1) | bcd)
  b.write('ports', counter, count & 0xff)
  b.write('ports', counter, count >>> 8)
}
function latched(b: Bench, counter: number): number {
  b.write('ports', 3, counter << 6)
  const low = b.read('ports', counter)
  return low | (b.read('ports', counter) << 8)
}
function status(b: Bench, counter: number): number {
  b.write('ports', 3, 0xe0 | (2 << counter))
  return b.read('ports', counter)
}
/** OUT of counter 2, by port B. */
const out2 = (b: Bench) => (b.read('portB', 0) >>> 5) & 1
const atPulse = (b: Bench, pulse: number) => b.advanceTo(vtOf(pulse))

t.test('nothing runs before it is programmed', async (t) => {
  const b = bench()
  t.equal(b.due, NEVER)
  t.equal(b.line('out0'), 0)
})

t.test("mode 2 as Linux's clock event: OUT low for the last pulse of each period", async (t) => {
  const b = bench()
  program(b, 0, 2, 4772)
  t.equal(b.line('out0'), 1)
  atPulse(b, 3 * 4772 + 1)
  const edges = b.lineChanges.filter(({ vt }) => vt > 0)
  t.same(
    edges,
    [1, 2, 3].flatMap((period) => [
      { vt: vtOf(period * 4772), output: 'out0', level: 0 },
      { vt: vtOf(period * 4772 + 1), output: 'out0', level: 1 },
    ]),
  )
})

t.test('no rounding adds up: an hour of mode 2', async (t) => {
  const b = bench()
  b.advanceTo(3_600_000_000_000)
  program(b, 0, 2, 65_536 & 0xffff)
  const start = Number((3_600_000_000_000n * HERTZ) / 1_000_000_000n)
  t.equal(b.due, vtOf(start + 65_536))
  atPulse(b, start + 1)
  t.equal(latched(b, 0), 0, 'a count of 65536 reads as 0')
  atPulse(b, start + 2)
  t.equal(latched(b, 0), 65_535)
})

t.test('mode 3: half periods, the high one longer for an odd count, counting by two', async (t) => {
  const b = bench()
  program(b, 0, 3, 5)
  atPulse(b, 12)
  t.same(
    b.lineChanges.filter(({ vt }) => vt > 0).map(({ vt }) => vt),
    [4, 6, 9, 11].map(vtOf),
  )
  const c = bench()
  program(c, 0, 3, 6)
  const values: number[] = []
  for (let pulse = 1; pulse <= 7; pulse++) {
    atPulse(c, pulse)
    values.push(latched(c, 0))
  }
  t.same(values, [6, 4, 2, 6, 4, 2, 6])
})

t.test('mode 0: OUT rises N + 1 pulses after the write, once, and the count goes on', async (t) => {
  const b = bench()
  program(b, 0, 0, 100)
  t.equal(b.due, vtOf(101))
  atPulse(b, 51)
  t.equal(latched(b, 0), 50)
  atPulse(b, 200)
  t.same(b.lineChanges, [{ vt: vtOf(101), output: 'out0', level: 1 }])
  t.equal(latched(b, 0), 65_536 - 99)
  t.equal(b.due, NEVER)
  b.write('ports', 0, 10)
  t.equal(b.line('out0'), 0, 'the first byte of a new count lowers OUT and stops the counting')
  t.equal(b.due, NEVER)
})

t.test('mode 4: a strobe of one pulse', async (t) => {
  const b = bench()
  program(b, 0, 4, 10)
  t.equal(b.line('out0'), 1)
  atPulse(b, 100_000)
  t.same(
    b.lineChanges.filter(({ vt }) => vt > 0),
    [
      { vt: vtOf(11), output: 'out0', level: 0 },
      { vt: vtOf(12), output: 'out0', level: 1 },
    ],
  )
})

t.test('a count of 1, which modes 2 and 3 do not allow, leaves OUT high', async (t) => {
  for (const mode of [2, 3]) {
    const b = bench()
    b.write('portB', 0, 0x01)
    program(b, 2, mode, 1)
    t.equal(b.unhandled.length, 1)
    for (let pulse = 0; pulse < 6; pulse++) {
      atPulse(b, pulse)
      t.equal(out2(b), 1)
    }
  }
})

t.test('modes 1 and 5 wait for the gate of counter 2', async (t) => {
  const b = bench()
  program(b, 2, 1, 20)
  atPulse(b, 100)
  t.equal(out2(b), 1)
  t.equal(status(b, 2) & 0x40, 0x40, 'null count until the trigger')
  b.write('portB', 0, 0x01)
  atPulse(b, 101)
  t.equal(out2(b), 0)
  t.equal(status(b, 2) & 0x40, 0)
  atPulse(b, 110)
  b.write('portB', 0, 0x00)
  b.write('portB', 0, 0x01)
  atPulse(b, 130)
  t.equal(out2(b), 0, 'triggered again')
  atPulse(b, 131)
  t.equal(out2(b), 1)
  b.write('portB', 0, 0)
  program(b, 2, 5, 20)
  atPulse(b, 200)
  b.write('portB', 0, 0x01)
  for (const [pulse, level] of [
    [220, 1],
    [221, 0],
    [222, 1],
  ] as const) {
    atPulse(b, pulse)
    t.equal(out2(b), level)
  }
})

t.test("the gate holds mode 0: Linux's TSC calibration by port B", async (t) => {
  const b = bench()
  b.write('portB', 0, 0x00)
  program(b, 2, 0, 1000)
  atPulse(b, 500)
  t.equal(out2(b), 0)
  t.equal(latched(b, 2), 1000, 'loaded, and held')
  b.write('portB', 0, 0x01)
  atPulse(b, 900)
  b.write('portB', 0, 0x00)
  t.equal(latched(b, 2), 600)
  atPulse(b, 2000)
  t.equal(latched(b, 2), 600)
  b.write('portB', 0, 0x01)
  atPulse(b, 2599)
  t.equal(out2(b), 0)
  atPulse(b, 2600)
  t.equal(out2(b), 1)
})

t.test('the gate stops mode 2 with OUT high, and starts it anew', async (t) => {
  const b = bench()
  b.write('portB', 0, 0x01)
  program(b, 2, 2, 10)
  atPulse(b, 10)
  t.equal(out2(b), 0)
  b.write('portB', 0, 0x00)
  t.equal(out2(b), 1)
  b.write('portB', 0, 0x01)
  atPulse(b, 19)
  t.equal(out2(b), 1)
  atPulse(b, 20)
  t.equal(out2(b), 0)
})

t.test('a new count in mode 2 counts from the next period, in mode 3 from the next half', async (t) => {
  const b = bench()
  program(b, 0, 2, 10)
  atPulse(b, 5)
  b.write('ports', 0, 4)
  b.write('ports', 0, 0)
  t.equal(status(b, 0) & 0x40, 0x40, 'null count')
  atPulse(b, 19)
  t.same(
    b.lineChanges.filter(({ level }) => level === 0).map(({ vt }) => vt),
    [10, 14, 18].map(vtOf),
  )
  t.equal(status(b, 0) & 0x40, 0)
  const c = bench()
  program(c, 0, 3, 10)
  atPulse(c, 3)
  c.write('ports', 0, 4)
  c.write('ports', 0, 0)
  atPulse(c, 11)
  t.same(
    c.lineChanges.slice(1).map(({ vt }) => vt),
    [6, 8, 10].map(vtOf),
  )
})

t.test('BCD counts in tens', async (t) => {
  const b = bench()
  program(b, 0, 0, 0x1000, 1)
  atPulse(b, 2)
  t.equal(latched(b, 0), 0x0999)
  program(b, 0, 2, 0, 1)
  t.equal(b.due, vtOf(2 + 10_000))
})

t.test('latches hold: a second latch is ignored, status comes before count', async (t) => {
  const b = bench()
  program(b, 0, 2, 1000)
  atPulse(b, 101)
  b.write('ports', 3, 0xc0 | 0x02)
  atPulse(b, 201)
  b.write('ports', 3, 0x00)
  t.equal(b.read('ports', 0), 0x80 | 0x30 | (2 << 1))
  t.equal(b.read('ports', 0) | (b.read('ports', 0) << 8), 900)
  t.equal(latched(b, 0), 800)
})

t.test('a live read of one byte stays valid until the next pulse', async (t) => {
  const b = bench()
  b.write('ports', 3, 0x14)
  b.write('ports', 0, 100)
  atPulse(b, 11)
  t.equal(b.read('ports', 0), 90)
  t.equal(b.lastData?.validUntil, vtOf(12))
  b.write('ports', 3, 0x34)
  b.write('ports', 0, 100)
  b.write('ports', 0, 0)
  b.read('ports', 0)
  t.equal(b.lastData?.validUntil, 0, 'two bytes: each read counts')
})

t.test('port B: the refresh bit toggles, exactly as far as validUntil says', async (t) => {
  const b = bench()
  for (let i = 0; i < 10; i++) {
    const bit = b.read('portB', 0) & 0x10
    const until = b.lastData?.validUntil ?? 0
    b.advanceTo(until - 1)
    t.equal(b.read('portB', 0) & 0x10, bit)
    b.advanceTo(until)
    t.not(b.read('portB', 0) & 0x10, bit)
  }
  b.write('portB', 0, 0xff)
  t.equal(b.read('portB', 0) & 0x8f, 0x0f)
})

t.test('random programs: each edge that is announced happens, and none other', async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  t.comment(`seed ${seed}`)
  let x = seed
  const random = (below: number) => {
    x = (Math.imul(x, 1_103_515_245) + 12_345) & 0x7fffffff
    return (x >>> 8) % below
  }
  for (let round = 0; round < 60; round++) {
    const b = bench()
    const mode = [0, 2, 3, 4][random(4)]!
    const count = 2 + random(40)
    program(b, 0, mode, count)
    const levels: number[] = []
    for (let pulse = 1; pulse < 200; pulse++) {
      atPulse(b, pulse)
      levels.push(b.line('out0'))
    }
    const expected = levels.map((_, i) => {
      const elapsed = i
      if (mode === 0) return elapsed >= count ? 1 : 0
      if (mode === 2) return elapsed % count === count - 1 ? 0 : 1
      if (mode === 3) return elapsed % count < Math.ceil(count / 2) ? 1 : 0
      return elapsed === count ? 0 : 1
    })
    if (levels.join('') !== expected.join('')) t.same(levels, expected, `mode ${mode}, count ${count}`)
  }
  t.pass('60 programs')
})

t.test('state comes back in mid-count', async (t) => {
  const whole = bench()
  program(whole, 0, 3, 1001)
  program(whole, 2, 0, 500)
  whole.write('ports', 3, 0xc0 | 0x08)
  atPulse(whole, 1234)
  whole.write('ports', 0, 77)
  const saved = whole.save()
  const again = new DeviceBench(i8254, {}, {}, structuredClone(saved))
  again.advanceTo(whole.now)
  for (const b of [whole, again]) {
    b.write('ports', 0, 0)
    atPulse(b, 5000)
    b.write('portB', 0, 1)
    atPulse(b, 5100)
  }
  t.equal(latched(again, 0), latched(whole, 0))
  t.same(again.save(), whole.save())
  const damaged = structuredClone(saved)
  const counters = damaged.state['counters'] as { mode: number }[]
  counters[1]!.mode = 6
  t.throws(() => again.host.restore(damaged), StateError)
})

t.test('the log names the words', async (t) => {
  const decode = i8254.decoder?.({})
  const write = (value: number) => decode?.({ kind: 'write', region: 0, offset: 3, size: 1, value })
  t.equal(write(0x34), 'control word <- counter 0, LSB then MSB, mode 2 (0x34)')
  t.equal(write(0x80), 'control word <- latch counter 2')
  t.equal(write(0xe2), 'control word <- read back status of 0')
})
