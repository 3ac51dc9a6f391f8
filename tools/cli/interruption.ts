/**
 * Signals that ask for an end: SIGINT, SIGTERM and SIGHUP end a session in order. A second one ends the process at
 * once.
 */

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** What a shell gives for a process that a signal ended is 128 and the signal's number. */
const STATUS_BY_SIGNAL = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

export class Interruption {
  readonly #controller = new AbortController()
  readonly #onSignal = (signal: (typeof SIGNALS)[number]) => {
    if (this.#controller.signal.aborted) process.exit(STATUS_BY_SIGNAL[signal])
    this.#controller.abort(signal)
  }

  constructor() {
    for (const signal of SIGNALS) process.on(signal, this.#onSignal)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  dispose(): void {
    for (const signal of SIGNALS) process.removeListener(signal, this.#onSignal)
  }
}
