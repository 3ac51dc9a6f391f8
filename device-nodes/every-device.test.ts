/**
 * What must hold of every device, whatever a guest does to it: it answers in the width asked for, its state comes back,
 * and a register reads the same for as long as it promised, with no trace of how often it was read.
 */
import t, { type Test } from 'tap'
import * as v from 'valibot'
import {
  type AccessSize,
  type BoardDevice,
  type Data,
  DeviceHost,
  type Payload,
  type Region,
  type RegisterRegion,
  type Vt,
} from '../bus/mod.ts'
import { boards } from './mod.ts'

const ROUNDS = 100
const PROMISES = 5
const STEPS_BEFORE = 60
const STEPS_AFTER = 25

type Random = (below: number) => number

/** xorshift32 */
function randomNumbers(seed: number): Random {
  let state = seed | 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

/** One device, its own memory, and all that it did. */
class Subject {
  readonly slot: BoardDevice
  readonly host: DeviceHost
  readonly memory = new Map<number, Uint8Array>()
  /** Every answer and effect but `timer`, as text. */
  readonly done: string[] = []
  now: Vt = 0

  constructor(slot: BoardDevice) {
    this.slot = slot
    this.host = new DeviceHost(slot.name, slot.model, slot.properties)
    this.host.regions.forEach(({ kind, size }, number) => {
      if (kind === 'memory' || kind === 'storage') this.memory.set(number, new Uint8Array(size))
    })
  }

  /** A second one in the same state, at the same time, which has done nothing yet. */
  copy(): Subject {
    const copy = new Subject(this.slot)
    copy.host.restore(structuredClone(this.host.save()))
    for (const [number, bytes] of this.memory) copy.memory.set(number, bytes.slice())
    copy.now = this.now
    return copy
  }

  send(payload: Payload): Data | undefined {
    const data = this.host.deliver(payload, this.now, {
      queued: (_, effect) => {
        if (effect.kind !== 'timer') this.done.push(JSON.stringify(effect))
      },
      request: (_, request) => {
        this.done.push(JSON.stringify(request))
        if (request.request === 'access') return request.access.kind === 'read' ? 0x5a : undefined
        if (request.request === 'dmaRead') return this.#take(request.target, request.address, request.length)
        if (request.request === 'dmaWrite') this.memory.get(request.target)?.set(request.bytes, request.address)
        else {
          const { from, fromAddress, to, toAddress, length } = request
          this.memory.get(to)?.set(this.#take(from, fromAddress, length), toAddress)
        }
        return undefined
      },
    })
    if (data !== undefined) this.done.push(`${data.value}`)
    return data
  }

  /** Guest memory is zeros that forget what is written. */
  #take(target: number, address: number, length: number): Uint8Array {
    return this.memory.get(target)?.slice(address, address + length) ?? new Uint8Array(length)
  }

  advanceTo(vt: Vt): void {
    while (this.host.due <= vt) {
      this.now = Math.max(this.now, this.host.due)
      this.send({ kind: 'event' })
    }
    this.now = vt
  }
}

type Step = { payload: Payload } | { advanceNs: Vt }

function anAccess(host: DeviceHost, random: Random): Payload {
  const places = [...host.regions.entries()].filter(([, { kind }]) => kind !== 'window' && kind !== 'storage')
  const [number, region] = places[random(places.length)] as [number, Region]
  const registers = region.kind === 'registers' ? region : undefined
  const size = anySize(registers, random)
  // Most registers of a large region are at its start, but not all.
  const span = random(4) === 0 ? region.size : Math.min(region.size, 0x1000)
  const offset = Math.floor(random(span) / size) * size
  const index = registers?.indexed === undefined ? {} : { index: random(256) & registers.indexed.index.mask }
  const access = { region: number, offset, size, ...index }
  if (random(2) === 0) return { kind: 'read', ...access }
  const value = random(3) === 0 ? 1 << random(8 * size) : random(2 ** (8 * size))
  return { kind: 'write', ...access, value: (value >>> 0) % 2 ** (8 * size) }
}

function anySize(region: RegisterRegion | undefined, random: Random): AccessSize {
  const { minBytes = 1, maxBytes = 4, size = 4 } = region ?? {}
  const sizes = ([1, 2, 4] as const).filter((bytes) => bytes >= minBytes && bytes <= Math.min(maxBytes, size))
  return sizes[random(sizes.length)] as AccessSize
}

/** A character or the state of a link, some characters, or a frame for everybody. */
function anInput(random: Random): Uint8Array {
  const kind = random(4)
  if (kind < 2) return Uint8Array.of(random(kind === 0 ? 2 : 256))
  return new Uint8Array(kind === 2 ? 2 : 60 + random(1000)).fill(random(2) * 0xff).fill(random(256), 6)
}

function aStep({ host, slot }: Subject, random: Random): Step {
  const kind = random(16)
  if (kind === 0) return { payload: { kind: 'reset' } }
  if (kind <= 2 && host.takesInput) return { payload: { kind: 'input', bytes: anInput(random) } }
  if (kind <= 4 && slot.model.inputs.length > 0) {
    return { payload: { kind: 'line', wire: random(slot.model.inputs.length), level: random(2) as 0 | 1 } }
  }
  if (kind <= 6) return { advanceNs: random([100, 10_000, 1_000_000][random(3)] as number) }
  if (kind === 7 && random(8) === 0) return { advanceNs: random(2_000_000_000) }
  return { payload: anAccess(host, random) }
}

function take(subject: Subject, step: Step): Data | undefined {
  if ('payload' in step) return subject.send(step.payload)
  subject.advanceTo(subject.now + step.advanceNs)
  return undefined
}

/** Takes the same steps with both, and gives what they did. */
function goOn(subjects: readonly [Subject, Subject], random: Random): [string[], string[]] {
  const from = subjects.map(({ done }) => done.length)
  for (let count = 0; count < STEPS_AFTER; count++) {
    const step = aStep(subjects[0], random)
    for (const subject of subjects) take(subject, step)
  }
  const [first, second] = subjects.map(({ done }, number) => done.slice(from[number]))
  return [first as string[], second as string[]]
}

/** A read whose answer is promised for a while, or undefined where there is none at hand. */
function promised(subject: Subject, random: Random): { payload: Payload; data: Data } | undefined {
  for (let tries = 0; tries < 20; tries++) {
    const payload = anAccess(subject.host, random)
    if (payload.kind !== 'read') continue
    const data = subject.send(payload)
    if (data !== undefined && data.validUntil > subject.now) return { payload, data }
  }
  return undefined
}

const seed = Number(process.env['ANANKE_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const DRIVES = [
  { media: 'disk', channel: 0, device: 0, bytes: 2 ** 20 },
  { media: 'cdrom', channel: 0, device: 1, bytes: 2 ** 16 },
  { media: 'disk', channel: 1, device: 0, bytes: 2 ** 20, isReadOnly: true },
]
/** Each board as it is by itself, and a Malta that has all that it can. */
const slots = [
  ...Object.values(boards).flatMap((board) => board.build(v.parse(board.options, {})).board.devices),
  ...boards['malta']!.build({
    drives: DRIVES,
    net: { model: 'pcnet', address: [0x52, 0x54, 0, 1, 2, 3] },
  }).board.devices.filter(({ name }) => name === 'ide' || name === 'nic0'),
  ...boards['malta']!.build({
    net: { model: 'rtl8139', address: [0x52, 0x54, 0, 1, 2, 3] },
  }).board.devices.filter(({ name }) => name === 'nic0'),
]
const models = [...new Map(slots.map((slot) => [slot.model.type, slot])).values()]

/** Whether, after a copy goes on from here with and without reading once more what is promised, both do the same. */
function keepsPromise(subject: Subject, random: Random, t: Test): void {
  const read = promised(subject, random)
  // An event that is due already comes first.
  if (read === undefined || subject.host.due <= subject.now) return
  const [again, once] = [subject.copy(), subject.copy()]
  // Its own timer is a message, and ends the promise.
  const end = Math.min(read.data.validUntil, again.host.due) - 1
  const later = random(2) === 0 ? end : subject.now + random(1_000_000)
  for (const copy of [again, once])
    copy.advanceTo(Math.max(copy.now, Math.min(end, later, subject.now + 2_000_000_000)))
  const name = JSON.stringify(read.payload)
  t.equal(again.send(read.payload)?.value, read.data.value, `a promised value stays: ${name}`)
  const [withRead, without] = goOn([again, once], random)
  t.same(withRead, without, `reading what was promised leaves no trace: ${name}`)
}

for (const slot of models) {
  t.test(slot.model.type, async (t) => {
    t.comment(`seed ${seed}`)
    const random = randomNumbers(seed)
    const hasMemory = slot.model.regions(slot.properties as never).some(({ kind }) => kind === 'memory')
    for (let round = 0; round < (hasMemory ? ROUNDS / 20 : ROUNDS); round++) {
      const subject = new Subject(slot)
      subject.send({ kind: 'reset' })
      for (let count = 0; count < STEPS_BEFORE; count++) take(subject, aStep(subject, random))
      const copy = subject.copy()
      t.same(copy.host.save(), subject.host.save(), 'a state comes back')
      const [original, restored] = goOn([subject, copy], random)
      t.same(restored, original, 'and goes on as it would have')
      for (let count = 0; count < PROMISES; count++) keepsPromise(subject, random, t)
    }
  })
}
