import t from 'tap'
import { device } from './board.ts'
import type { DeviceModel, Sequence } from './device.ts'
import {
  CROWDED_ENTRIES,
  GuestSleepsForEver,
  LocalBus,
  SEGMENT_ENTRIES,
  SLICE_ACCESSES,
  type SliceOptions,
} from './local-bus.ts'
import { type Message, NEVER, type NodeName, SCRIPT, type Vt } from './message.ts'
import { type Program, type ScriptedCpu, scriptedCpu } from './scripted-cpu.ts'
import { AT, TEST_LOADS, testBoard } from './testing-board.ts'
import type { WorldSource } from './world.ts'

/** `icount vt src>dst kind ...`, as one line. */
function show({ icount, vt, src, dst, payload }: Message): string {
  const { kind, ...rest } = payload
  const fields = Object.entries(rest).map(([key, value]) => {
    if (value === NEVER) return `${key}=never`
    return `${key}=${value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value}`
  })
  return [icount, vt, `${src}>${dst}`, kind, ...fields].join(' ')
}

/** Inputs that wait from given times on. */
function typist(inputs: { vt: Vt; dst: NodeName; text: string }[], quitVt = NEVER): WorldSource {
  return {
    open: false,
    waiting: () => ({ icount: 0, vt: Math.min(inputs[0]?.vt ?? NEVER, quitVt) }),
    take: (vt) => {
      const due = inputs.filter((input) => input.vt <= vt)
      inputs.splice(0, due.length)
      return due.map(({ dst, text }) => ({ src: SCRIPT, dst, bytes: Buffer.from(text) }))
    },
    stop: (vt) => (vt >= quitVt ? 'quit' : undefined),
  }
}

function makeBus(program: Program, sources: WorldSource[] = [], hashNs?: number) {
  const log: Message[] = []
  let cpu: ScriptedCpu | undefined
  const createCpu = scriptedCpu(program, (made) => {
    cpu = made
  })
  const sink = { append: (message: Message) => log.push(message) }
  const bus = new LocalBus({ board: testBoard('little', hashNs), createCpu, loads: TEST_LOADS, sink, sources })
  const run = (options: Partial<SliceOptions> = {}) => bus.runSlice({ maxInstructions: 1e9, ...options })
  /** The log but for resets and grid hashes. */
  const shown = () => log.filter(({ payload: { kind } }) => kind !== 'reset' && kind !== 'grid').map(show)
  return { bus, log, run, shown, cpu: cpu as ScriptedCpu }
}

const write = (address: number, value: number) => ({ op: 'write', address, value }) as const
const read = (address: number, size: 1 | 2 | 4 = 4) => ({ op: 'read', address, size }) as const
const off = write(AT.power, 0)

t.test('power-on resets the CPU and then the devices in order; power-off stops at the next boundary', async (t) => {
  const { log, run, shown, cpu } = makeBus({ 5: off })
  t.same(run(), { state: 'stopped', reason: 'poweroff' })
  const resets = log.filter(({ payload }) => payload.kind === 'reset').map(({ src, dst }) => `${src}>${dst}`)
  const order = ['cpu', 'tick0', 'tick1', 'gate', 'copier', 'cells', 'terminal', 'flash', 'power']
  t.same(
    resets,
    order.map((name) => `bus>${name}`),
  )
  t.same(shown(), [
    '5 50 cpu>power write region=0 offset=0 size=4 value=0',
    '5 50 power>world output bytes=6f6666',
    '6 60 bus>world stop reason=poweroff',
  ])
  t.equal(cpu.resets, 1)
  t.same(run(), { state: 'stopped', reason: 'poweroff' }, 'and stays so')
})

t.test(
  'a timer falls due before the first instruction at its time, and lines go from device to device to the CPU',
  async (t) => {
    const { run, shown, cpu } = makeBus({
      3: write(AT.ticker, 25),
      9: write(AT.ticker + 8, 0),
      10: write(AT.ticker, 0),
      12: off,
    })
    run()
    t.same(shown().slice(0, -3), [
      '3 30 cpu>tick0 write region=0 offset=0 size=4 value=25',
      '3 30 tick0>bus timer due=55',
      '6 60 bus>tick0 event',
      '6 60 tick0>gate line wire=0 level=1',
      '6 60 tick0>bus timer due=85',
      '6 60 gate>cpu line wire=2 level=1',
      '9 90 bus>tick0 event',
      '9 90 tick0>bus timer due=115',
      '9 90 cpu>tick0 write region=0 offset=8 size=4 value=0',
      '9 90 tick0>gate line wire=0 level=0',
      '9 90 gate>cpu line wire=2 level=0',
      '10 100 cpu>tick0 write region=0 offset=0 size=4 value=0',
      '10 100 tick0>bus timer due=never',
    ])
    t.equal(cpu.lines.get(2), 0)
  },
)

