/**
 * Where QEMU and this CPU differ, and why that is right. Whatever differs and is not explained here fails the test; so
 * does an explanation that nothing needs any more.
 */
import type { Case } from './harness.ts'

export interface Difference {
  reason: string
  /** Whether it explains that `field` of this case's outcome differs so. */
  explains(test: Case, field: string, expected: unknown, actual: unknown): boolean
}

const CAUSE_TIMER = 0x40008000

function differOnlyIn(mask: number, expected: unknown, actual: unknown): boolean {
  return typeof expected === 'number' && typeof actual === 'number' && ((expected ^ actual) & ~mask) === 0
}

export const differences: readonly Difference[] = [
  {
    reason: "QEMU's Count follows the host's clock, and so does the timer's pending bit (Cause.TI and IP7)",
    explains: (_test, field, expected, actual) => field === 'Cause' && differOnlyIn(CAUSE_TIMER, expected, actual),
  },
]
