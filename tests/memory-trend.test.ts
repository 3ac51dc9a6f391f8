import t from 'tap'
import { type Growth, LEAST_SAMPLES, memoryTrend, trendText, type Verdict } from './memory-trend.ts'

const MIB = 2 ** 20
const BOOT: Growth = { unit: 'boot', negligibleBytes: 0.32 * MIB, leakBytes: MIB }
const RESIDENT: Growth = { ...BOOT, leakBytes: 2 * MIB }
const WORK: Growth = { unit: 'G instructions', negligibleBytes: 0.032 * MIB, leakBytes: 0.5 * MIB }
const WORK_UNITS = 100
const WORK_SAMPLES = 110
const RUNS = 200

/** Marsaglia's xorshift: from 0 to 1. */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

const mebibytes = (values: readonly number[]): number[] => values.map((value) => value * MIB)
const warmUp = (sample: number) => 400 + 35 * (1 - Math.exp(-sample / 12))

interface Course {
  /** MiB a G instructions. */
  leak: number
  /** Samples from one collection to the next, more or less; the garbage between them is 20 MiB. */
  period: number
}

/** A run that warms up, with garbage that is collected now or later, 3 MiB of noise on top, and a leak. */
function run({ leak, period }: Course, random: () => number): number[] {
  const nextPeriod = () => period * (0.6 + 0.8 * random())
  let length = nextPeriod()
  let since = random() * length
  return mebibytes(
    Array.from({ length: WORK_SAMPLES }, (_, sample) => {
      if (++since >= length) {
        since = 0
        length = nextPeriod()
      }
      return warmUp(sample) + (20 * since) / length + (leak * sample * WORK_UNITS) / WORK_SAMPLES + 3 * random()
    }),
  )
}

/** The share of runs that gets each verdict. */
function verdicts(course: Course, seed: number): Record<Verdict, number> {
  const random = randomOf(seed)
  const shares: Record<Verdict, number> = { stopped: 0, growing: 0, unclear: 0 }
  for (let number = 0; number < RUNS; number++)
    shares[memoryTrend(run(course, random), WORK_UNITS, WORK)!.verdict] += 1 / RUNS
  return shares
}

t.test('slopes and limits are those of the textbook', async (t) => {
  // Warm-up is not looked at. Of four values in any order, one in 24 rises all the way.
  const trend = memoryTrend(mebibytes([9000, 0, 100, 101, 102, 106]), 6, BOOT)!
  t.same(trend.floors, mebibytes([100, 101, 102, 106]))
  t.same([trend.slope / MIB, trend.low / MIB, trend.high / MIB], [(1 + 2) / 2, 1, 4])
  t.equal(trend.confidence, 1 - 1 / 24)
  t.equal(trend.verdict, 'growing')
})

t.test('a window counts by its least sample', async (t) => {
  // A third, then eight windows of two.
  const samples = Array.from({ length: 24 }, (_, sample) => (sample % 2 === 0 ? 200 : 200 + 10 * sample))
  const trend = memoryTrend(mebibytes(samples), 24, BOOT)!
  t.same(trend.floors, mebibytes(new Array(8).fill(200)))
  t.equal(trend.verdict, 'stopped')
})

t.test('ten boots', async (t) => {
  const random = randomOf(1)
  const noise = () => 2 * random()
  const cases: [what: string, verdict: Verdict, bytes: (boot: number) => number][] = [
    ['a leak of 1 MiB a boot', 'growing', (boot) => 220 + boot],
    ['a leak of 1 MiB a boot in noise', 'growing', (boot) => 220 + boot + noise()],
    ['a leak after a large warm-up', 'growing', (boot) => 220 + boot - (boot < 3 ? 100 : 0)],
    ['nothing changes', 'stopped', () => 220],
    ['noise', 'stopped', () => 220 + noise()],
    ['three boots of warm-up', 'stopped', (boot) => 220 + Math.min(boot, 3) * 40],
    ['so little that it does not matter', 'stopped', (boot) => 220 + 0.1 * boot],
    ['one machine that is collected late', 'stopped', (boot) => (boot === 6 ? 380 : 220)],
    ['noise in which a leak may hide', 'unclear', () => 220 + 100 * random()],
  ]
  for (const [what, verdict, bytes] of cases) {
    const samples = mebibytes(Array.from({ length: 10 }, (_, boot) => bytes(boot)))
    t.equal(memoryTrend(samples, 10, BOOT)!.verdict, verdict, what, { samples })
  }
})

t.test('what was measured of ten boots after collections', async (t) => {
  const resident = [226.8, 226.1, 224.0, 227.1, 228.4, 226.0, 227.4, 225.3, 226.5, 229.2]
  t.equal(memoryTrend(mebibytes(resident), 10, RESIDENT)!.verdict, 'stopped')
  const leaking = resident.map((value, boot) => value + 2 * boot)
  t.equal(memoryTrend(mebibytes(leaking), 10, RESIDENT)!.verdict, 'growing', 'the same with a leak')
  const live = [62.87, 58.37, 58.52, 58.58, 58.67, 58.71, 59.1, 59.19, 59.51, 59.55]
  t.equal(memoryTrend(mebibytes(live), 10, BOOT)!.verdict, 'stopped', 'functions that V8 compiles later')
})

t.test('a long run', async (t) => {
  for (const [index, period] of [5, 15, 25].entries()) {
    const seed = 100 + index
    const what = `a collection every ${period} samples, seed ${seed}`
    const level = verdicts({ leak: 0, period }, seed)
    t.ok(level.growing <= 0.05, `no leak: ${what}`, level)
    t.ok(level.stopped >= 0.75, `no leak is seen to be none: ${what}`, level)
    const leaking = verdicts({ leak: 0.5, period }, seed)
    t.ok(leaking.growing >= 0.99, `0.5 MiB a G instructions: ${what}`, leaking)
    const slow = verdicts({ leak: 0.25, period }, seed)
    t.ok(slow.stopped <= 0.35, `0.25 MiB a G instructions: ${what}`, slow)
  }
})

t.test('too few samples', async (t) => {
  for (let samples = 0; samples < LEAST_SAMPLES; samples++)
    t.equal(memoryTrend(new Array(samples).fill(MIB), samples, BOOT), undefined)
  const least = memoryTrend(new Array(LEAST_SAMPLES).fill(MIB), LEAST_SAMPLES, BOOT)!
  t.equal(least.verdict, 'stopped')
  t.equal(least.confidence, 1 - 1 / 6, 'three floors say less')
})

t.test('the verdict on one line', async (t) => {
  const text = (samples: readonly number[]) => trendText(memoryTrend(mebibytes(samples), samples.length, BOOT)!, BOOT)
  t.equal(
    text([300, 200, 200, 200, 200.5, 200]),
    'has stopped growing: by 0.00 MiB a boot (-0.50 to 0.50 with limits 95 % sure), floors 200.0 200.0 200.5 200.0 MiB after the first third',
  )
  t.match(text([200, 201, 202, 203]), /^is STILL GROWING: by 1\.00 MiB a boot \(1\.00 to 1\.00 with limits 83 % sure\)/)
  t.match(text([200, 200, 203, 200]), /^MAY BE GROWING, and too few samples or too much noise hide it: by 0\.00 MiB/)
})
