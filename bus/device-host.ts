/**
 * Runs one device: hands it messages, drives its sequences, and keeps what the bus must know about it between messages
 * (the levels of its outputs and its timer's due time).
 *
 * A host does not know who calls it: the local bus, a `device` replay, or a process of its own that speaks to a bus
 * elsewhere. A caller either gives a `HostSink` and calls `deliver`, or takes the handler one step at a time with
 * `begin` and `resume`, sending each request away and coming back with its answer.
 */
import assert from 'node:assert/strict'
import {
  type Device,
  type DeviceModel,
  type DeviceState,
  type Region,
  type Request,
  type Sequence,
  StateError,
} from './device.ts'
import { HostIo, type QueuedEffect, type UnhandledListener } from './host-io.ts'
import {
  type AccessSize,
  type Data,
  NEVER,
  type NodeName,
  type Payload,
  type Read,
  type Vt,
  type Write,
} from './message.ts'

/** What a handler asks for at once, answered with bytes (`dmaRead`), a value (an `access` that reads), or nothing. */
export type Answer = Uint8Array | number | undefined

/** Where the effects of a handler go while it runs. */
export interface HostSink {
  queued(host: DeviceHost, effect: QueuedEffect): void
  request(host: DeviceHost, request: Request): Answer
}

/** How far a handler came: it wants an answer, or it is done; `data` answers a `read`. */
export type Step = { state: 'asks'; request: Request } | { state: 'done'; data: Data | undefined }

/** What `DeviceHost.save` gives: the device's own state and what the bus keeps for it. */
export interface HostState {
  type: string
  version: number
  /** The outputs' levels, in the model's order. */
  levels: (0 | 1)[]
  due: Vt
  state: DeviceState
}

/** The greatest answer to a read, by its bytes. */
const GREATEST: Readonly<Record<AccessSize, number>> = { 1: 0xff, 2: 0xffff, 4: 0xffff_ffff }

/** One device and its place on the bus. Its state is named by the model's type and the model's state version. */
export class DeviceHost {
  readonly name: NodeName
  readonly model: DeviceModel<never>
  readonly regions: readonly Region[]
  readonly #device: Device
  readonly #io: HostIo
  /** Where `deliver` sent effects last, and how. */
  #sink: HostSink | undefined
  #emitToSink: (effect: QueuedEffect) => void = () => assert.fail('a host without a sink')
  #running: Sequence<unknown> | undefined

  constructor(name: NodeName, model: DeviceModel<never>, properties: unknown, onUnhandled?: UnhandledListener) {
    this.name = name
    this.model = model
    this.regions = model.regions(properties as never)
    this.#device = model.create(properties as never)
    this.#io = new HostIo(name, model, this.regions, onUnhandled)
  }

  /** When the device's timer is due, as of its last call of `timer`. */
  get due(): Vt {
    return this.#io.due
  }

  /** Whether a handler waits for an answer. */
  get suspended(): boolean {
    return this.#io.emit !== undefined
  }

  /** Whether the world can send it bytes. */
  get takesInput(): boolean {
    return this.#device.input !== undefined
  }

  level(output: number): 0 | 1 {
    const level = this.#io.levels[output]
    assert(level !== undefined, `${this.name} has no output ${output}`)
    return level
  }

  /** Runs the handler of `payload` to its end. Returns the answer to a `read`. */
  deliver(payload: Payload, vt: Vt, sink: HostSink): Data | undefined {
    this.#start(payload, vt, this.#emitTo(sink))
    return this.#drive(this.#call(payload), sink)
  }

  /** The same for what most messages are: on its own, as V8 then knows what they look like. */
  deliverAccess(access: Read | Write, vt: Vt, sink: HostSink): Data | undefined {
    this.#start(access, vt, this.#emitTo(sink))
    return this.#drive(this.#access(access), sink)
  }

