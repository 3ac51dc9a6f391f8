/**
 * The typist of an input script: not the world, but a deterministic source of inputs. It hears the console at virtual
 * times, and types at grid points, so that a scripted run is the same everywhere.
 */
import {
  type Moment,
  type NodeName,
  SCRIPT,
  type StopReason,
  type Vt,
  type WorldInput,
  type WorldSource,
} from '../../bus/mod.ts'
import type { Script, ScriptStep } from './script.ts'

/** The text of an `expect` did not come in time. The message names the line and shows the console's last lines. */
export class ScriptTimeoutError extends Error {
  override readonly name = 'ScriptTimeoutError'
}

/**
 * Characters heard and not yet searched past. A script that hears more before its next `expect` forgets the oldest: an
 * `expect` is written for what comes soon.
 */
const HEARD_CHARACTERS = 2 ** 20
/** What is kept for people of what the console printed last. */
const TAIL_CHARACTERS = 4096
const TAIL_LINES = 5

export class Typist implements WorldSource {
  /** A script never waits for the host. */
  readonly open = false
  /** Why the run failed, once `stop` gave `failed`. */
  failure: ScriptTimeoutError | undefined
  readonly #script: Script
  readonly #console: NodeName
  /** The step to be done next. */
  #position = 0
  /** When the step at `position` became the next. */
  #positionVt: Vt = 0
  /** What the console printed after the last match: one character a byte, without carriage returns. */
  #heard = ''
  /** How far into `heard` the text of the current `expect` cannot begin. */
  #searched = 0
  #found = false
  #tail = ''

  /** `console`: the device whose output it hears and that it types to. */
  constructor(script: Script, console: NodeName) {
    this.#script = script
    this.#console = console
  }

  /** Whether every step has been done. */
  get finished(): boolean {
    return this.#position >= this.#script.steps.length
  }

  /** An `OutputListener`. */
  readonly hear = (src: NodeName, bytes: Uint8Array): void => {
    if (src !== this.#console) return
    // A terminal's line ends in CR LF, programs that print more returns look no different: only LF counts.
    const text = Buffer.from(bytes).toString('latin1').replaceAll('\r', '')
    this.#tail = (this.#tail + text).slice(-TAIL_CHARACTERS)
    if (this.finished) return
    this.#heard += text
    const excess = this.#heard.length - HEARD_CHARACTERS
    if (excess > 0) {
      this.#heard = this.#heard.slice(excess)
      this.#searched = Math.max(0, this.#searched - excess)
    }
    this.#search()
  }

  waiting(): Moment | undefined {
    const step = this.#step
    if (step === undefined) return undefined
    if (step.kind === 'at') return { icount: step.icount, vt: 0 }
    const isLater = step.kind === 'expect' && !this.#found
    return { icount: 0, vt: isLater ? this.#positionVt + step.limitNs : this.#positionVt }
  }

  take(vt: Vt, icount: number): readonly WorldInput[] {
    const inputs: WorldInput[] = []
    for (let step = this.#step; step !== undefined; step = this.#step) {
      if (step.kind === 'quit') break
      if (step.kind === 'expect' && !this.#found) break
      if (step.kind === 'at' && icount < step.icount) break
      if (step.kind !== 'expect') {
        inputs.push({ src: SCRIPT, dst: this.#console, bytes: new TextEncoder().encode(`${step.text}\r`) })
      }
      this.#next(vt)
    }
    return inputs
  }

  stop(vt: Vt): StopReason | undefined {
    const step = this.#step
    if (step?.kind === 'quit') return 'quit'
    if (step?.kind !== 'expect' || this.#found || vt < this.#positionVt + step.limitNs) return undefined
    this.failure = new ScriptTimeoutError(
      `${this.#script.name}:${step.line}: the console did not print "${step.text}" within ${step.limitNs / 1e9} virtual ` +
        `seconds${this.#lastLines()}; correct the text, or allow more time with "limit SECONDS" before it`,
    )
    return 'failed'
  }

  get #step(): ScriptStep | undefined {
    return this.#script.steps[this.#position]
  }

  #next(vt: Vt): void {
    this.#position++
    this.#positionVt = vt
    this.#found = false
    this.#search()
  }

  /** Looks for the text of the current `expect`, and forgets what stands up to its end. */
  #search(): void {
    const step = this.#step
    if (step?.kind !== 'expect' || this.#found) return
    const text = Buffer.from(step.text).toString('latin1')
    const at = this.#heard.indexOf(text, this.#searched)
    this.#found = at >= 0
    if (this.#found) this.#heard = this.#heard.slice(at + text.length)
    this.#searched = this.#found ? 0 : Math.max(0, this.#heard.length - text.length + 1)
  }

  #lastLines(): string {
    const printable = this.#tail.replaceAll(/[^\n\x20-\x7e]/g, '')
    const lines = printable.split('\n').filter((line) => line.trim() !== '')
    if (lines.length === 0) return '; it printed nothing'
    return `; its last lines were:\n${lines
      .slice(-TAIL_LINES)
      .map((line) => `  | ${line}\n`)
      .join('')}`
  }
}
