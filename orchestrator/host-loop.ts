/**
 * The host's side of a run: slices of some milliseconds with the event loop served between them. Nothing here can be seen
 * in a journal.
 */
import { setImmediate } from 'node:timers/promises'
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

/** Sleeps that end early when it rings, whatever for. */
export class Alarm {
  #isRung = false
  #wake: (() => void) | undefined

  /** Ends the sleep, or the next one if nobody sleeps. */
  ring(): void {
    this.#isRung = true
    this.#wake?.()
  }

  /** Sleeps for `ms` at most. The host's events are served even if it rang before. One sleep at a time. */
  async sleep(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    if (this.#isRung) await setImmediate()
    else {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        timer = setTimeout(resolve, ms)
      })
    }
    clearTimeout(timer)
    this.#wake = undefined
    this.#isRung = false
  }
}