t.test('events due together come by due time, then in the order of the board', async (t) => {
  const { run, shown } = makeBus({
    1: write(AT.ticker + 0x10, 24),
    2: write(AT.ticker, 16),
    3: write(AT.ticker + 0x10, 6),
    5: off,
  })
  run()
  const events = shown().filter((line) => line.endsWith('event'))
  t.same(events.slice(0, 2), ['4 40 bus>tick0 event', '4 40 bus>tick1 event'], 'due 36 and 36')
  const other = makeBus({ 1: write(AT.ticker, 28), 2: write(AT.ticker + 0x10, 16), 5: off })
  other.run()
  t.same(
    other.shown().filter((line) => line.endsWith('event')),
    ['4 40 bus>tick1 event', '4 40 bus>tick0 event'],
    'due 36 and 38',
  )
})

t.test('DMA and access happen at once, lines and the rest after the handler', async (t) => {
  const { run, shown, cpu } = makeBus({
    1: write(AT.copier, 0x100),
    2: write(AT.copier + 4, 4),
    3: read(AT.copier),
    4: read(AT.copier + 8),
    5: off,
  })
  run()
  t.same(shown().slice(1, -3), [
    '2 20 cpu>copier write region=0 offset=4 size=4 value=4',
    '2 20 copier>cpu dmaRead target=-1 address=256 length=4',
    '2 20 cpu>copier memory bytes=01020304',
    '2 20 copier>cpu dmaWrite target=-1 address=260 bytes=01020304',
    '2 20 copier>cpu dmaWrite target=1 address=0 bytes=01020304',
    '2 20 copier>gate line wire=2 level=1',
    '2 20 copier>cpu line wire=3 level=1',
    '2 20 copier>gate line wire=2 level=0',
    '2 20 copier>cpu line wire=3 level=0',
    '2 20 gate>cpu line wire=2 level=1',
    '2 20 gate>cpu line wire=2 level=0',
    '3 30 cpu>copier read region=0 offset=0 size=4',
    '3 30 copier>cpu data value=10 validUntil=0',
    '4 40 cpu>copier read region=0 offset=8 size=4',
    '4 40 copier>gate read region=0 offset=0 size=4',
    '4 40 gate>copier data value=0 validUntil=0',
    '4 40 copier>cpu data value=0 validUntil=0',
  ])
  t.same(cpu.results, [1, 1, 10, 0, 1])
})

t.test('large memory payloads are logged by hash, and the device gets the bytes', async (t) => {
  const { run, log, cpu } = makeBus({
    1: write(AT.copier, 0x100),
    2: write(AT.copier + 4, 65),
    3: read(AT.copier),
    4: off,
  })
  run()
  const memory = log.find(({ payload }) => payload.kind === 'memory')?.payload
  t.match(memory, { kind: 'memory', length: 65 })
  t.equal(memory?.kind === 'memory' && memory.bytes.length, 32)
  t.equal(cpu.results[2], 10)
})

t.test('a map takes place before the CPU goes on', async (t) => {
  const { run, shown, cpu } = makeBus({
    1: read(AT.flash),
    2: write(AT.flash, 0),
    3: read(AT.flash),
    4: write(AT.flash, 1),
    5: read(AT.flash),
    6: off,
  })
  run()
  t.same(cpu.results.slice(0, 5), [0x54535251, 1, 0xaa, 1, 0x54535251])
  t.ok(shown().includes('2 20 flash>cpu map region=0 space=memory base=131072 length=8192 offset=0 mode=registers'))
  t.ok(shown().includes('3 30 cpu>flash read region=0 offset=0 size=4'))
})

t.test('polling is free until the answer may change', async (t) => {
  const program: Record<number, Program[number]> = { 1: write(AT.ticker, 100), 40: off }
  for (let icount = 2; icount < 40; icount++) program[icount] = read(AT.ticker + 4)
  const { run, shown, cpu } = makeBus(program)
  run()
  t.same(cpu.results.slice(1, 39), [
    ...Array(9).fill(0),
    ...Array(10).fill(1),
    ...Array(10).fill(2),
    ...Array(9).fill(3),
  ])
  t.equal(shown().filter((line) => line.includes(' read ')).length, 4)
})

