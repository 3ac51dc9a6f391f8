/** What a device asks of its host, as the device sees it, and what the host must know of that between messages. */
import assert from 'node:assert/strict'
import { copyOf } from './bytes.ts'
import type { DeviceIo, DeviceModel, Region } from './device.ts'
import {
  type AccessSize,
  type MapMode,
  type MapRegion,
  NEVER,
  type NodeName,
  type Output,
  type Timer,
  type Vt,
} from './message.ts'

/** A device drove its output number `output` to `level`. The board's wires make `line` messages of it. */
export interface OutputLine {
  kind: 'line'
  output: number
  level: 0 | 1
}

/** Effects that take place when the outermost handler has returned. */
export type QueuedEffect = OutputLine | Timer | MapRegion | Output

/** Told when a guest did what a model does not do. For people only: it never changes a run. */
export type UnhandledListener = (device: NodeName, what: string, vt: Vt) => void

/** One class for all devices, with plain fields: a model's code is the same to V8 whichever device it runs for. */
export class HostIo implements DeviceIo {
  now: Vt = 0
  /** Of the outputs, in the model's order. */
  readonly levels: (0 | 1)[]
  due: Vt = NEVER
  /** Where effects of the handler under way go; undefined: there is none. */
  emit: ((effect: QueuedEffect) => void) | undefined
  /** Of the read under way, until it is answered: 0 where there is none. */
  readBytes: AccessSize | 0 = 0
  /** What it promised. */
  until: Vt = 0
  readonly #name: NodeName
  readonly #outputs: readonly string[]
  readonly #regions: readonly Region[]
  readonly #onUnhandled: UnhandledListener | undefined

  constructor(
    name: NodeName,
    { outputs }: DeviceModel<never>,
    regions: readonly Region[],
    onUnhandled: UnhandledListener | undefined,
  ) {
    this.#name = name
    this.#outputs = outputs
    this.#regions = regions
    this.#onUnhandled = onUnhandled
    this.levels = outputs.map(() => 0)
  }

  line(name: string, level: 0 | 1 | boolean): void {
    // A device has few outputs: this is faster than a `Map`.
    const output = this.#outputs.indexOf(name)
    if (output < 0) assert.fail(`${this.#name} has no output ${name}`)
    const driven = level ? 1 : 0
    if (this.levels[output] === driven) return
    this.levels[output] = driven
    this.#queue({ kind: 'line', output, level: driven })
  }

  timer(due: Vt): void {
    if (!Number.isSafeInteger(due) || due < 0) assert.fail(`${this.#name} sets its timer to ${due}`)
    if (this.due === due) return
    this.due = due
    this.#queue({ kind: 'timer', due })
  }

  output(bytes: Uint8Array): void {
    this.#queue({ kind: 'output', bytes: copyOf(bytes) })
  }

  map(region: number, space: string, base: number, mode: MapMode, length?: number, offset?: number): void {
    const mapped = this.#regions[region]
    assert(mapped !== undefined, `${this.#name} has no region ${region}`)
    assert(mapped.kind !== 'storage', `${this.#name} maps ${mapped.name}, which is a disk's`)
    const from = offset ?? 0
    const bytes = length ?? mapped.size - from
    assert(Number.isSafeInteger(base) && base >= 0, `${this.#name} maps ${mapped.name} at ${base}`)
    assert(from >= 0 && bytes >= 0 && from + bytes <= mapped.size, `${this.#name} maps more than ${mapped.name} has`)
    this.#queue({ kind: 'map', region, space, base, length: bytes, offset: from, mode })
  }

  validUntil(vt: Vt): void {
    if (this.readBytes === 0) assert.fail(`${this.#name} promises a value outside a read`)
    this.until = vt
  }

  unhandled(what: string): void {
    this.#onUnhandled?.(this.#name, what, this.now)
  }

  #queue(effect: QueuedEffect): void {
    if (this.emit === undefined) assert.fail(`${this.#name} has an effect outside a handler`)
    this.emit(effect)
  }
}
