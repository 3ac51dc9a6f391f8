/**
 * Polled registers and index/data pairs in translated code: every answer is the one that the interpreter gets, by way of
 * the port, at the same icount; and the port is asked once an answer, not once a read.
 */
import t, { type Test } from 'tap'
import {
  type Board,
  type Cpu,
  type DeviceModel,
  device,
  type KeptCell,
  LocalBus,
  MEMORY_SPACE,
  type Message,
  NEVER,
  type Vt,
} from '../bus/mod.ts'
import type { TierOptions } from './cpu.ts'
import { type CpuOptions, createCpu, createLockstepCpu, type LockstepOptions } from './mod.ts'
import { Assembler } from './oracle/assembler.ts'
import { randomWords } from './softfloat/test-patterns.ts'
import { CODE_BASE, DEVICE_BASE, position, type TestMachine, testMachine } from './test-machine.ts'
import { ImmediateCompiler, LateCompiler } from './translator/compilers.ts'

const HEATS = [1, 5]
const [A0, A1, A2, A3, T0, T1, T2, T3] = [4, 5, 6, 7, 8, 9, 10, 11]
const [STATUS, CAUSE, EPC] = [12, 13, 14]

// --- One device, played by the test ------------------------------------------------------------------------------------

const INDEX_PORT = DEVICE_BASE & 0x1fff_ffff
const DATA_PORT = INDEX_PORT + 1
const INDEX_WORD = 7
const INDEX_MASK = 0x7f

interface Kept {
  address: number
  value: number
  until: Vt
  index: number
}

/** An index register at 0, data at 1 and a plain register at 8, which keep an answer for `lifetime` instructions. */
class PolledPort {
  readonly messages: string[] = []
  asked = 0
  /** Where the index register is. */
  indexAt = INDEX_PORT
  readonly #machine: TestMachine
  #kept: Kept | undefined

  constructor(machine: TestMachine, lifetime: number) {
    const { port, cpu, clock } = machine
    this.#machine = machine
    port.onRead = (address, size) => {
      if (address === this.indexAt) return cpu.portWords[INDEX_WORD]!
      const cell = this.#cell(address)
      if (cell !== undefined) return cell.value
      this.messages.push(`${position(machine)} read ${address - INDEX_PORT} [${this.#index(address)}]`)
      const value = (0x8765_4300 + this.messages.length) % 2 ** (8 * size)
      const until = lifetime === NEVER ? NEVER : clock.vtAt(cpu.icount + lifetime) - 3
      this.#kept = { address, value, until, index: this.#index(address) }
      cpu.forgetKeptCells()
      return value
    }
    port.onWrite = (address, _size, value) => {
      if (address === this.indexAt) {
        cpu.portWords[INDEX_WORD] = value & INDEX_MASK
        return true
      }
      this.messages.push(`${position(machine)} write ${address - INDEX_PORT} = ${value}`)
      this.void()
      return true
    }
    port.onCell = (address) => {
      this.asked++
      if (address === this.indexAt) return { kind: 'index', word: INDEX_WORD, mask: INDEX_MASK }
      return this.#cell(address)
    }
  }

  /** What a message to the device does. */
  void(): void {
    this.#kept = undefined
    this.#machine.cpu.forgetKeptCells()
  }

  #index(address: number): number {
    return address === DATA_PORT ? this.#machine.cpu.portWords[INDEX_WORD]! : -1
  }

  #cell(address: number): KeptCell | undefined {
    const kept = this.#kept
    const index = this.#index(address)
    if (kept === undefined || kept.address !== address || kept.index !== index) return undefined
    if (this.#machine.cpu.now >= kept.until) return undefined
    const { value, until } = kept
    return { kind: 'kept', value, until, word: index < 0 ? -1 : INDEX_WORD, index }
  }
}

interface Outcome {
  messages: string[]
  registers: number
  memory: unknown
}

