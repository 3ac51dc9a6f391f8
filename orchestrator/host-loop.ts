/**
 * The host's side of a run: slices of some milliseconds with the event loop served between them. Nothing here can be seen
 * in a journal.
 */
import { setImmediate, setTimeout } from 'node:timers/promises'
import type { Vt } from '../bus/mod.ts'

/** Where a session stands. */
export interface Progress {
  instructions: number
  vt: Vt
  /** Entries of the journal so far, written or agreed with. */
  entries: number
}

export interface HostOptions {
  /** Called between slices, some 80 times a second in a live run, 20 in a replay. */
  onProgress?: (progress: Progress) => void
  /** Ends the session in order. */
  signal?: AbortSignal
}

/** A person types into a live run. */
export const LIVE_SLICE_MS = 12
/** Nobody waits for anything but its end: serving the host costs 60 us. */
export const REPLAY_SLICE_MS = 50
const FIRST_SLICE_INSTRUCTIONS = 20_000
const MIN_SLICE_INSTRUCTIONS = 1_000
const MAX_SLICE_INSTRUCTIONS = 100_000_000

/** Host milliseconds, from any fixed moment. */
export function hostMs(): number {
  return performance.now()
}

/** Sizes slices in instructions so that each takes about `sliceMs`. */
export class SliceMeter {
  readonly #sliceMs: number
  #instructions = FIRST_SLICE_INSTRUCTIONS

  constructor(sliceMs: number) {
    this.#sliceMs = sliceMs
  }

  /** Runs one slice and learns from how long it took. */
  measure<R extends { state: string }>(slice: (maxInstructions: number) => R): R {
    const from = hostMs()
    const result = slice(this.#instructions)
    const ms = Math.max(hostMs() - from, 0.01)
    // A slice that an idle CPU ended early says nothing about speed.
    if (result.state === 'ran') {
      const factor = Math.min(4, Math.max(0.25, this.#sliceMs / ms))
      const next = Math.round(this.#instructions * factor)
      this.#instructions = Math.min(MAX_SLICE_INSTRUCTIONS, Math.max(MIN_SLICE_INSTRUCTIONS, next))
    }
    return result
  }
}

/** Lets the host's events be served. */
export async function serveHost(): Promise<void> {
  await setImmediate()
}

/** Sleeps for `ms` at most; an abort ends it early. */
export async function sleepHost(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const options = signal === undefined ? {} : { signal }
  await setTimeout(ms, undefined, options).catch((error: unknown) => {
    if (!signal?.aborted) throw error
  })
}
