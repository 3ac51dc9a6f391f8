/**
 * One line of progress on standard error, rewritten in place. Nothing is written where that is not a terminal: a log
 * file is better off without it.
 */
import { durationText } from './format.ts'

/** How often the line is rewritten, in milliseconds of host time. */
const INTERVAL_MS = 200

/** The longest line; a terminal narrower than the text cuts it further. */
const MAX_COLUMNS = 120

export interface ProgressStream {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

export class Progress {
  readonly #stream: ProgressStream
  readonly #now: () => number
  #shown = false
  #label = ''
  #startedMs = 0
  #startedFraction = 0
  #writtenMs = Number.NEGATIVE_INFINITY

  constructor(stream: ProgressStream = process.stderr, now: () => number = () => performance.now()) {
    this.#stream = stream
    this.#now = now
  }

  /**
   * Says what is being done. With `fraction` (0 to 1) the line has a percentage and the time left, with `rate` how fast
   * it goes; `rate` is asked only when a line is written. A new label starts the reckoning anew.
   */
  update(label: string, fraction?: number, rate?: () => string): void {
    if (this.#stream.isTTY !== true) return
    const now = this.#now()
    if (label !== this.#label) {
      this.#label = label
      this.#startedMs = now
      this.#startedFraction = fraction ?? 0
      this.#writtenMs = Number.NEGATIVE_INFINITY
    }
    if (now - this.#writtenMs < INTERVAL_MS) return
    this.#writtenMs = now
    const parts = [label]
    if (fraction !== undefined) parts.push(`${Math.floor(Math.min(1, fraction) * 100)} %`)
    if (rate !== undefined) parts.push(rate())
    const left = fraction === undefined ? undefined : this.#secondsLeft(now, fraction)
    if (left !== undefined) parts.push(`${durationText(left)} left`)
    const columns = Math.min(MAX_COLUMNS, (this.#stream.columns ?? 80) - 1)
    this.#stream.write(`\r\x1b[K${parts.join(', ').slice(0, columns)}`)
    this.#shown = true
  }

  /** Takes the line away, so that something else may be written. */
  clear(): void {
    if (!this.#shown) return
    this.#stream.write('\r\x1b[K')
    this.#shown = false
    this.#writtenMs = Number.NEGATIVE_INFINITY
  }

  /** Seconds left, once enough is done to tell. */
  #secondsLeft(now: number, fraction: number): number | undefined {
    const seconds = (now - this.#startedMs) / 1000
    const done = fraction - this.#startedFraction
    if (seconds < 1 || done < 0.01) return undefined
    return (seconds / done) * (1 - fraction)
  }
}
