/**
 * Whether a process's memory has stopped growing: the trend of samples of it, and how sure that trend is.
 *
 * Garbage only adds to what is live, so the least of a stretch of samples is the nearest to that. The first third, in
 * which the run warms up, is left out; the rest is cut into at most 8 windows, and each gives its least sample: its floor.
 * The trend is the median of the slopes between any two floors (Theil 1950, Sen 1968), which one floor that is off hardly
 * moves; its limits are the least and the greatest slope that Kendall's test, with its exact distribution, does not rule
 * out. That supposes nothing of the noise's size or shape, only that floors do not depend on each other. Hence so few
 * windows: each should be as long as from one full collection of garbage to the next, or a good part of it.
 */
import { median } from '../tools/mod.ts'

const MIB = 2 ** 20
const WARM_UP = 1 / 3
const MOST_WINDOWS = 8
/** How often each limit may be on the wrong side of the true slope. */
const ERROR_RATE = 0.05
/** Of fewer, less than three are left after the warm-up. */
export const LEAST_SAMPLES = 4

/** What a run is measured by, and what growth counts. */
export interface Growth {
  /** What the run has many of: `boot`. */
  unit: string
  /** Growth that does not matter, in bytes a unit. */
  negligibleBytes: number
  /** A leak that must not be missed, in bytes a unit. */
  leakBytes: number
}

/** `growing`: by more than is negligible, almost certainly. `unclear`: not so, but a leak could hide in what is not known. */
export type Verdict = 'stopped' | 'growing' | 'unclear'

export interface Trend {
  verdict: Verdict
  /** Bytes, the least of each window of the later part, in turn. */
  floors: readonly number[]
  /** Bytes a unit. */
  slope: number
  /** Bytes a unit: the true slope is hardly less, and hardly more. */
  low: number
  high: number
  /** How sure each of the limits is: 0.95 or more, less with fewer than four floors. */
  confidence: number
}

/**
 * The trend of `samples`, in bytes, taken evenly over a run of `units`. Undefined for fewer than `LEAST_SAMPLES`.
 */
export function memoryTrend(
  samples: readonly number[],
  units: number,
  { negligibleBytes, leakBytes }: Growth,
): Trend | undefined {
  if (samples.length < LEAST_SAMPLES) return undefined
  const later = samples.slice(Math.floor(samples.length * WARM_UP))
  const floors = windowFloors(later)
  const windowUnits = ((later.length / samples.length) * units) / floors.length
  const slopes = slopesOf(floors).map((bytes) => bytes / windowUnits)
  const { outside, confidence } = limitsOf(floors.length)
  const low = slopes[outside]!
  const high = slopes.at(-1 - outside)!
  const verdict = low > negligibleBytes ? 'growing' : high >= leakBytes ? 'unclear' : 'stopped'
  return { verdict, floors, slope: median(slopes)!, low, high, confidence }
}

const VERDICTS: Readonly<Record<Verdict, string>> = {
  stopped: 'has stopped growing',
  growing: 'is STILL GROWING',
  unclear: 'MAY BE GROWING, and too few samples or too much noise hide it',
}

/** The verdict with its figures, on one line: `memory has stopped growing: by 0.02 MiB a boot ...`. */
export function trendText({ verdict, floors, slope, low, high, confidence }: Trend, { unit }: Growth): string {
  const [slopeText, lowText, highText] = [slope, low, high].map((bytes) => (bytes / MIB).toFixed(2))
  const sure = `${lowText} to ${highText} with limits ${Math.floor(100 * confidence)} % sure`
  const from = `floors ${floors.map((bytes) => (bytes / MIB).toFixed(1)).join(' ')} MiB after the first third`
  return `${VERDICTS[verdict]}: by ${slopeText} MiB a ${unit} (${sure}), ${from}`
}

/** The least of each window. */
function windowFloors(samples: readonly number[]): number[] {
  const windows = Math.min(MOST_WINDOWS, samples.length)
  const begin = (window: number) => Math.floor((window * samples.length) / windows)
  return Array.from({ length: windows }, (_, window) => Math.min(...samples.slice(begin(window), begin(window + 1))))
}

/** Between any two of `values`, in order of size. */
function slopesOf(values: readonly number[]): number[] {
  const slopes = values.flatMap((from, index) =>
    values.slice(index + 1).map((to, further) => (to - from) / (further + 1)),
  )
  return slopes.sort((a, b) => a - b)
}

/**
 * How many of the slopes between `count` values are to be left out at either end so that the true one is outside what
 * remains, on that side, at most with `ERROR_RATE`: as many as so rarely fall where all orders of the values are as likely.
 */
function limitsOf(count: number): { outside: number; confidence: number } {
  const orders = ordersByFalls(count)
  const all = orders.reduce((sum, number) => sum + number)
  let outside = 0
  let chance = orders[0]! / all
  while (chance + orders[outside + 1]! / all <= ERROR_RATE) chance += orders[++outside]! / all
  return { outside, confidence: 1 - chance }
}

/** At index n: in how many orders of `count` values n pairs of them fall. */
function ordersByFalls(count: number): number[] {
  let orders = [1]
  for (let values = 2; values <= count; values++) {
    // The next value stands before none of the others, or one, up to all of them.
    const next = new Array<number>(orders.length + values - 1).fill(0)
    for (const [falls, number] of orders.entries()) {
      for (let before = 0; before < values; before++) next[falls + before]! += number
    }
    orders = next
  }
  return orders
}
