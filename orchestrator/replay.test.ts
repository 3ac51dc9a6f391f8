import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { type Message, SCRIPT, type WorldSource } from '../bus/mod.ts'
import { AT, DISK_LOADS, diskBoard, type Program, scriptedCpu } from '../bus/testing.ts'
import {
  hostFiles,
  Recording,
  RecordingWriter,
  rewriteRecording,
  type StoreFiles,
  WriteError,
} from '../replay-store/mod.ts'
import { diff } from './diff.ts'
import { Alarm } from './host-loop.ts'
import { type LiveOptions, type RunResult, runLive } from './live.ts'
import { type MachineSpec, nodeNames } from './machine-spec.ts'
import { type ReplayMode, type ReplayResult, replay } from './replay.ts'

const write = (address: number, value: number) => ({ op: 'write', address, value }) as const
const read = (address: number, size: 1 | 2 | 4 = 4) => ({ op: 'read', address, size }) as const

/** Touches every device and every kind of message, small DMA and large, a reset, idle times and a power-off. */
const PROGRAM: Program = {
  1: write(AT.ticker, 777),
  5: write(AT.copier, 0x100),
  6: write(AT.copier + 4, 4),
  7: write(AT.copier + 4, 300),
  8: read(AT.copier),
  9: read(AT.copier + 8),
  20: write(AT.cells, 0x2205),
  21: read(AT.cells + 1, 1),
  22: write(AT.flash, 0),
  23: read(AT.flash),
  24: write(AT.flash, 1),
  // From its image, behind the image's end, and back.
  30: write(AT.disk, 0x1ff0),
  31: write(AT.disk + 4, 0x2000),
  32: write(AT.disk + 8, 0x40),
  33: write(AT.disk, 0x4d00),
  34: write(AT.disk + 8, 0x200),
  35: write(AT.disk + 12, 0x111),
  36: read(AT.disk),
  50: read(AT.ticker + 4),
  51: read(AT.ticker + 4),
  120: write(AT.ticker + 8, 0),
  121: write(AT.ticker, 0),
  130: { op: 'timer', due: 9_500 },
  131: { op: 'wait' },
  150: write(AT.power, 1),
  160: write(AT.ticker + 0x10, 2_500),
  161: { op: 'wait' },
  162: read(AT.terminal),
  163: write(AT.terminal, 0x68),
  400: write(AT.terminal, 0x69),
  500: write(AT.power, 0),
}

const spec = (program: Program = PROGRAM): MachineSpec => ({
  board: diskBoard(),
  loads: DISK_LOADS,
  createCpu: scriptedCpu(program),
})

/** Types `text` as soon as the guest is at `vt`. */
function typist(vt: number, text: string): WorldSource {
  let left = true
  return {
    open: false,
    waiting: () => (left ? { icount: 0, vt } : undefined),
    take(now) {
      if (!left || now < vt) return []
      left = false
      return [{ src: SCRIPT, dst: 'terminal', bytes: Buffer.from(text) }]
    },
  }
}

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'ananke-'))
t.teardown(() => fs.rmSync(scratch, { recursive: true }))
let directories = 0

function directory(name: string): string {
  return path.join(scratch, `${name}${directories++}.ank`)
}

/** With `aside`, which writes the image, the writer takes entries before it is ready. */
function newRecording(at: string, board = diskBoard(), aside?: StoreFiles['writeAside']): RecordingWriter {
  const input = {
    createdWith: 'test',
    board: { name: board.name, options: {} },
    guest: 'test',
    nsPerInstruction: board.nsPerInstruction,
    gridNs: board.gridNs,
    hashNs: board.hashNs,
    memoryBytes: AT.ramBytes,
    rtcSeconds: 0,
    nodes: nodeNames(board),
  }
  const images = [{ name: 'kernel', bytes: Uint8Array.of(1, 2, 3) }]
  if (aside === undefined) return RecordingWriter.create(at, input, images)
  return RecordingWriter.begin(at, input, images, { files: { ...hostFiles, writeAside: aside } })
}