interface PollOptions extends TierOptions {
  lifetime: number
  endian?: 'little' | 'big'
  /** Instructions; default: `POLLS_END`. */
  end?: number
  /** Where runs end, besides at the end. */
  stops?: readonly number[]
  /** Done at each stop. */
  atStop?: (port: PolledPort, machine: TestMachine) => void
}

const POLLS_END = 3000

/** Runs `program` with its device, interpreted and at several heats, which must all do the same. */
function polled(t: Test, program: (at: Assembler) => unknown, options: PollOptions) {
  const { lifetime, stops = [], atStop, end = POLLS_END, ...machineOptions } = options
  const run = (hotEntries: number, lockstep?: LockstepOptions): Outcome & { asked: number; skipped: number } => {
    const machine = testMachine(program, { ...machineOptions, hotEntries, ...(lockstep && { lockstep }) })
    const port = new PolledPort(machine, lifetime)
    for (const stop of stops) {
      machine.runTo(stop)
      atStop?.(port, machine)
    }
    machine.runTo(end)
    const { messages, asked } = port
    const skipped = machine.cpu.statistics['skippedInstructions']!
    return { messages, asked, skipped, registers: machine.cpu.hashRegisters(), memory: machine.cpu.hashMemory() }
  }
  const { asked: none, skipped: _none, ...interpreted } = run(0)
  t.equal(none, 0, 'the interpreter has no use for cells')
  const skips: number[] = []
  const asked = HEATS.map((hotEntries) => {
    const { asked, skipped, ...translated } = run(hotEntries)
    t.same(translated, interpreted, `translated after ${hotEntries} entries`)
    skips.push(skipped)
    return asked
  })
  // The two CPUs of a machine in lockstep ask for cells by themselves.
  const {
    asked: _asked,
    skipped: _skipped,
    ...compared
  } = run(HEATS[0]!, { stride: (icount) => (icount % 7 === 0 ? 50 : 'block') })
  t.same(compared, interpreted, 'in lockstep')
  return { ...interpreted, asked, skips }
}

/** Selects an index, reads the data, keeps a sum of what it was; `read` may have a sign. */
function pollLoop(read: 'lb' | 'lbu'): (at: Assembler) => void {
  return (at) => {
    at.emit('lui', { t: A0, i: DEVICE_BASE >>> 16 }).emit('addiu', { t: T0, i: 0x8a })
    at.label('loop').emit('sb', { s: A0, t: T0, i: 0 }).emit(read, { s: A0, t: T1, i: 1 })
    at.branch('beq', {}, 'loop').emit('addu', { s: T2, t: T1, d: T2 })
  }
}

for (const endian of ['little', 'big'] as const) {
  t.test(`an answer is repeated until its time, ${endian} endian`, async (t) => {
    for (const read of ['lb', 'lbu'] as const) {
      for (const lifetime of [1, 100, 101, NEVER]) {
        const { messages, asked } = polled(t, pollLoop(read), { lifetime, endian })
        t.match(messages[0], '[10]', 'the index is masked')
        if (lifetime < 100) continue
        t.ok(messages.length <= Math.ceil(POLLS_END / lifetime), `${messages.length} messages`)
        for (const count of asked)
          t.ok(count > 0 && count <= 3 * messages.length + 2, `the port was asked ${count} times`)
      }
    }
  })

  t.test(`a register without an index, in words and parts of words, ${endian} endian`, async (t) => {
    for (const read of ['lw', 'lh', 'lhu', 'lb', 'lwl', 'lwr', 'll'] as const) {
      const program = (at: Assembler) => {
        at.emit('lui', { t: A0, i: DEVICE_BASE >>> 16 })
        at.label('loop').emit(read, { s: A0, t: T1, i: 8 })
        at.branch('beq', {}, 'loop').emit('addu', { s: T2, t: T1, d: T2 })
      }
      // Polls are three instructions apart.
      for (const [lifetime, next] of [
        [102, 103],
        [103, 106],
      ] as const) {
        const { messages } = polled(t, program, { lifetime, endian })
        t.same(messages.slice(0, 2), ['1 read 8 [-1]', `${next} read 8 [-1]`])
      }
    }
  })
}