t.test('grid points: a hash when the CPU ran, then inputs; idle jumps leave none', async (t) => {
  const inputs = [{ vt: 1500, dst: 'terminal', text: 'x' }]
  const { run, log, shown } = makeBus({ 150: { op: 'wait' }, 151: read(AT.terminal, 4), 152: off }, [typist(inputs)])
  run()
  const kinds = log
    .filter(({ payload: { kind } }) => kind !== 'reset')
    .map(({ vt, payload }) => `${vt} ${payload.kind}`)
  t.same(kinds.slice(0, 5), ['1000 grid', '2000 grid', '2000 input', '2000 line', '2000 line'])
  t.ok(shown().includes('151 2000 terminal>cpu data value=120 validUntil=0'))
})

t.test('hash points are fewer: a busy CPU comes to the grid points between that a source waits for', async (t) => {
  const inputs = [
    { vt: 1500, dst: 'terminal', text: 'x' },
    { vt: 5000, dst: 'terminal', text: 'y' },
  ]
  const { run, log } = makeBus({ 850: off }, [typist(inputs)], 4000)
  run()
  const kinds = log
    .filter(({ payload: { kind } }) => kind === 'input' || kind === 'grid')
    .map(({ icount, vt, payload }) => `${icount} ${vt} ${payload.kind}`)
  t.same(kinds, ['200 2000 input', '400 4000 grid', '500 5000 input', '800 8000 grid'])

  const idle = makeBus({ 150: { op: 'wait' } }, [typist([], 9000)], 4000)
  idle.run()
  const times = idle.log
    .filter(({ payload: { kind } }) => kind === 'grid' || kind === 'stop')
    .map(({ icount, vt, payload }) => `${icount} ${vt} ${payload.kind}`)
  t.same(times, ['151 4000 grid', '151 9000 stop'], 'a hash is owed')
})

t.test('what a script waits for: a moment by instructions, and what a device prints', async (t) => {
  for (const hashNs of [1000, 4000, 64_000]) {
    let isHeard = false
    const left = ['by count', 'answer']
    const script: WorldSource = {
      open: false,
      waiting: () => ({ icount: left.length === 2 ? 777 : 0, vt: left.length === 2 || isHeard ? 0 : NEVER }),
      take(_vt, icount) {
        const isDue = left.length === 2 ? icount >= 777 : isHeard
        return isDue
          ? left.splice(0, 1).map((text) => ({ src: SCRIPT, dst: 'terminal', bytes: Buffer.from(text) }))
          : []
      },
    }
    const program: Program = {
      9: { op: 'timer', due: 3_333 },
      10: { op: 'wait' },
      1234: write(AT.terminal, 0x68),
      1500: off,
    }
    const { bus, run, log } = makeBus(program, [script], hashNs)
    bus.onOutput((src) => {
      isHeard ||= src === 'terminal'
    })
    run()
    const inputs = log.filter(({ payload: { kind } }) => kind === 'input').map(({ icount, vt }) => `${icount} ${vt}`)
    t.same(inputs, ['778 11003', '1278 16003'], `hashes every ${hashNs} ns`)
  }
})

t.test('an idle CPU jumps to device timers and its own, and past grid points that owe nothing', async (t) => {
  const { run, log, cpu } = makeBus({
    1: write(AT.ticker, 5_500),
    2: { op: 'timer', due: 3_333 },
    3: { op: 'wait' },
    4: { op: 'wait' },
    5: off,
  })
  run()
  const times = log
    .filter(({ payload: { kind } }) => kind !== 'reset')
    .map(({ icount, vt, payload }) => `${icount} ${vt} ${payload.kind}`)
  t.same(times, [
    '1 10 write',
    '1 10 timer',
    '4 1000 grid',
    '5 4000 grid',
    '5 5510 event',
    '5 5510 line',
    '5 5510 timer',
    '5 5510 line',
    '5 5510 write',
    '5 5510 output',
    '6 5520 stop',
  ])
  t.equal(cpu.resets, 1)
})