async function record(options: Partial<LiveOptions> = {}): Promise<{ at: string; result: RunResult }> {
  const at = directory('run')
  const sources = [typist(11_000, 'x')]
  const result = await runLive({ machine: spec(), sources, recording: newRecording(at), ...options })
  return { at, result }
}

const MODES: ReplayMode[] = ['cpu', 'full', ...diskBoard().devices.map(({ name }) => ({ device: name }))]
const modeName = (mode: ReplayMode) => (typeof mode === 'string' ? mode : mode.device)

function diverged(result: ReplayResult) {
  assert(result.state === 'diverged', `the replay ${result.state}`)
  return result.divergence
}

t.test('every mode agrees with a recording, and digests are the same', async (t) => {
  const { at, result } = await record()
  t.equal(result.reason, 'poweroff')
  const recording = Recording.open(at)
  t.same(recording.verify(), [])
  t.equal(recording.manifest.end?.digest, result.summary.digest)
  const kinds = new Set([...recording.entries()].map(({ payload }) => payload.kind))
  t.equal(kinds.size, 16, `all but segment: ${[...kinds]}`)
  for (const mode of MODES) {
    const replayed = await replay({ recording, machine: spec(), mode })
    t.equal(replayed.state, 'agreed', modeName(mode))
    if (mode === 'cpu' || mode === 'full') t.equal(replayed.summary.digest, result.summary.digest)
    t.equal(replayed.summary.instructions, result.summary.instructions)
  }
  const again = await record()
  t.equal(again.result.summary.digest, result.summary.digest)
  t.equal(diff(recording, Recording.open(again.at)), undefined)
  const plain = await runLive({ machine: spec(), sources: [typist(11_000, 'x')] })
  t.equal(plain.summary.digest, result.summary.digest, 'a run that keeps no journal has the same digest')
})

t.test('outputs: the host hears them in order, live and replayed', async (t) => {
  const heard: string[] = []
  const onOutput = (src: string, bytes: Uint8Array) => heard.push(`${src} ${Buffer.from(bytes)}`)
  const { at } = await record({ onOutput })
  const live = heard.splice(0)
  t.same(live, ['power reset', 'terminal h', 'terminal i', 'power off'])
  for (const mode of MODES) {
    await replay({ recording: Recording.open(at), machine: spec(), mode, onOutput })
    t.same(heard.splice(0), live, modeName(mode))
  }
})

t.test('the host hears what passes between machine and world, in both directions, once it is on disk', async (t) => {
  const at = directory('traffic')
  const heard: [number, Message][] = []
  const words: string[] = []
  const onTraffic = (entry: number, message: Message) => {
    t.ok(Recording.open(at).entryCount > entry)
    heard.push([entry, message])
    words.push(message.payload.kind)
  }
  const options = { onTraffic, onOutput: (src: string) => words.push(src) }
  const { result } = await record({ recording: newRecording(at), ...options })
  const recorded = [...Recording.open(at).entries()].flatMap((message, entry) =>
    message.payload.kind === 'input' || message.payload.kind === 'output' ? [[entry, message]] : [],
  )
  t.same(heard, recorded)
  t.same(
    heard.map(([, { payload }]) => payload.kind).sort(),
    ['input', 'output', 'output', 'output', 'output'],
    'one and the other',
  )
  t.same(words.filter((word) => word !== 'input').length, 8)
  const plain: typeof heard = []
  const again = await runLive({
    machine: spec(),
    sources: [typist(11_000, 'x')],
    onTraffic: (entry, message) => plain.push([entry, message]),
  })
  t.same(plain, heard)
  t.equal(again.summary.digest, result.summary.digest)
})

