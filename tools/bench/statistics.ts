/**
 * Medians, spreads and ratios of measured figures.
 */

export interface Spread {
  median: number
  low: number
  high: number
  /** Of a ratio of medians: the median of the ratios of pairs. */
  pairs?: number
}

/** Undefined for no values; the mean of the middle two for an even number of them. */
export function median(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Median, least and greatest; undefined for no values. */
export function spread(values: readonly number[]): Spread | undefined {
  const middle = median(values)
  return middle === undefined ? undefined : { median: middle, low: Math.min(...values), high: Math.max(...values) }
}

/**
 * How `over` compares with `under`: the ratio of their medians, and the median, the least and the greatest ratio of two figures
 * of one round, which a drift of the host leaves alone. Each list has one figure a round, undefined where it was not run, or failed;
 * rounds that do not have both do not count. Undefined if none has.
 */
export function ratio(
  over: readonly (number | undefined)[],
  under: readonly (number | undefined)[],
): Spread | undefined {
  const pairs = over.flatMap((a, index) => {
    const b = under[index]
    return a === undefined || b === undefined || b === 0 ? [] : [[a, b] as const]
  })
  const above = median(pairs.map(([a]) => a))
  const below = median(pairs.map(([, b]) => b))
  if (above === undefined || below === undefined) return undefined
  const ofPairs = spread(pairs.map(([a, b]) => a / b))!
  return { ...ofPairs, median: above / below, pairs: ofPairs.median }
}