t.test('answers are void after a message to the device', async (t) => {
  const stops = Array.from({ length: 20 }, (_, number) => 100 + 101 * number)
  const { messages } = polled(t, pollLoop('lbu'), { lifetime: NEVER, stops, atStop: (port) => port.void() })
  t.equal(messages.length, 1 + stops.length)
  const program = (at: Assembler) => {
    at.emit('lui', { t: A0, i: DEVICE_BASE >>> 16 })
    at.label('loop').emit('lbu', { s: A0, t: T1, i: 1 }).emit('lbu', { s: A0, t: T2, i: 1 })
    at.emit('addiu', { s: T0, t: T0, i: 1 }).emit('andi', { s: T0, t: T3, i: 15 })
    at.branch('bne', { s: T3, t: 0 }, 'loop').emit('addu', { s: T2, t: T1, d: T2 })
    at.branch('beq', {}, 'loop').emit('sb', { s: A0, t: T0, i: 1 })
  }
  const written = polled(t, program, { lifetime: NEVER })
  t.same(written.messages.slice(0, 4), ['1 read 1 [0]', '98 write 1 = 16', '99 read 1 [0]', '196 write 1 = 32'])
})

/** Writes a plain register over and over. */
function storeLoop(at: Assembler): void {
  at.emit('lui', { t: A0, i: DEVICE_BASE >>> 16 }).emit('addiu', { t: T0, i: 10 })
  at.label('loop').branch('beq', {}, 'store').nop()
  at.label('store').emit('sb', { s: A0, t: T0, i: 8 }).emit('addiu', { s: T0, t: T0, i: 1 })
  at.branch('beq', {}, 'loop').nop()
}

t.test('that a store is a message is asked once', async (t) => {
  const { messages, asked } = polled(t, storeLoop, { lifetime: NEVER })
  t.ok(messages.length > 400)
  t.same(messages.slice(0, 2), ['4 write 8 = 10', '10 write 8 = 11'])
  for (const count of asked) t.ok(count <= 2, `the port was asked ${count} times`)
})

t.test('a store to a register over which RAM is mapped, or an index register, is no message any more', async (t) => {
  const stops = [2 + 6 * 200]
  const ram = polled(t, storeLoop, {
    lifetime: NEVER,
    stops,
    atStop: (_, { cpu }) => cpu.mapMemory(INDEX_PORT, 0x1000, 0x6000, 'ram'),
  })
  t.equal(ram.messages.length, 200)
  const index = polled(t, storeLoop, {
    lifetime: NEVER,
    stops,
    atStop: (port, { cpu }) => {
      port.indexAt = INDEX_PORT + 8
      cpu.forgetPortCells()
    },
  })
  t.equal(index.messages.length, 200)
})

t.test('an answer stands for its index alone', async (t) => {
  const program = (at: Assembler) => {
    at.emit('lui', { t: A0, i: DEVICE_BASE >>> 16 }).emit('addiu', { t: T0, i: 10 })
    // Every 16th time round another index, and its neighbour.
    at.label('loop').emit('sb', { s: A0, t: T0, i: 0 }).emit('lbu', { s: A0, t: T1, i: 1 })
    at.emit('addu', { s: T2, t: T1, d: T2 }).emit('lbu', { s: A0, t: T1, i: 0 }).emit('addu', { s: T2, t: T1, d: T2 })
    at.emit('addiu', { s: T3, t: T3, i: 1 }).emit('andi', { s: T3, t: A1, i: 15 })
    at.branch('bne', { s: A1, t: 0 }, 'loop').nop()
    at.branch('beq', {}, 'loop').emit('xori', { s: T0, t: T0, i: 1 })
  }
  const { messages } = polled(t, program, { lifetime: NEVER })
  t.same(
    messages.slice(0, 3).map((message) => message.slice(-4)),
    ['[10]', '[11]', '[10]'],
  )
})