t.test('segments end at a grid point with a hash, after enough entries', async (t) => {
  const program: Record<number, Program[number]> = { 2500: off }
  for (let icount = 0; icount < 2300; icount++) program[icount] = read(AT.gate)
  const { run, log } = makeBus(program)
  run()
  const at = log.findIndex(({ payload }) => payload.kind === 'segment')
  t.ok(at >= SEGMENT_ENTRIES && at < SEGMENT_ENTRIES + 250)
  t.equal(log[at - 1]?.payload.kind, 'grid')
  t.equal(log[at]?.vt, log[at - 1]?.vt)
  t.equal(log.filter(({ payload }) => payload.kind === 'segment').length, 1)
})

t.test('a segment with many entries ends at the next grid point', async (t) => {
  const program: Record<number, Program[number]> = {}
  for (let icount = 0; icount < CROWDED_ENTRIES; icount++) program[icount] = read(AT.gate)
  const runs = [undefined, 100, 7].map((maxInstructions) => {
    const { bus, run, log } = makeBus({ ...program, [CROWDED_ENTRIES]: off }, [], 1e9)
    while (bus.stopped === undefined) run({ ...(maxInstructions && { maxInstructions }) })
    return log.filter(({ payload: { kind } }) => kind === 'grid' || kind === 'segment').map(show)
  })
  // Two entries an instruction.
  const end = 100 * Math.ceil(CROWDED_ENTRIES / 2 / 100)
  t.same(
    runs[0]?.map((line) => line.split(' ').slice(0, 4).join(' ')),
    [`${end} ${10 * end} cpu>bus grid`, `${end} ${10 * end} cpu>bus segment`],
  )
  t.same(runs[1], runs[0])
  t.same(runs[2], runs[0])
})

t.test('a reset: memory loaded again, the map and the indexes as at power-on, icount goes on', async (t) => {
  const { run, log, cpu } = makeBus({
    1: write(AT.flash, 0),
    2: write(AT.cells, 9),
    3: write(AT.power, 1),
    4: read(AT.flash),
    5: read(AT.cells, 1),
    6: read(AT.power),
    7: off,
  })
  run()
  t.equal(cpu.resets, 2)
  t.same(cpu.results.slice(3, 6), [0x54535251, 3, 1])
  const second = log.filter(({ payload, icount }) => payload.kind === 'reset' && icount > 0)
  t.same([second.length, second[0]?.icount, second[0]?.dst], [9, 4, 'cpu'])
})

t.test('how slices are cut leaves no trace', async (t) => {
  const program: Program = {
    1: write(AT.ticker, 777),
    50: read(AT.terminal),
    300: { op: 'wait' },
    301: write(AT.ticker + 8, 0),
    302: { op: 'wait' },
    900: off,
  }
  const inputs = () =>
    typist([
      { vt: 1700, dst: 'terminal', text: 'a' },
      { vt: 4700, dst: 'terminal', text: 'b' },
    ])
  const whole = makeBus(program, [inputs()])
  whole.run()
  for (const hashNs of [1000, 3000, 64_000]) {
    const other = makeBus(program, [inputs()], hashNs)
    other.run()
    t.same(other.shown(), whole.shown(), `nor how far apart hashes are: ${hashNs} ns`)
    for (const maxInstructions of [1, 7, 100]) {
      const cut = makeBus(program, [inputs()], hashNs)
      while (cut.bus.stopped === undefined) cut.run({ maxInstructions })
      t.same(cut.log.map(show), other.log.map(show), `slices of ${maxInstructions}`)
    }
  }
  const cut = makeBus(program, [inputs()])
  let slices = 0
  while (cut.bus.stopped === undefined) {
    cut.run({ isOver: () => true })
    slices++
  }
  t.same(cut.log.map(show), whole.log.map(show), 'slices that are over at once')
  const points = Math.floor(cut.bus.vt / cut.bus.machine.clock.hashNs)
  t.ok(slices > 3 && slices <= points + 2, `${slices} slices, for ${points} points with a hash`)
})

t.test('a guest that does nothing but access devices gives the thread back between hash points too', async (t) => {
  const accesses = 3 * SLICE_ACCESSES
  const program: Record<number, Program[number]> = { [accesses]: off }
  for (let icount = 0; icount < accesses; icount++) program[icount] = read(AT.gate)
  const whole = makeBus(program, [], 1e9)
  whole.run()
  const cut = makeBus(program, [], 1e9)
  const ends: number[] = []
  while (cut.bus.stopped === undefined) {
    cut.run({ isOver: () => true })
    ends.push(cut.bus.icount)
  }
  t.same(ends, [SLICE_ACCESSES, 2 * SLICE_ACCESSES, accesses, accesses + 1])
  t.same(cut.log.map(show), whole.log.map(show))
})

