/**
 * Where accesses of translated code miss the fast way, and how often of late: where that is often, code that calls for them is
 * worth its making. Each new process misses a few times wherever it goes; that is none.
 *
 * What is made to call is all of the chunk of code around such an access. The others of a loop that copies come to it one after the
 * other, and which regions had been made meanwhile was different in each run: a boot translated the eight regions with the kernel's
 * copying in them up to five times, and found none of them among what earlier runs had compiled.
 */

/** Misses that are too many in so many instructions: some 20 us of them in 5 ms. */
const TOO_MANY = 64
const INSTRUCTIONS = 10_000_000
/** Bytes of a chunk: 32 instructions of MIPS. */
export const CALLING_CHUNK = 128

/** Of a page of code; places are as its blocks count addresses. */
export class AccessMisses {
  /** Where chunks begin whose accesses are done by a call. */
  readonly #calling = new Set<number>()
  readonly #counts = new Map<number, { count: number; since: number }>()

  /** Whether an access at `place` is done by a call. */
  isByCall(place: number): boolean {
    return this.#calling.size > 0 && this.#calling.has(place & -CALLING_CHUNK)
  }

  /** An access at `place` is done by a call from now on, and so are those around it. */
  call(place: number): void {
    this.#calling.add(place & -CALLING_CHUNK)
  }

  /** The access at `place` missed, at about `icount`. True: what has been translated of its chunk should call from now on. */
  add(place: number, icount: number): boolean {
    const known = this.#counts.get(place)
    if (known === undefined || icount - known.since > INSTRUCTIONS) {
      this.#counts.set(place, { count: 1, since: icount })
      return false
    }
    if (++known.count < TOO_MANY) return false
    // It may come to this again: what is being translated at the moment does not know of it.
    this.#counts.delete(place)
    this.call(place)
    return true
  }
}