t.test('time that an idle CPU skips counts', async (t) => {
  const { messages } = polled(t, pollLoop('lbu'), {
    lifetime: 1000,
    stops: [500],
    atStop: (_, { clock, cpu }) => clock.skipTo(cpu.now + 400 * 8, cpu.icount),
  })
  t.same(messages.slice(0, 2), ['3 read 1 [10]', '603 read 1 [10]'])
})

t.test('RAM that is mapped over a polled register is read', async (t) => {
  // The block after the stop, which is looked up anew and so interpreted, has no access.
  const program = (at: Assembler) => {
    at.emit('lui', { t: A0, i: DEVICE_BASE >>> 16 }).emit('addiu', { t: T0, i: 10 })
    at.label('loop').branch('beq', {}, 'poll').nop()
    at.label('poll').emit('sb', { s: A0, t: T0, i: 0 }).emit('lbu', { s: A0, t: T1, i: 1 })
    at.branch('beq', {}, 'loop').emit('addu', { s: T2, t: T1, d: T2 })
  }
  const { messages, registers } = polled(t, program, {
    lifetime: NEVER,
    stops: [2 + 6 * 200],
    atStop: (_, { cpu }) => {
      cpu.writeBacking(0x6000, Uint8Array.of(0, 100))
      cpu.mapMemory(INDEX_PORT, 0x1000, 0x6000, 'ram')
    },
  })
  t.equal(messages.length, 1)
  t.not(registers, polled(t, program, { lifetime: NEVER }).registers)
})

t.test('a register that the kernel polls is not there in user mode', async (t) => {
  const USER = 0x4000
  /** A loop that stores and loads in its own page until it is hot; then the base `moved` is the device's. */
  const user = (moved: number) => {
    const at = new Assembler(USER)
    at.label('loop').emit('sb', { s: A2, t: T0, i: 0x800 }).emit('lbu', { s: A3, t: T1, i: 0x801 })
    at.emit('addiu', { s: T2, t: T2, i: 1 }).emit('slti', { s: T2, t: T3, i: 100 })
    at.emit('movz', { s: A0, t: T3, d: moved })
    at.branch('beq', {}, 'loop').nop()
    return new Uint8Array(Uint32Array.from(at.finish()).buffer)
  }
  for (const hotEntries of [0, ...HEATS]) {
    for (const moved of [A2, A3]) {
      const machine = testMachine(
        (at) => {
          at.constant(A1, USER).emit('mtc0', { t: A1, d: 10 })
          at.emit('addiu', { t: T0, i: ((USER >>> 12) << 6) | 6 }).emit('mtc0', { t: T0, d: 2 })
          at.emit('addiu', { t: T0, i: 1 }).emit('mtc0', { t: T0, d: 3 }).emit('tlbwi')
          at.emit('lui', { t: A0, i: DEVICE_BASE >>> 16 }).emit('addiu', { t: T2, i: 100 })
          at.emit('addiu', { s: A0, t: A0, i: -0x800 })
          at.label('poll').emit('sb', { s: A0, t: T0, i: 0x800 }).emit('lbu', { s: A0, t: T1, i: 0x801 })
          at.emit('addiu', { s: T2, t: T2, i: -1 })
          at.branch('bgtz', { s: T2 }, 'poll').nop()
          at.emit('addu', { s: A1, d: A2 }).emit('addu', { s: A1, d: A3 })
          // User mode, by way of EXL.
          at.constant(T0, 0x2000_0012).emit('mtc0', { t: T0, d: STATUS }).emit('mtc0', { t: A1, d: EPC }).emit('eret')
        },
        { hotEntries, handler: (at) => at.label('stay').branch('beq', {}, 'stay').nop() },
      )
      const port = new PolledPort(machine, NEVER)
      machine.cpu.writeBacking(USER, user(moved))
      machine.runTo(1700)
      const cop0 = (register: number) => machine.cpu.state[(1024 + 32 * register) / 4]! >>> 0
      const how = `${moved === A2 ? 'store' : 'load'}, heat ${hotEntries}`
      t.equal(cop0(EPC), USER + (moved === A2 ? 0 : 4), `EPC of a ${how}`)
      t.equal((cop0(CAUSE) >>> 2) & 0x1f, moved === A2 ? 5 : 4, `an address error of a ${how}`)
      t.equal(machine.gpr(T2), 100, `at the first ${how}`)
      t.equal(port.messages.length, 1)
    }
  }
})