t.test('any entry that is changed is caught', async (t) => {
  const { at } = await record()
  const recording = Recording.open(at)
  let index = 0
  for (const message of recording.entries()) {
    const changed = change(message)
    if (changed === undefined) {
      index++
      continue
    }
    const target = index++
    const edited = await rewriteRecording(at, directory('edited'), (old, number) => (number === target ? changed : old))
    const label = `entry ${target}, ${message.src}>${message.dst} ${message.payload.kind}`
    const full = diverged(await replay({ recording: edited, machine: spec(), mode: 'full' }))
    t.equal(full.entry, target, `full: ${label}`)
    t.ok(full.before.length <= 10)
    t.equal(diff(recording, edited)?.entry, target)
    if (message.src === 'cpu') {
      const cpu = diverged(await replay({ recording: edited, machine: spec(), mode: 'cpu' }))
      t.equal(cpu.entry, target, `cpu: ${label}`)
      t.type(cpu.pc, 'number')
    } else if (recording.manifest.nodes.indexOf(message.src) > 3) {
      const alone = diverged(await replay({ recording: edited, machine: spec(), mode: { device: message.src } }))
      t.equal(alone.entry, target, `device: ${label}`)
      t.equal(alone.node, message.src)
    }
  }
})

/** The message with one field changed, or `undefined` where any change is an input or makes no sense. */
function change(message: Message): Message | undefined {
  const { payload } = message
  switch (payload.kind) {
    case 'read':
    case 'write':
      return { ...message, payload: { ...payload, offset: payload.offset ^ 1 } }
    case 'line':
      return { ...message, payload: { ...payload, wire: payload.wire ^ 1 } }
    case 'memory':
    case 'output':
    case 'dmaWrite':
      return { ...message, payload: { ...payload, bytes: payload.bytes.map((byte) => byte ^ 0x80) } }
    case 'data':
      return { ...message, payload: { ...payload, value: payload.value ^ 1 } }
    case 'timer':
      return { ...message, payload: { ...payload, due: payload.due - 1 } }
    case 'grid':
      return { ...message, payload: { ...payload, hash: (payload.hash ^ 1) >>> 0 } }
    case 'map':
      return { ...message, payload: { ...payload, mode: 'off' } }
    case 'dmaRead':
    case 'dmaCopy':
      return { ...message, payload: { ...payload, length: payload.length + 1 } }
    default:
      return undefined
  }
}

/** Messages that no bus sends: what a careless editor makes. */
const IMPOSSIBLE: Message['payload'][] = [
  { kind: 'reset' },
  { kind: 'event' },
  { kind: 'input', bytes: Uint8Array.of(1) },
  { kind: 'line', wire: 99, level: 1 },
  { kind: 'read', region: 7, offset: 4, size: 4 },
  { kind: 'data', value: 300, validUntil: 0 },
  { kind: 'memory', bytes: new Uint8Array(32), length: 5 },
  { kind: 'dmaRead', target: 9, address: 0, length: 1 },
  { kind: 'dmaRead', target: -1, address: 0, length: 2 ** 52 },
  { kind: 'dmaWrite', target: 9, address: 0, bytes: Uint8Array.of(1) },
  { kind: 'dmaCopy', from: 9, fromAddress: 0, to: -1, toAddress: 0, length: 1 },
  { kind: 'dmaCopy', from: -1, fromAddress: 0, to: 1, toAddress: 0, length: 2 ** 52 },
  { kind: 'map', region: 9, space: 'memory', base: 0, length: 4096, offset: 0, mode: 'ram' },
  { kind: 'grid', hash: 1 },
  { kind: 'output', bytes: Uint8Array.of(1) },
]