t.test('stops: a source, a limit before what is due there, the caller', async (t) => {
  const quit = makeBus({ 10: { op: 'wait' } }, [typist([], 2000)])
  t.same(quit.run(), { state: 'stopped', reason: 'quit' })
  t.equal(quit.shown().at(-1), '11 2000 bus>world stop reason=quit')

  const limit = makeBus({ 1: write(AT.ticker, 20) })
  t.same(limit.run({ until: [{ icount: 3, vt: 0 }] }), { state: 'until' })
  t.same(limit.shown().length, 2)
  t.equal(limit.bus.icount, 3)
  limit.bus.stop('limit')
  t.equal(limit.shown().at(-1), '3 30 bus>world stop reason=limit')
  t.throws(() => limit.bus.stop('limit'), /ended already/)

  const idle = makeBus({ 10: { op: 'wait' } })
  t.same(idle.run({ until: [{ icount: 0, vt: 12_345 }] }), { state: 'until' })
  t.equal(idle.bus.vt, 12_345)
})

t.test('an idle guest with nothing to come', async (t) => {
  const { run } = makeBus({ 10: { op: 'wait' } }, [typist([])])
  t.throws(() => run(), GuestSleepsForEver)
  const person: WorldSource = { open: true, waiting: () => undefined, take: () => [] }
  const waiting = makeBus({ 10: { op: 'wait' } }, [person])
  t.same(waiting.run(), { state: 'sleep', until: NEVER })
})

t.test('a paced guest jumps no further than the host has slept, and a person types at the host’s time', async (t) => {
  const typed: { bytes: Uint8Array }[] = []
  const person: WorldSource = {
    open: true,
    waiting: (now) => (typed.length === 0 ? undefined : { icount: 0, vt: now }),
    take: () => typed.splice(0).map(({ bytes }) => ({ src: 'world', dst: 'terminal', bytes })),
  }
  const { bus, run, shown } = makeBus({ 1: write(AT.ticker, 1e6), 10: { op: 'wait' }, 20: off }, [person])
  t.same(run({ hostVt: 110 }), { state: 'sleep', until: 1000 }, 'a hash is owed')
  t.same(run({ hostVt: 1200 }), { state: 'sleep', until: 1_000_010 })
  t.equal(bus.vt, 1000)
  typed.push({ bytes: Uint8Array.of(65) })
  run({ hostVt: 345_678 })
  t.ok(shown().includes('11 345000 world>terminal input bytes=41'))
  t.equal(bus.stopped, 'poweroff')
})

t.test('an input that waits enters at the grid point before what is due, however late the host is', async (t) => {
  let isTyped = false
  const person: WorldSource = {
    open: true,
    waiting: (now) => (isTyped ? { icount: 0, vt: now } : undefined),
    take: () => {
      if (!isTyped) return []
      isTyped = false
      return [{ src: 'world', dst: 'terminal', bytes: Uint8Array.of(65) }]
    },
  }
  const { run, shown } = makeBus({ 1: write(AT.ticker, 5300), 10: { op: 'wait' }, 20: off }, [person])
  t.same(run({ hostVt: 1200 }), { state: 'sleep', until: 5310 })
  isTyped = true
  run({ hostVt: 9100 })
  const [input] = shown().filter((line) => line.includes('input'))
  t.match(input, /^11 5000 world>terminal/, 'not at 5310, where the ticker is due')
})

t.test('inputs of a journal enter where they did, though idle time left the grid amid instructions', async (t) => {
  // After 4313 ns of which some were idle, grid points are come to 3 ns late.
  const inputs = [
    { icount: 80, vt: 5003 },
    { icount: 180, vt: 6003 },
  ]
  const journal: WorldSource = {
    open: false,
    waiting: () => inputs[0] && { icount: inputs[0].icount, vt: Math.floor(inputs[0].vt / 1000) * 1000 },
    take: (vt) => {
      const due = inputs.filter((input) => input.vt <= vt)
      inputs.splice(0, due.length)
      return due.map(() => ({ src: SCRIPT, dst: 'terminal', bytes: Uint8Array.of(65) }))
    },
  }
  const { run, shown } = makeBus({ 1: write(AT.ticker, 4303), 10: { op: 'wait' }, 1000: off }, [journal], 64_000)
  run()
  const entered = shown().filter((line) => line.includes('input'))
  t.same(
    entered.map((line) => line.split(' ').slice(0, 2).join(' ')),
    ['80 5003', '180 6003'],
  )
})

