/**
 * What an access to a device register costs: the time of a loop that does it, less that of the same loop without.
 */
import { ACCESSES, type AccessCase, NO_ACCESS, type Side } from './cases.ts'
import type { Results } from './results.ts'
import type { Sample } from './sample.ts'

/** Nanoseconds an access, one figure a round; undefined where either was not run, or failed. */
export function accessNs(results: Results, name: AccessCase, side: Side): (number | undefined)[] {
  const without = results.figures(NO_ACCESS, side, iterationNs)
  return results.figures(name, side, iterationNs).map((withAccess, round) => {
    const base = without[round]
    return withAccess === undefined || base === undefined ? undefined : (withAccess - base) / ACCESSES[name]
  })
}

function iterationNs({ seconds, iterations }: Sample): number | undefined {
  return iterations === undefined ? undefined : (seconds * 1e9) / iterations
}