t.test('an entry that cannot be is a divergence, never a crash', async (t) => {
  const { at } = await record()
  const recording = Recording.open(at)
  const { nodes } = recording.manifest
  for (const [target, message] of [...recording.entries()].entries()) {
    const { src, dst, payload } = message
    // A third of them an entry: over a run every kind meets every other.
    const some = IMPOSSIBLE.filter(({ kind }, number) => kind !== payload.kind && (number + target) % 3 === 0)
    const others = some.map((made) => ({ ...message, payload: made }))
    const edits: Message[] = [{ ...message, src: dst, dst: src }, { ...message, dst: 'copier', src: 'cpu' }, ...others]
    for (const edit of edits.filter((edited) => edited.src !== src || edited.payload.kind !== payload.kind)) {
      const to = directory('impossible')
      const edited = await rewriteRecording(at, to, (old, number) => (number === target ? edit : old))
      const label = `entry ${target}, ${src}>${dst} ${payload.kind}, now ${edit.src}>${edit.dst} ${edit.payload.kind}`
      const devices = [src, dst].filter((node) => nodes.indexOf(node) > 3).map((device) => ({ device }))
      for (const mode of ['cpu', 'full', ...devices] as const) {
        const result = await replay({ recording: edited, machine: spec(), mode })
        if (typeof mode === 'string') t.equal(result.state, 'diverged', `${mode}: ${label}`)
      }
      fs.rmSync(to, { recursive: true })
    }
  }
})

t.test('a closed recording without a stop entry, or with a power-off that nothing asked for', async (t) => {
  const { at } = await record()
  const last = Recording.open(at).entryCount - 1
  const open = await rewriteRecording(at, directory('open'), (old, number) => (number === last ? undefined : old))
  for (const mode of MODES) {
    const found = diverged(await replay({ recording: open, machine: spec(), mode }))
    t.match(found, { entry: last, what: /has no stop entry/ }, modeName(mode))
  }
  const limited = await record({ limits: { instructions: 300 } })
  const end = Recording.open(limited.at).entryCount - 1
  const edited = await rewriteRecording(limited.at, directory('off'), (old, number) =>
    number === end ? { ...old, payload: { kind: 'stop', reason: 'poweroff' } } : old,
  )
  const found = diverged(await replay({ recording: edited, machine: spec(), mode: 'full' }))
  t.match(found, { entry: end, what: 'no device asked for power-off' })
})

t.test('an entry that is left out or doubled is caught by full, and hangs nothing in any mode', async (t) => {
  const { at } = await record()
  const count = Recording.open(at).entryCount
  for (let target = 0; target < count - 1; target += 3) {
    const edited = await rewriteRecording(at, directory('edited'), (old, number) =>
      number === target ? undefined : old,
    )
    const full = diverged(await replay({ recording: edited, machine: spec(), mode: 'full' }))
    t.ok(full.entry >= target - 1 && full.entry <= target + 1, `entry ${target}: found at ${full.entry}`)
    for (const mode of MODES) await replay({ recording: edited, machine: spec(), mode })
  }
})

t.test('segments: the hash of memory is compared', async (t) => {
  const program: Record<number, Program[number]> = { 2500: write(AT.power, 0) }
  for (let icount = 0; icount < 2300; icount++) program[icount] = read(AT.gate)
  const machine = spec(program)
  const { at } = await record({ machine, sources: [] })
  const segment = [...Recording.open(at).entries()].findIndex(({ payload }) => payload.kind === 'segment')
  t.ok(segment > 4096)
  for (const mode of ['cpu', 'full'] as const) {
    t.match(await replay({ recording: Recording.open(at), machine, mode }), { state: 'agreed' })
    const loads = [...DISK_LOADS, { memory: 'ram', offset: 0x8000, bytes: Uint8Array.of(1) }]
    const found = diverged(await replay({ recording: Recording.open(at), machine: { ...machine, loads }, mode }))
    t.match(found, { node: 'cpu', entry: segment, expected: { payload: { kind: 'segment' } } })
  }
})