// --- Loops that only wait ---------------------------------------------------------------------------------------------

const WAITS_END = 60_000

/** Waits until bit 0 of the data is 1, then until it is 0, over and over; `inLoop` is done in every round. */
function waiting(inLoop: (at: Assembler) => unknown = () => {}): (at: Assembler) => void {
  return (at) => {
    at.emit('lui', { t: A0, i: DEVICE_BASE >>> 16 }).constant(A1, 0x8000_4000)
    at.emit('addiu', { t: T0, i: 10 }).label('again')
    for (const [label, branch] of [
      ['isZero', 'beq'],
      ['isOne', 'bne'],
    ] as const) {
      at.label(label).emit('sb', { s: A0, t: T0, i: 0 }).emit('lbu', { s: A0, t: T1, i: 1 })
      inLoop(at)
      at.branch(branch, { s: T3, t: 0 }, label).nop()
    }
    at.branch('beq', {}, 'again').emit('addiu', { s: T2, t: T2, i: 1 })
  }
}

const bit = (at: Assembler) => at.emit('andi', { s: T1, t: T3, i: 1 })

t.test('rounds of a loop that only waits are counted, not done', async (t) => {
  for (const lifetime of [4000, 4001, 4002, 4003, 4004, 4005, 7777, NEVER]) {
    const { messages, skips } = polled(t, waiting(bit), { lifetime, end: WAITS_END })
    for (const skipped of skips) t.ok(skipped > WAITS_END / 2, `${skipped} instructions skipped`)
    if (lifetime !== NEVER)
      t.ok(messages.length >= Math.floor(WAITS_END / (lifetime + 12)), `${messages.length} messages`)
  }
})

t.test('the loop may call, and load from memory', async (t) => {
  const program = (at: Assembler) => {
    at.emit('lui', { t: A0, i: DEVICE_BASE >>> 16 }).constant(A1, 0x8000_4000)
    at.branch('beq', {}, 'loop').nop()
    at.label('read').emit('lw', { s: A1, t: A2, i: 0 }).emit('sb', { s: A0, t: T0, i: 0 })
    at.emit('lbu', { s: A0, t: T1, i: 1 }).emit('jr', { s: 31 }).nop()
    at.label('loop')
      .emit('jal', { j: (at.addressOf('read') >>> 2) & 0x3ff_ffff })
      .emit('addiu', { t: T0, i: 10 })
    at.emit('andi', { s: T1, t: T3, i: 1 }).branch('beq', { s: T3, t: 0 }, 'loop').nop()
    at.branch('beq', {}, 'loop').emit('addiu', { s: T2, t: T2, i: 1 })
  }
  const { skips } = polled(t, program, { lifetime: 5000, end: WAITS_END })
  for (const skipped of skips) t.ok(skipped > WAITS_END / 4, `${skipped} instructions skipped`)
})

t.test('interrupted at any place, it goes on where it was', async (t) => {
  const stops = Array.from({ length: 40 }, (_, number) => 20_000 + 1001 * number)
  const { skips } = polled(t, waiting(bit), { lifetime: 4003, end: WAITS_END, stops })
  for (const skipped of skips) t.ok(skipped > WAITS_END / 4)
  polled(t, waiting(bit), { lifetime: NEVER, end: WAITS_END, stops, atStop: (port) => port.void() })
})

