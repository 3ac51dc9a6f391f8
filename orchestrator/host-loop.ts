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

/** Host milliseconds, from any fixed moment. */
export function hostMs(): number {
  return performance.now()
}

/** A slice of `ms` that begins now: whether it is over. */
export function sliceOf(ms: number): () => boolean {
  const endMs = hostMs() + ms
  return () => hostMs() >= endMs
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