t.test('another program, or another model, diverges where it does', async (t) => {
  const { at } = await record()
  const recording = Recording.open(at)
  const late = { ...PROGRAM, 7: write(AT.copier + 4, 301) }
  for (const mode of ['cpu', 'full'] as const) {
    const found = diverged(await replay({ recording, machine: spec(late), mode }))
    t.match(found, { node: 'cpu', icount: 7, vt: 70, pc: 28, what: 'the message differs in value' })
    t.match(found.expected?.payload, { kind: 'write', value: 300 })
    t.match(found.actual?.payload, { kind: 'write', value: 301 })
    t.equal(found.before.length, 10)
  }
  const { 162: _, ...silent } = PROGRAM
  for (const mode of ['cpu', 'full'] as const) {
    t.match(diverged(await replay({ recording, machine: spec(silent), mode })), { expected: { icount: 162 } }, mode)
  }
  const asleep = { ...PROGRAM, 140: { op: 'wait' } as const }
  for (const mode of ['cpu', 'full'] as const) {
    t.ok(diverged(await replay({ recording, machine: spec(asleep), mode })).icount >= 140, mode)
  }
  const chatty = { ...PROGRAM, 300: read(AT.gate) }
  for (const mode of ['cpu', 'full'] as const) {
    t.match(diverged(await replay({ recording, machine: spec(chatty), mode })), {
      icount: 300,
      actual: { dst: 'gate' },
    })
  }
})

t.test('a final state that differs is a divergence at the journal’s end', async (t) => {
  const { at } = await record()
  const { deviceStates, ...rest } = Recording.open(at).manifest.end ?? assert.fail()
  const { entries: _, identity: __, ...end } = rest
  const reseal = async (changed: object) => {
    const to = directory('end')
    const writer = newRecording(to)
    for (const message of Recording.open(at).entries()) writer.append(message)
    await writer.close({ ...end, deviceStates, ...changed })
    return Recording.open(to)
  }
  const zeros = '0'.repeat(64)
  const digest = await reseal({ digest: zeros })
  for (const mode of ['cpu', 'full'] as const) {
    const found = diverged(await replay({ recording: digest, machine: spec(), mode }))
    t.match(found, { node: 'cpu', entry: digest.entryCount, what: /final digest/ })
  }
  const states = await reseal({ deviceStates: { ...deviceStates, gate: zeros } })
  for (const mode of ['full', { device: 'gate' }] as const) {
    const found = diverged(await replay({ recording: states, machine: spec(), mode }))
    t.match(found, { node: 'gate', what: /final state/ })
  }
  t.equal((await replay({ recording: states, machine: spec(), mode: { device: 'tick0' } })).state, 'agreed')
})

t.test('a journal that was cut replays to its last whole entry, wherever it was cut', async (t) => {
  const { at } = await record()
  const whole = Recording.open(at)
  for (let entries = 0; entries < whole.entryCount; entries += 5) {
    const to = directory('cut')
    const writer = newRecording(to)
    for (const message of whole.entries(0, entries)) writer.append(message)
    await writer.abandon()
    const recording = Recording.open(to)
    for (const mode of ['cpu', 'full', { device: 'gate' }, { device: 'copier' }] as const) {
      const result = await replay({ recording, machine: spec(), mode })
      t.match(result, { state: 'cut', entries }, `${modeName(mode)}, ${entries} entries`)
    }
  }
})

t.test('until stops before an instruction', async (t) => {
  const { at } = await record()
  const recording = Recording.open(at)
  for (const mode of ['cpu', 'full'] as const) {
    const result = await replay({ recording, machine: spec(), mode, until: 145 })
    t.match(result, { state: 'until', position: { icount: 145, pc: 580 } })
  }
  const result = await replay({ recording, machine: spec(), mode: { device: 'gate' }, until: 145 })
  t.match(result, { state: 'until' })
})