t.test('a loop that does anything else is done round by round', async (t) => {
  for (const [what, inLoop] of Object.entries<(at: Assembler) => unknown>({
    'counts its rounds': (at) => bit(at).emit('addiu', { s: A3, t: A3, i: 1 }),
    'stores to memory': (at) => bit(at).emit('sw', { s: A1, t: T2, i: 0 }),
    'changes the index': (at) => bit(at).emit('xori', { s: T0, t: T0, i: 1 }),
    'asks for the time': (at) => bit(at).emit('mfc0', { t: A3, d: 9 }),
  })) {
    const { skips } = polled(t, waiting(inLoop), { lifetime: 4000, end: 20_000 })
    t.same(skips, [0, 0], what)
  }
})

// --- Random programs on a bus ------------------------------------------------------------------------------------------

interface PolledProperties {
  /** The index register is at 0, its data behind it. */
  indexBytes: 1 | 2 | 4
  minBytes: 1 | 2 | 4
  endian: 'little' | 'native'
  /** How many times as long its values stand. */
  slowness?: number
}

/** Registers whose values are a function of time, index, writes and events; most promise what they will be. */
const polledModel: DeviceModel<PolledProperties> = {
  type: 'polled',
  stateVersion: 1,
  regions: ({ indexBytes, minBytes, endian }) => [
    {
      kind: 'registers',
      name: 'regs',
      size: 16,
      minBytes,
      endian,
      indexed: {
        index: { offset: 0, size: indexBytes, mask: 2 ** (8 * indexBytes - 1) - 1, initial: 0 },
        data: { offset: indexBytes, size: indexBytes },
      },
    },
  ],
  inputs: [],
  outputs: [],
  create({ slowness = 1 }) {
    const state = { changes: 0 }
    return {
      reset: (io) => io.timer(io.now + slowness * 1330),
      read(_region, offset, size, io, index = 0) {
        const periodNs = slowness * (270 + 40 * ((index + offset) % 8))
        const period = Math.floor(io.now / periodNs)
        if ((index + offset) % 5 !== 0) io.validUntil((period + 1) * periodNs)
        return ((period + state.changes) * 0x0103_0507 + index * 7 + offset) % 2 ** (8 * size)
      },
      write(_region, _offset, _size, value) {
        state.changes += value % 16
      },
      event(io) {
        state.changes++
        io.timer(io.now + slowness * 1330)
      },
      save: () => ({ ...state }),
      restore: (saved) => Object.assign(state, saved),
    }
  },
}

const DEVICES: Readonly<Record<string, PolledProperties>> = {
  byte: { indexBytes: 1, minBytes: 1, endian: 'little' },
  half: { indexBytes: 2, minBytes: 1, endian: 'little' },
  word: { indexBytes: 4, minBytes: 1, endian: 'little' },
  native: { indexBytes: 4, minBytes: 1, endian: 'native' },
  wide: { indexBytes: 2, minBytes: 2, endian: 'native' },
}
const DEVICE_NAMES = Object.keys(DEVICES)
const RAM_BYTES = 0x1_0000

function polledBoard(endian: 'little' | 'big', slowness: number): Board {
  return {
    name: 'polled',
    cpu: { model: '24Kf', endian },
    nsPerInstruction: 10,
    gridNs: 1000 * slowness,
    hashNs: 1000 * slowness,
    memories: [
      { name: 'ram', size: RAM_BYTES },
      { name: 'boot', size: 0x1000 },
    ],
    devices: DEVICE_NAMES.map((name) => device(name, polledModel, { ...DEVICES[name]!, slowness })),
    wires: [],
    placements: [
      { region: 'ram', space: MEMORY_SPACE, base: 0, mode: 'ram' },
      { region: 'boot', space: MEMORY_SPACE, base: 0x1fc0_0000, mode: 'rom' },
      ...DEVICE_NAMES.map((name, number) => ({
        region: `${name}.regs`,
        space: MEMORY_SPACE,
        base: INDEX_PORT + 16 * number,
        mode: 'registers' as const,
      })),
    ],
    openBus: { from: 0, to: 0 },
    console: DEVICE_NAMES[0]!,
    power: [],
  }
}