t.test('outputs are heard with the number of their entry', async (t) => {
  const { bus, run, log } = makeBus({ 1: write(AT.terminal, 0x68), 2: write(AT.terminal, 0x69), 3: off })
  const heard: string[] = []
  bus.onOutput((src, bytes, vt, entry) => {
    t.same(log[entry]?.payload, { kind: 'output', bytes })
    heard.push(`${src} ${vt} ${Buffer.from(bytes)}`)
  })
  run()
  t.same(heard, ['terminal 10 h', 'terminal 20 i', 'power 30 off'])
})

t.test('devices that pass messages in a circle are stopped', async (t) => {
  const inverter: DeviceModel<object> = {
    type: 'inverter',
    stateVersion: 1,
    regions: () => [],
    inputs: ['in'],
    outputs: ['out'],
    create: () => ({
      reset: (io) => io.line('out', 1),
      read: () => 0,
      write() {},
      line: (_wire, level, io) => io.line('out', 1 - level === 1),
      save: () => ({}),
      restore() {},
    }),
  }
  const board = testBoard()
  const circle = {
    ...board,
    devices: [...board.devices, device('inverter', inverter, {})],
    wires: [{ from: 'inverter.out', to: 'inverter.in' }],
  }
  const options = { createCpu: scriptedCpu({}), loads: [], sink: { append() {} }, sources: [] }
  const bus = new LocalBus({ board: circle, ...options })
  t.throws(() => bus.runSlice({ maxInstructions: 1 }), /in a circle: inverter line at 0/)
})

t.test('a device that is accessed while its own handler waits is a broken board', async (t) => {
  const looker: DeviceModel<object> = {
    type: 'looker',
    stateVersion: 1,
    regions: () => [{ kind: 'registers', name: 'regs', size: 4, endian: 'little' }],
    inputs: [],
    outputs: [],
    create: () => ({
      reset() {},
      *read(): Sequence<number> {
        const access = { kind: 'read', region: 0, offset: 0, size: 4 } as const
        return (yield { request: 'access', dst: 'looker', access }) as number
      },
      write() {},
      save: () => ({}),
      restore() {},
    }),
  }
  const board = testBoard()
  const placed = { region: 'looker.regs', space: 'memory', base: AT.nothing, mode: 'registers' } as const
  const bus = new LocalBus({
    board: { ...board, devices: [...board.devices, device('looker', looker, {})], placements: [placed] },
    createCpu: scriptedCpu({ 1: read(AT.nothing) }),
    loads: [],
    sink: { append() {} },
    sources: [],
  })
  t.throws(() => bus.runSlice({ maxInstructions: 10 }), /while its own handler waits/)
})

t.test('a saved bus goes on as the other would have', async (t) => {
  const program: Program = { 1: write(AT.ticker, 333), 40: write(AT.cells, 9), 200: { op: 'wait' }, 400: off }
  const whole = makeBus(program)
  whole.run()
  const first = makeBus(program)
  first.run({ until: [{ icount: 50, vt: 0 }] })
  const state = structuredClone(first.bus.save())
  const second = makeBus(program)
  second.bus.machine.resetCpu()
  second.bus.restore(state)
  second.run()
  t.same([...first.log, ...second.log].map(show), whole.log.map(show))
  t.equal(second.bus.entryCount, whole.log.length)
  // A reset or a power-off that was asked for and not yet carried out is state too.
  const asking: Program = { 1: write(AT.ticker, 333), 60: write(AT.power, 1), 90: off }
  const undisturbed = makeBus(asking)
  undisturbed.run()
  for (const icount of [0, 1, 60, 61, 62, 90, 91]) {
    const before = makeBus(asking)
    before.run({ until: [{ icount, vt: 0 }] })
    const after = makeBus(asking)
    after.bus.machine.resetCpu()
    after.bus.restore(structuredClone(before.bus.save()))
    after.run()
    t.same([...before.log, ...after.log].map(show), undisturbed.log.map(show), `saved before instruction ${icount}`)
  }
  const { tick0: _, ...devices } = state.devices
  t.throws(() => makeBus(program).bus.restore({ ...state, devices }), { name: 'StateError' })
})