t.test('a recording of another machine is refused', async (t) => {
  const { at } = await record()
  const recording = Recording.open(at)
  const machine = spec()
  const other = { ...machine, board: { ...machine.board, nsPerInstruction: 8 } }
  await t.rejects(replay({ recording, machine: other, mode: 'cpu' }), { name: 'MachineMismatch' })
  const fewer = { ...machine, board: { ...machine.board, devices: machine.board.devices.slice(1) } }
  await t.rejects(replay({ recording, machine: fewer, mode: 'cpu' }), { name: 'MachineMismatch' })
  await t.rejects(replay({ recording, machine, mode: { device: 'none' } }), { name: 'NoSuchDevice', message: /tick0/ })
})

t.test('ends: limits, aborts, sleeping for ever; all replay to the same digest', async (t) => {
  const controller = new AbortController()
  const busy: Program = { 1: write(AT.ticker, 5_000) }
  const asleep: Program = { 1: read(AT.gate), 50: { op: 'wait' } }
  const runs: [string, Program, Partial<LiveOptions>][] = [
    ['limit', busy, { limits: { instructions: 12_345 } }],
    ['limit', busy, { limits: { vt: 123_456 } }],
    ['limit', asleep, { limits: { vt: 5_500 } }],
    ['failed', asleep, {}],
    ['quit', busy, { signal: AbortSignal.abort() }],
    ['quit', busy, { signal: controller.signal, onProgress: () => controller.abort() }],
    [
      'quit',
      asleep,
      { sources: [{ open: false, waiting: () => ({ icount: 0, vt: 7_000 }), take: () => [], stop: quitAt(7_000) }] },
    ],
  ]
  for (const [reason, program, options] of runs) {
    const { at, result } = await record({ machine: spec(program), sources: [], ...options })
    t.equal(result.reason, reason)
    t.equal(result.failure?.name, reason === 'failed' ? 'GuestSleepsForEver' : undefined)
    for (const mode of ['cpu', 'full', { device: 'tick0' }] as const) {
      const replayed = await replay({ recording: Recording.open(at), machine: spec(program), mode })
      t.match(replayed, { state: 'agreed', reason }, `${reason} ${modeName(mode)}`)
      if (mode !== 'cpu' && mode !== 'full') continue
      t.equal(replayed.summary.digest, result.summary.digest)
    }
  }
})

const quitAt = (quitVt: number) => (vt: number) => (vt >= quitVt ? ('quit' as const) : undefined)

t.test('a paced run sleeps and ends with a journal that replays', async (t) => {
  const { at, result } = await record({ paced: true })
  t.equal(result.reason, 'poweroff')
  for (const mode of ['cpu', 'full'] as const) {
    t.match(await replay({ recording: Recording.open(at), machine: spec(), mode }), { state: 'agreed' })
  }
})

t.test('an input that waits is not slept for', async (t) => {
  const most = 5000
  const alarm = new Alarm()
  let points = 0
  let isHere = false
  // At first nothing comes; then there is something at every grid point, of which the guest does not notice anything.
  const peer: WorldSource = {
    open: true,
    waiting: (now) => (isHere ? { icount: 0, vt: now } : undefined),
    take: () => {
      if (isHere) points++
      return []
    },
    stop: () => (points >= most ? 'quit' : undefined),
  }
  setTimeout(() => {
    isHere = true
    alarm.ring()
  }, 5)
  const machine = { ...spec({ 5: { op: 'wait' } }), board: { ...diskBoard(), gridNs: 4e6, hashNs: 32e6 } }
  const startMs = performance.now()
  const result = await runLive({ machine, sources: [peer], paced: true, alarm, sliceInstructions: 100 })
  const hostSeconds = (performance.now() - startMs) / 1000
  t.equal(result.reason, 'quit')
  t.equal(points, most)
  const guestSeconds = (most * machine.board.gridNs) / 1e9
  t.ok(result.summary.virtualSeconds >= guestSeconds)
  t.ok(hostSeconds < guestSeconds, `${guestSeconds} s of guest time in ${hostSeconds} s`)
})

