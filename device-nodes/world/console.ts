/**
 * The host's terminal as a machine's console: raw keys to the machine, its output to the screen.
 *
 * Ctrl-A is the escape as in QEMU: Ctrl-A x ends the run, Ctrl-A h helps, Ctrl-A c tells where the run is, Ctrl-A
 * Ctrl-A types a Ctrl-A. Host side: nothing here is part of a machine's state.
 */
import type { Readable, Writable } from 'node:stream'
import {
  type Moment,
  type NodeName,
  type StopReason,
  type Vt,
  WORLD,
  type WorldInput,
  type WorldSource,
} from '../../bus/mod.ts'

/** Standard input, or a stream that stands for it. */
export type ConsoleInput = Readable & { isTTY?: boolean; isRaw?: boolean; setRawMode?(raw: boolean): unknown }

export interface ConsoleOptions {
  input: ConsoleInput
  output: Writable
  /** Where messages to the person go, apart from the guest's output. */
  messages: Writable
  /** The device that gets what is typed, and whose output is shown. */
  console: NodeName
  /** One line for Ctrl-A c. */
  describe(): string
  /** Something was typed, or the end asked for: wakes a run that sleeps. */
  onInput(): void
}

const ESCAPE = 0x01
/** Bytes typed and not yet taken. When it is full the terminal is not read until the guest has taken them. */
const QUEUE_BYTES = 65536
/** Bytes for the machine at one point of its input grid, which is about what a serial line carries: more would only pile up there. */
const TAKE_BYTES = 8

const HELP = [
  'Ctrl-A x  end the run',
  'Ctrl-A c  where the run is',
  'Ctrl-A h  this help',
  'Ctrl-A Ctrl-A  type Ctrl-A',
]

export class HostConsole implements WorldSource {
  readonly #options: ConsoleOptions
  readonly #queue: number[] = []
  #escaped = false
  #quit = false
  #ended = false
  #attached = false

  constructor(options: ConsoleOptions) {
    this.#options = options
  }

  /** Whether a person may still type. */
  get open(): boolean {
    return this.#attached && !this.#ended
  }

  /** Takes the terminal: raw mode, where it is one. */
  attach(): void {
    if (this.#attached) return
    this.#attached = true
    const { input } = this.#options
    input.setRawMode?.(true)
    input.on('data', this.#typed)
    input.on('end', this.#inputEnded)
    input.resume()
  }

  /** Gives the terminal back as it was. May be called twice. */
  detach(): void {
    if (!this.#attached) return
    this.#attached = false
    const { input } = this.#options
    input.off('data', this.#typed)
    input.off('end', this.#inputEnded)
    input.setRawMode?.(false)
    input.pause()
  }

  /** An `OutputListener`. */
  readonly show = (src: NodeName, bytes: Uint8Array): void => {
    if (src === this.#options.console) this.#options.output.write(bytes)
  }

  waiting(now: Vt): Moment | undefined {
    return this.#queue.length > 0 || this.#quit ? { icount: 0, vt: now } : undefined
  }

  take(_vt: Vt, _icount: number): readonly WorldInput[] {
    if (this.#queue.length === 0) return []
    const bytes = Uint8Array.from(this.#queue.splice(0, TAKE_BYTES))
    if (this.#attached && this.#queue.length < QUEUE_BYTES) this.#options.input.resume()
    return [{ src: WORLD, dst: this.#options.console, bytes }]
  }

  stop(): StopReason | undefined {
    return this.#quit ? 'quit' : undefined
  }

  readonly #typed = (chunk: Uint8Array | string): void => {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    for (const byte of bytes) {
      if (this.#escaped) this.#command(byte)
      else if (byte === ESCAPE) this.#escaped = true
      else this.#queue.push(byte)
    }
    if (this.#queue.length >= QUEUE_BYTES) this.#options.input.pause()
    if (this.#queue.length > 0 || this.#quit) this.#options.onInput()
  }

  /** The key after Ctrl-A. Others than these mean nothing. */
  #command(byte: number): void {
    this.#escaped = false
    switch (String.fromCharCode(byte).toLowerCase()) {
      case 'x':
        this.#quit = true
        break
      case 'h':
      case '?':
        this.#say(HELP)
        break
      case 'c':
        this.#say([this.#options.describe()])
        break
      case '\x01':
        this.#queue.push(ESCAPE)
    }
  }

  #say(lines: readonly string[]): void {
    this.#options.messages.write(`\r\n${lines.join('\r\n')}\r\n`)
  }

  readonly #inputEnded = (): void => {
    this.#ended = true
    this.#options.onInput()
  }
}