const READS = { 1: ['lb', 'lbu'], 2: ['lh', 'lhu'], 4: ['lw', 'lw'] } as const
const WRITES = { 1: 'sb', 2: 'sh', 4: 'sw' } as const

/** A loop without end of random accesses to a few of the devices, many of them polls. */
function randomLoop(random: (below: number) => number): number[] {
  const at = new Assembler(CODE_BASE)
  at.emit('lui', { t: A0, i: DEVICE_BASE >>> 16 }).constant(A1, 0x8000_4000)
  at.emit('addiu', { t: T0, i: 0x0a8a }).emit('addiu', { t: T1, i: 0x1211 })
  const used = [random(DEVICE_NAMES.length), random(DEVICE_NAMES.length)]
  at.label('loop')
  for (let count = 4 + random(12); count > 0; count--) {
    const number = used[random(2)]!
    const { indexBytes } = DEVICES[DEVICE_NAMES[number]!]!
    const size = ([indexBytes, indexBytes, indexBytes, 1, 1, 2, 4] as const)[random(7)]!
    const place = [0, 0, 1, indexBytes, indexBytes, 8, random(16)][random(7)]!
    const i = 16 * number + place - (place % size)
    if (i % 16 < indexBytes ? random(4) !== 0 : random(16) === 0) at.emit(WRITES[size], { s: A0, t: T0 + random(2), i })
    else at.emit(READS[size][random(2)]!, { s: A0, t: T2, i }).emit('addu', { s: T3, t: T2, d: T3 })
    if (random(6) === 0) at.emit('sw', { s: A1, t: T3, i: 4 * random(64) })
    if (random(20) === 0) at.emit('addu', { s: T0, t: T3, d: T0 })
  }
  at.branch('beq', {}, 'loop').emit('xor', { s: T3, t: T2, d: T3 })
  return at.finish()
}

/** A loop without end that selects random indexes, the same ones in every round, and looks at what is there. */
function waitingLoop(random: (below: number) => number): number[] {
  const at = new Assembler(CODE_BASE)
  at.emit('lui', { t: A0, i: DEVICE_BASE >>> 16 })
    .emit('addiu', { t: T0, i: 0x0a8a })
    .emit('addiu', { t: T1, i: 0x1211 })
  at.label('loop')
  for (let count = 1 + random(4); count > 0; count--) {
    const number = random(DEVICE_NAMES.length)
    const { indexBytes } = DEVICES[DEVICE_NAMES[number]!]!
    const place = (offset: number) => ({ s: A0, i: 16 * number + offset })
    if (random(4) !== 0) at.emit(WRITES[indexBytes], { t: T0 + random(2), ...place(0) })
    at.emit(READS[indexBytes][random(2)]!, { t: A1 + random(3), ...place(random(3) === 0 ? 8 : indexBytes) })
  }
  at.branch('beq', {}, 'loop').emit('xor', { s: A1, t: A2, d: T3 })
  return at.finish()
}

const RANDOM_LOOPS = 24
const LOOP_INSTRUCTIONS = 6000

interface LoopOptions {
  instructions?: number
  slowness?: number
  makeCpu?: (options: CpuOptions) => Cpu
  /** Gets the instructions that were skipped. */
  onSkipped?: (instructions: number) => void
}

