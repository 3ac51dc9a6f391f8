/**
 * The console of a live machine: what shows what the guest prints there, and who sits at it, a person or a script.
 */
import type { NodeName } from '../../bus/mod.ts'
import { HostConsole, parseScript, Typist } from '../../device-nodes/mod.ts'
import type { Alarm, LiveOptions } from '../../orchestrator/mod.ts'
import type { Progress } from './progress.ts'

/** What a guest prints, shown together, slice by slice: it prints single characters. */
export class Screen {
  readonly stream: NodeJS.WriteStream
  readonly #progress: Progress
  #printed: Uint8Array[] = []
  #isSilent = true

  constructor(stream: NodeJS.WriteStream, progress: Progress) {
    this.stream = stream
    this.#progress = progress
  }

  /** Whether progress has no place there. Kernels unpack themselves in silence; after that a terminal belongs to the guest. */
  get isTaken(): boolean {
    return this.stream.isTTY && !this.#isSilent
  }

  print(bytes: Uint8Array): void {
    this.#printed.push(bytes)
  }

  show(): void {
    if (this.#printed.length === 0) return
    this.#progress.clear()
    this.#isSilent = false
    this.stream.write(Buffer.concat(this.#printed))
    this.#printed = []
  }
}

/** Who sits at the machine's console. */
export interface Seat {
  options: Pick<LiveOptions, 'sources' | 'listeners' | 'paced'>
  attach(): void
  detach(): void
  /** Why the seat itself ended the run with `failed`. */
  failure(): Error | undefined
}

/** @param describe says where the run is, for those who ask from the keyboard */
export function personSeat(
  console: NodeName,
  screen: Screen,
  { describe, alarm }: { describe: () => string; alarm: Alarm },
): Seat {
  const terminal = new HostConsole({
    input: process.stdin,
    output: screen.stream,
    messages: process.stderr,
    console,
    describe,
    onInput: () => alarm.ring(),
  })
  return {
    options: { sources: [terminal], paced: true },
    attach: () => terminal.attach(),
    detach: () => terminal.detach(),
    failure: () => undefined,
  }
}

/** @throws ScriptError */
export function scriptSeat(console: NodeName, script: { name: string; text: string }): Seat {
  const typist = new Typist(parseScript(script.text, script.name), console)
  return {
    options: { sources: [typist], listeners: [typist.hear] },
    attach: () => {},
    detach: () => {},
    failure: () => typist.failure,
  }
}
