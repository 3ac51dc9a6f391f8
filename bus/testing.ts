/**
 * What tests import, and nothing else does. Here: a bench for one device, with its registers, lines, timer and guest
 * memory in a test's hands, and no board and no CPU. Beside it: a CPU that runs a list, and a board of small devices.
 */
import assert from 'node:assert/strict'
import type { AccessRequest, DeviceModel, Region, Request } from './device.ts'
import { type Answer, DeviceHost, type HostState } from './device-host.ts'
import type { QueuedEffect } from './host-io.ts'
import { type AccessSize, type Data, type MapRegion, type Payload, SYSTEM_MEMORY, type Vt } from './message.ts'

export { type Instruction, type Mapping, type Program, ScriptedCpu, scriptedCpu } from './scripted-cpu.ts'
export { AT, DISK_BYTES, DISK_LOADS, diskBoard, TEST_LOADS, testBoard } from './testing-board.ts'

/** What a device drove, and when. */
export interface LineChange {
  vt: Vt
  output: string
  level: 0 | 1
}

export interface BenchOptions {
  /** Guest memory from physical address 0, for DMA; default 64 KiB of zeros. */
  memory?: Uint8Array
  /** Answers what the device asks of other devices with `access`; default: the test fails. */
  onAccess?: (request: AccessRequest) => number | undefined
}

/** The most events that may be due at one time before the bench says that the timer never moves on. */
const EVENT_LIMIT = 100_000

export class DeviceBench<P> {
  readonly host: DeviceHost
  readonly model: DeviceModel<P>
  readonly memory: Uint8Array
  /** The bytes of the device's own memory and storage regions, by region number. */
  readonly ownMemory = new Map<number, Uint8Array>()
  /** Every line change since the start, oldest first. */
  readonly lineChanges: LineChange[] = []
  /** Every `map` effect since the start, with `vt`. */
  readonly maps: (MapRegion & { vt: Vt })[] = []
  /** Every `output`, oldest first. */
  readonly outputs: { vt: Vt; bytes: Uint8Array }[] = []
  /** What the model said that it does not do. */
  readonly unhandled: string[] = []
  /** The `data` of the last read, with its `validUntil`. */
  lastData: Data | undefined
  readonly #regions: readonly Region[]
  readonly #onAccess: ((request: AccessRequest) => number | undefined) | undefined
  #now: Vt = 0

  /** Creates the device and, unless `restored` is given, resets it. */
  constructor(model: DeviceModel<P>, properties: P, options: BenchOptions = {}, restored?: HostState) {
    this.model = model
    this.memory = options.memory ?? new Uint8Array(65536)
    this.#onAccess = options.onAccess
    this.host = new DeviceHost('device', model as DeviceModel<never>, properties, (_, what) => {
      this.unhandled.push(what)
    })
    this.#regions = this.host.regions
    this.#regions.forEach((region, number) => {
      if (region.kind === 'memory' || region.kind === 'storage') this.ownMemory.set(number, new Uint8Array(region.size))
    })
    if (restored === undefined) this.reset()
    else this.host.restore(restored)
  }

  get now(): Vt {
    return this.#now
  }

  /** When the device's timer is due, or `NEVER`. */
  get due(): Vt {
    return this.host.due
  }

  /** Everything the device printed so far, as Latin-1 text. */
  get outputText(): string {
    return this.outputs.map(({ bytes }) => Buffer.from(bytes).toString('latin1')).join('')
  }

  reset(): void {
    this.#deliver({ kind: 'reset' })
  }

  /** Reads a register. `region` is a number or a region's name. */
  read(region: number | string, offset: number, size: AccessSize = 1, index?: number): number {
    const data = this.#deliver({ kind: 'read', region: this.#region(region), offset, size, ...indexOf(index) })
    assert(data !== undefined)
    this.lastData = data
    return data.value
  }

  write(region: number | string, offset: number, value: number, size: AccessSize = 1, index?: number): void {
    this.#deliver({ kind: 'write', region: this.#region(region), offset, size, value, ...indexOf(index) })
  }

  /** The present level of an output. */
  line(output: string): 0 | 1 {
    const number = this.model.outputs.indexOf(output)
    assert(number >= 0, `${this.model.type} has no output ${output}`)
    return this.host.level(number)
  }

  /** Drives an input. */
  setLine(input: string, level: 0 | 1): void {
    const wire = this.model.inputs.indexOf(input)
    assert(wire >= 0, `${this.model.type} has no input ${input}`)
    this.#deliver({ kind: 'line', wire, level })
  }

  /** Bytes, or Latin-1 text, from the world. */
  input(bytes: Uint8Array | string): void {
    this.#deliver({ kind: 'input', bytes: typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes })
  }

  /** Moves time on by `ns`, delivering each `event` when it is due. */
  advance(ns: Vt): void {
    this.advanceTo(this.#now + ns)
  }

  advanceTo(vt: Vt): void {
    assert(vt >= this.#now, 'virtual time does not run backwards')
    for (let events = 0; this.host.due <= vt; events++) {
      assert(events < EVENT_LIMIT, `${this.model.type} had ${EVENT_LIMIT} events by ${this.#now}`)
      this.#now = Math.max(this.#now, this.host.due)
      this.#deliver({ kind: 'event' })
    }
    this.#now = vt
  }

  save(): HostState {
    return this.host.save()
  }

  #region(region: number | string): number {
    if (typeof region === 'number') return region
    const number = this.#regions.findIndex(({ name }) => name === region)
    assert(number >= 0, `${this.model.type} has no region ${region}`)
    return number
  }

  #deliver(payload: Payload): Data | undefined {
    return this.host.deliver(payload, this.#now, {
      queued: (_, effect) => this.#record(effect),
      request: (_, request) => this.#answer(request),
    })
  }

  #record(effect: QueuedEffect): void {
    const vt = this.#now
    if (effect.kind === 'line') {
      const output = this.model.outputs[effect.output]
      assert(output !== undefined)
      this.lineChanges.push({ vt, output, level: effect.level })
    } else if (effect.kind === 'map') {
      this.maps.push({ ...effect, vt })
    } else if (effect.kind === 'output') {
      this.outputs.push({ vt, bytes: effect.bytes })
    }
  }

  #answer(request: Request): Answer {
    if (request.request === 'access') {
      assert(this.#onAccess !== undefined, `${this.model.type} accessed ${request.dst}, which the test does not expect`)
      return this.#onAccess(request)
    }
    if (request.request === 'dmaCopy') {
      const { from, fromAddress, to, toAddress, length } = request
      this.#bytesAt(to, toAddress, length).set(this.#bytesAt(from, fromAddress, length).slice())
      return undefined
    }
    const { target, address } = request
    if (request.request === 'dmaRead') return this.#bytesAt(target, address, request.length).slice()
    this.#bytesAt(target, address, request.bytes.length).set(request.bytes)
    return undefined
  }

  #bytesAt(target: number, address: number, length: number): Uint8Array {
    const memory = target === SYSTEM_MEMORY ? this.memory : this.ownMemory.get(target)
    assert(memory !== undefined, `${this.model.type} has no memory region ${target}`)
    assert(address >= 0 && address + length <= memory.length, `DMA at ${address} is outside memory`)
    return memory.subarray(address, address + length)
  }
}

function indexOf(index: number | undefined): { index?: number } {
  return index === undefined ? {} : { index }
}