/** The journal of a loop, and the machine at its end, a line an entry. */
function journalOf(
  code: readonly number[],
  endian: 'little' | 'big',
  tiers: TierOptions,
  slice: number,
  { instructions = LOOP_INSTRUCTIONS, slowness = 1, makeCpu = createCpu, onSkipped }: LoopOptions = {},
): string {
  const log: Message[] = []
  const words = (values: readonly number[]) => {
    const bytes = new Uint8Array(4 * values.length)
    const view = new DataView(bytes.buffer)
    for (const [index, value] of values.entries()) view.setUint32(4 * index, value, endian === 'little')
    return bytes
  }
  const boot = new Assembler(0xbfc0_0000).constant(26, CODE_BASE).emit('jr', { s: 26 }).nop().finish()
  const bus = new LocalBus({
    board: polledBoard(endian, slowness),
    createCpu: ({ board, clock, backingBytes }) =>
      makeCpu({ ...board, clock, backingBytes, tiers: { compiler: new ImmediateCompiler(), ...tiers } }),
    loads: [
      { memory: 'ram', offset: CODE_BASE & 0x1fff_ffff, bytes: words(code) },
      { memory: 'boot', offset: 0, bytes: words(boot) },
    ],
    sink: { append: (message) => log.push(message) },
    sources: [],
  })
  while (bus.icount < instructions) {
    bus.runSlice({ maxInstructions: Math.min(slice, instructions - bus.icount) })
  }
  const { cpu, cpuSide } = bus.machine
  onSkipped?.(cpu.statistics['skippedInstructions']!)
  const end = { registers: cpu.hashRegisters(), memory: cpu.hashMemory(), cpuSide: cpuSide.save() }
  return [...log, end].map((entry) => JSON.stringify(entry)).join('\n')
}

t.test('random polling loops leave the same journal in every tier', async (t) => {
  const seed = Number(process.env['ANANKE_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  t.comment(`seed ${seed}`)
  const next = randomWords(seed)
  const random = (below: number) => (next() >>> 0) % below
  for (let number = 0; number < RANDOM_LOOPS; number++) {
    const code = randomLoop(random)
    const endian = number % 2 === 0 ? 'little' : 'big'
    const interpreted = journalOf(code, endian, { hotEntries: 0 }, LOOP_INSTRUCTIONS)
    const compare = (tiers: TierOptions, slice: number) =>
      t.equal(journalOf(code, endian, tiers, slice), interpreted, `loop ${number}, ${endian}, slices of ${slice}`)
    compare({ hotEntries: 1 + random(5) }, LOOP_INSTRUCTIONS)
    compare({ hotEntries: 30 }, 1 + random(500))
    compare({ hotEntries: 2, compiler: new LateCompiler(random) }, 1 + random(500))
    const compared = journalOf(code, endian, { hotEntries: 2 }, 1 + random(500), {
      makeCpu: (options) => createLockstepCpu(options, { stride: () => 1 + random(200) }),
    })
    t.equal(compared, interpreted, `loop ${number}, ${endian}, in lockstep`)
  }
})

t.test('random loops that only wait leave the same journal, skipped or not', async (t) => {
  const seed = Number(process.env['ANANKE_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  t.comment(`seed ${seed}`)
  const next = randomWords(seed)
  const random = (below: number) => (next() >>> 0) % below
  let skipped = 0
  const options: LoopOptions = {
    instructions: 60_000,
    slowness: 50,
    onSkipped: (instructions) => {
      skipped += instructions
    },
  }
  for (let number = 0; number < RANDOM_LOOPS; number++) {
    const code = waitingLoop(random)
    const endian = number % 2 === 0 ? 'little' : 'big'
    const interpreted = journalOf(code, endian, { hotEntries: 0 }, 60_000, options)
    for (const [hotEntries, slice] of [
      [1, 60_000],
      [1 + random(20), 60_000],
      [2, 1000 + random(5000)],
    ] as const) {
      const translated = journalOf(code, endian, { hotEntries }, slice, options)
      t.equal(translated, interpreted, `loop ${number}, ${endian}, heat ${hotEntries}, slices of ${slice}`)
    }
  }
  t.ok(skipped > 0, `${skipped} instructions skipped`)
})