  /** Starts the handler of `payload`; `emit` gets its queued effects as they happen, until it is done. */
  begin(payload: Payload, vt: Vt, emit: (effect: QueuedEffect) => void): Step {
    this.#start(payload, vt, emit)
    const result = this.#call(payload)
    if (typeof result !== 'object') return { state: 'done', data: this.#done(result) }
    this.#running = result
    return this.#advance(result, undefined)
  }

  /** Goes on with the handler that asked. */
  resume(answer: Answer): Step {
    assert(this.#running !== undefined, `${this.name} has asked for nothing`)
    return this.#advance(this.#running, answer)
  }

  save(): HostState {
    assert(!this.suspended, `${this.name} is saved only between messages`)
    return {
      type: this.model.type,
      version: this.model.stateVersion,
      levels: [...this.#io.levels],
      due: this.#io.due,
      state: this.#device.save(),
    }
  }

  /** Throws a `StateError` when `saved` is of another type or version, or does not fit. */
  restore(saved: HostState): void {
    assert(!this.suspended, `${this.name} is restored only between messages`)
    const { type, stateVersion } = this.model
    if (saved.type !== type || saved.version !== stateVersion) {
      throw new StateError(
        `${this.name} is a ${type} with state version ${stateVersion}, the state is a ${saved.type}'s, version ${saved.version}`,
      )
    }
    if (saved.levels.length !== this.#io.levels.length || !Number.isSafeInteger(saved.due)) {
      throw new StateError(`the state of ${this.name} has ${saved.levels.length} outputs and a timer at ${saved.due}`)
    }
    this.#device.restore(saved.state)
    saved.levels.forEach((level, output) => {
      this.#io.levels[output] = level
    })
    this.#io.due = saved.due
  }

  #emitTo(sink: HostSink): (effect: QueuedEffect) => void {
    if (sink !== this.#sink) {
      this.#sink = sink
      this.#emitToSink = (effect) => sink.queued(this, effect)
    }
    return this.#emitToSink
  }

  #start(payload: Payload, vt: Vt, emit: (effect: QueuedEffect) => void): void {
    // Here and below not `assert(...)`: that would build its message for every access.
    if (this.suspended) assert.fail(`${this.name} is sent ${payload.kind} while its own handler waits for an answer`)
    this.#io.now = vt
    this.#io.emit = emit
  }

  /** Brings to its end what a handler has begun. */
  #drive(result: number | undefined | Sequence<unknown>, sink: HostSink): Data | undefined {
    if (typeof result !== 'object') return this.#done(result)
    this.#running = result
    let step = this.#advance(result, undefined)
    while (step.state === 'asks') step = this.resume(sink.request(this, step.request))
    return step.data
  }

  #access(access: Read | Write): number | undefined | Sequence<unknown> {
    const device = this.#device
    if (access.kind === 'read') {
      this.#io.readBytes = access.size
      this.#io.until = 0
      return device.read(access.region, access.offset, access.size, this.#io, access.index)
    }
    const { region, offset, size, value, index } = access
    return device.write(region, offset, size, value, this.#io, index) ?? undefined
  }

  #call(payload: Payload): number | undefined | Sequence<unknown> {
    const device = this.#device
    switch (payload.kind) {
      case 'read':
      case 'write':
        return this.#access(payload)
      case 'reset':
        device.reset(this.#io)
        return undefined
      case 'event':
        assert(device.event !== undefined, `${this.name} has a timer and no event handler`)
        this.#io.due = NEVER
        return device.event(this.#io) ?? undefined
      case 'line':
        assert(device.line !== undefined, `${this.name} has inputs and no line handler`)
        device.line(payload.wire, payload.level, this.#io)
        return undefined
      case 'input':
        assert(device.input !== undefined, `${this.name} takes no input`)
        return device.input(payload.bytes, this.#io) ?? undefined
      default:
        return assert.fail(`${this.name} cannot be sent ${payload.kind}`)
    }
  }

  #advance(running: Sequence<unknown>, answer: Answer): Step {
    const next = running.next(answer)
    if (!next.done) return { state: 'asks', request: next.value }
    return { state: 'done', data: this.#done(next.value) }
  }

  /** The handler has returned `value`. */
  #done(value: unknown): Data | undefined {
    const size = this.#io.readBytes
    this.#io.readBytes = 0
    this.#running = undefined
    this.#io.emit = undefined
    if (size === 0) return undefined
    const isValue = typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= GREATEST[size]
    if (!isValue) assert.fail(`${this.name} answered a read of ${size} bytes with ${value}`)
    return { kind: 'data', value, validUntil: this.#io.until }
  }
}