t.test('a fault in a model leaves what a killed recorder would', async (t) => {
  const at = directory('fault')
  const broken: Program = { 5: write(AT.copier, 0x100), 6: write(AT.copier + 4, 8192) }
  const options = { machine: spec(broken), sources: [], recording: newRecording(at) }
  await t.rejects(runLive(options), /beyond its buffer/)
  const recording = Recording.open(at)
  t.ok(recording.truncated)
  t.ok(recording.entryCount > 9)
})

t.test('nothing is heard before the recording is one, and the guest runs meanwhile', async (t) => {
  const at = directory('aside')
  const heard: string[] = []
  let entriesBefore = 0
  const recording = newRecording(at, diskBoard(), async (file, bytes) => {
    await sleep(50)
    entriesBefore = recording.entryCount
    t.same(heard, [])
    t.throws(() => Recording.open(at), /it has no manifest.json/)
    return hostFiles.write(file, bytes)
  })
  const onOutput = (src: string, bytes: Uint8Array) => {
    t.ok(recording.isReady)
    t.ok(Recording.open(at).entryCount > 0, 'what is heard is on disk')
    heard.push(`${src} ${Buffer.from(bytes)}`)
  }
  const { result } = await record({ recording, onOutput })
  t.same(heard, ['power reset', 'terminal h', 'terminal i', 'power off'])
  t.ok(entriesBefore > 0, 'the guest ran before')
  t.same(Recording.open(at).verify(), [])
  t.equal(Recording.open(at).manifest.end?.digest, result.summary.digest)
  t.equal((await record()).result.summary.digest, result.summary.digest)
})

t.test('a run that ends before the images are there waits for them', async (t) => {
  const at = directory('aside')
  const recording = newRecording(at, diskBoard(), async (file, bytes) => {
    await sleep(30)
    return hostFiles.write(file, bytes)
  })
  const { result } = await record({ recording, limits: { instructions: 3 } })
  t.equal(result.reason, 'limit')
  t.equal(Recording.open(at).manifest.end?.digest, result.summary.digest)
})

t.test('an image that cannot be written ends the run, and nothing was heard', async (t) => {
  for (const limits of [{}, { instructions: 3 }]) {
    const at = directory('full')
    const recording = newRecording(at, diskBoard(), async () => {
      await sleep(10)
      throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
    })
    const onOutput = () => t.fail('something was heard')
    await t.rejects(record({ recording, onOutput, limits }), {
      name: 'WriteError',
      message: /images.*the disk is full/,
    })
    t.throws(() => Recording.open(at), /it has no manifest.json/)
  }
})

t.test('a run that fails before the images are there leaves what it would have left after', async (t) => {
  const later: StoreFiles['writeAside'] = async (file, bytes) => {
    await sleep(30)
    return hostFiles.write(file, bytes)
  }
  const broken: Program = { 5: write(AT.copier, 0x100), 6: write(AT.copier + 4, 8192) }
  const [first, aside] = [directory('first'), directory('aside')]
  for (const recording of [newRecording(first), newRecording(aside, diskBoard(), later)]) {
    await t.rejects(runLive({ machine: spec(broken), sources: [], recording }), /beyond its buffer/)
  }
  t.ok(Recording.open(aside).truncated)
  t.same([...Recording.open(aside).entries()], [...Recording.open(first).entries()])

  const full = directory('full')
  const writer = newRecording(full, diskBoard(), later)
  const diskIsFull = () => {
    throw new WriteError('the disk is full', 'tail')
  }
  await t.rejects(record({ recording: writer, listeners: [diskIsFull] }), { name: 'WriteError' })
  t.ok(writer.isReady, 'what was flushed before is a recording')

  const both = newRecording(directory('full'), diskBoard(), async () => {
    await sleep(30)
    throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
  })
  const image = { name: 'WriteError', message: /images.*the disk is full/ }
  await t.rejects(record({ recording: both, listeners: [diskIsFull] }), image, 'there is no recording')
})
