/**
 * Where accesses of translated code miss the fast way, and how often of late: where that is often, code that calls for them is
 * worth its making. Each new process misses a few times wherever it goes; that is none.
 */

/** Misses that are too many in so many instructions: some 20 us of them in 5 ms. */
const TOO_MANY = 64
const INSTRUCTIONS = 10_000_000

/** Of a page of code; places are as its blocks count addresses. */
export class AccessMisses {
  /** Places of accesses that are done by a call. */
  readonly byCall = new Set<number>()
  readonly #counts = new Map<number, { count: number; since: number }>()

  /** The access at `place` missed, at about `icount`. True: what has been translated of it should call from now on. */
  add(place: number, icount: number): boolean {
    const known = this.#counts.get(place)
    if (known === undefined || icount - known.since > INSTRUCTIONS) {
      this.#counts.set(place, { count: 1, since: icount })
      return false
    }
    if (++known.count < TOO_MANY) return false
    // It may come to this again: what is being translated at the moment does not know of it.
    this.#counts.delete(place)
    this.byCall.add(place)
    return true
  }
}
