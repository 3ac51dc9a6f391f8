/**
 * A board of small devices that between them do all that a device can do to a bus. Tests import this file; nothing else
 * does.
 */
import { type Board, device, MEMORY_SPACE } from './board.ts'
import type { Device, DeviceIo, DeviceModel, DeviceState, Region, Sequence } from './device.ts'
import { NEVER, SYSTEM_MEMORY } from './message.ts'

/** A model whose state is `initial`, numbers by name. */
function model(
  type: string,
  regions: readonly Region[],
  wires: { inputs?: string[]; outputs?: string[] },
  initial: Record<string, number>,
  make: (state: Record<string, number>) => Omit<Device, 'save' | 'restore'>,
): DeviceModel<object> {
  return {
    type,
    stateVersion: 1,
    regions: () => regions,
    inputs: wires.inputs ?? [],
    outputs: wires.outputs ?? [],
    create() {
      const state = { ...initial }
      return {
        ...make(state),
        save: () => ({ ...state }),
        restore: (saved: DeviceState) => Object.assign(state, saved),
      }
    },
  }
}

/** A register of a test device's state: every name has a value from the start. */
function get(state: Record<string, number>, name: string): number {
  return state[name] ?? 0
}

/** Writing 0: period in ns (0: off). Reading 4: ticks, the same until the next one. Writing 8: `irq` down. */
const ticker = model(
  'ticker',
  [{ kind: 'registers', name: 'regs', size: 16, endian: 'little' }],
  { outputs: ['irq'] },
  { period: 0, ticks: 0, next: NEVER },
  (state) => ({
    reset(io) {
      Object.assign(state, { period: 0, ticks: 0, next: NEVER })
      io.timer(NEVER)
      io.line('irq', 0)
    },
    read(_region, _offset, _size, io) {
      io.validUntil(get(state, 'next'))
      return get(state, 'ticks')
    },
    write(_region, offset, _size, value, io) {
      if (offset === 8) io.line('irq', 0)
      if (offset !== 0) return
      state['period'] = value
      state['next'] = value === 0 ? NEVER : io.now + value
      io.timer(get(state, 'next'))
    },
    event(io) {
      state['ticks'] = get(state, 'ticks') + 1
      state['next'] = io.now + get(state, 'period')
      io.line('irq', 1)
      io.timer(get(state, 'next'))
    },
  }),
)

/** Passes its four inputs, ORed, on to `out`; counts changes. Reading 0: the levels. */
const gate = model(
  'gate',
  [{ kind: 'registers', name: 'regs', size: 4, endian: 'little' }],
  { inputs: ['in0', 'in1', 'in2', 'in3'], outputs: ['out'] },
  { levels: 0, changes: 0 },
  (state) => ({
    reset(io) {
      state['levels'] = 0
      io.line('out', 0)
    },
    read: () => get(state, 'levels'),
    write() {},
    line(wire, level, io) {
      const bit = 1 << wire
      state['levels'] = level === 1 ? get(state, 'levels') | bit : get(state, 'levels') & ~bit
      state['changes'] = get(state, 'changes') + 1
      io.line('out', get(state, 'levels') !== 0)
    },
  }),
)

/**
 * Writing 0: source address. Writing 4: copies that many bytes of guest memory behind themselves and into its own memory
 * from 0, and raises `done` for a moment. Reading 0: the sum of the bytes copied last. Reading 8: the gate's levels.
 */
const copier = model(
  'copier',
  [
    { kind: 'registers', name: 'regs', size: 16, endian: 'little' },
    { kind: 'memory', name: 'buffer', size: 4096 },
  ],
  { outputs: ['done'] },
  { source: 0, sum: 0 },
  (state) => ({
    reset(io) {
      io.line('done', 0)
    },
    *read(_region, offset): Sequence<number> {
      if (offset === 0) return get(state, 'sum')
      const access = { kind: 'read', region: 0, offset: 0, size: 4 } as const
      return (yield { request: 'access', dst: 'gate', access }) as number
    },
    *write(_region, offset, _size, value, io): Sequence<void> {
      if (offset === 0) {
        state['source'] = value
        return
      }
      io.line('done', 1)
      const address = get(state, 'source')
      const read = yield { request: 'dmaRead', target: SYSTEM_MEMORY, address, length: value }
      const bytes = read as Uint8Array
      yield { request: 'dmaWrite', target: SYSTEM_MEMORY, address: address + value, bytes }
      yield { request: 'dmaWrite', target: 1, address: 0, bytes }
      state['sum'] = bytes.reduce((sum, byte) => (sum + byte) % 65536, 0)
      io.line('done', 0)
    },
  }),
)

/** An index/data pair at 0 and 1: cell `index`, written and read. Cell 5 counts its reads; the others keep. */
const cells = model(
  'cells',
  [
    {
      kind: 'registers',
      name: 'ports',
      size: 2,
      maxBytes: 1,
      endian: 'little',
      indexed: { index: { offset: 0, size: 1, mask: 0x7f, initial: 3 }, data: { offset: 1, size: 1 } },
    },
  ],
  {},
  {},
  (state) => ({
    reset() {},
    read(_region, _offset, _size, io, index) {
      if (index !== 5) io.validUntil(NEVER)
      else state['cell5'] = get(state, 'cell5') + 1
      return get(state, `cell${index}`) & 0xff
    },
    write(_region, _offset, _size, value, _io, index) {
      state[`cell${index}`] = value
    },
  }),
)

/** Of the disk of a `diskBoard`: it ends amid a block. */
export const DISK_BYTES = 0x5200

/** Prints what is written to 0, and gives what was typed; `irq` while there is some. */
const terminal = model(
  'terminal',
  [{ kind: 'registers', name: 'regs', size: 8, minBytes: 4, endian: 'native' }],
  { outputs: ['irq'] },
  { typed: 0, count: 0 },
  (state) => ({
    reset(io) {
      io.line('irq', 0)
    },
    read(_region, _offset, _size, io) {
      io.line('irq', 0)
      return get(state, 'typed')
    },
    write(_region, _offset, _size, value, io) {
      io.output(Uint8Array.of(value & 0xff))
    },
    input(bytes, io) {
      state['typed'] = bytes[0] ?? 0
      state['count'] = get(state, 'count') + bytes.length
      io.line('irq', 1)
    },
  }),
)

/** Flash: memory whose writes are messages. Writing maps it as registers (even value) or ROM (odd). Reads as 0xaa. */
const flash = model(
  'flash',
  [
    { kind: 'memory', name: 'array', size: 8192 },
    { kind: 'window', name: 'window', size: 0x1000, space: 'io' },
  ],
  {},
  {},
  () => ({
    reset() {},
    read: () => 0xaa,
    write(_region, _offset, _size, value, io: DeviceIo) {
      io.map(0, MEMORY_SPACE, 0x20000, value % 2 === 0 ? 'registers' : 'rom')
    },
  }),
)

/** Writing 0: power off (0) or reset (1). */
const power = model(
  'power',
  [{ kind: 'registers', name: 'regs', size: 4, endian: 'little' }],
  {},
  { writes: 0 },
  (state) => ({
    reset() {},
    read: () => get(state, 'writes'),
    write(_region, _offset, _size, value, io) {
      state['writes'] = get(state, 'writes') + 1
      io.output(Buffer.from(value === 0 ? 'off' : 'reset'))
    },
  }),
)

/**
 * Writing 0: a place on the disk; 4: an address in guest memory. Writing 8, 12: that many bytes go from the disk to memory, or from
 * memory to the disk. Reading 0: the sum of the disk's bytes there, 100 of them.
 */
const disk = model(
  'disk',
  [
    { kind: 'registers', name: 'regs', size: 16, endian: 'little' },
    { kind: 'storage', name: 'disk', size: DISK_BYTES },
  ],
  {},
  { place: 0, address: 0 },
  (state) => ({
    reset() {},
    *read(): Sequence<number> {
      const read = yield { request: 'dmaRead', target: 1, address: get(state, 'place'), length: 100 }
      return (read as Uint8Array).reduce((sum, byte) => sum + byte, 0)
    },
    *write(_region, offset, _size, value): Sequence<void> {
      if (offset === 0) state['place'] = value
      if (offset === 4) state['address'] = value
      const onDisk = get(state, 'place')
      const inMemory = get(state, 'address')
      const memory = SYSTEM_MEMORY
      if (offset === 8) {
        yield { request: 'dmaCopy', from: 1, fromAddress: onDisk, to: memory, toAddress: inMemory, length: value }
      }
      if (offset === 12) {
        yield { request: 'dmaCopy', from: memory, fromAddress: inMemory, to: 1, toAddress: onDisk, length: value }
      }
    },
  }),
)

/** Where things stand in the CPU's space. `io` is the window into the space of the ticker, the gate and the cells. */
export const AT = {
  ram: 0,
  ramBytes: 0x10000,
  halfPage: 0x1f000,
  flash: 0x20000,
  rom: 0x30000,
  io: 0x40000,
  ticker: 0x40000,
  gate: 0x40100,
  cells: 0x40200,
  copier: 0x50000,
  buffer: 0x51000,
  terminal: 0x60000,
  power: 0x70000,
  open: 0x80000,
  nothing: 0x90000,
  disk: 0xa0000,
} as const

export const TEST_LOADS = [
  { memory: 'ram', offset: 0x100, bytes: Uint8Array.of(1, 2, 3, 4) },
  { memory: 'rom', offset: 0, bytes: Uint8Array.of(0x11, 0x22, 0x33, 0x44) },
  { memory: 'flash.array', offset: 0, bytes: Uint8Array.of(0x51, 0x52, 0x53, 0x54) },
]

/** 10 ns an instruction; a grid point every 1000 ns, 100 instructions, and a hash at each unless `hashNs` says otherwise. */
export function testBoard(endian: 'little' | 'big' = 'little', hashNs = 1000): Board {
  const registers = (region: string, space: string, base: number) =>
    ({ region, space, base, mode: 'registers' }) as const
  return {
    name: 'test',
    cpu: { model: 'scripted', endian },
    nsPerInstruction: 10,
    gridNs: 1000,
    hashNs,
    memories: [
      { name: 'ram', size: AT.ramBytes },
      { name: 'rom', size: 4096 },
      { name: 'half', size: 0x800 },
    ],
    devices: [
      device('tick0', ticker, {}),
      device('tick1', ticker, {}),
      device('gate', gate, {}),
      device('copier', copier, {}),
      device('cells', cells, {}),
      device('terminal', terminal, {}),
      device('flash', flash, {}),
      device('power', power, {}),
    ],
    wires: [
      { from: 'tick0.irq', to: 'gate.in0' },
      { from: 'tick1.irq', to: 'gate.in1' },
      { from: 'copier.done', to: 'gate.in2' },
      { from: 'copier.done', to: 'cpu.3' },
      { from: 'terminal.irq', to: 'gate.in3' },
      { from: 'gate.out', to: 'cpu.2' },
    ],
    placements: [
      { region: 'ram', space: MEMORY_SPACE, base: AT.ram, mode: 'ram' },
      { region: 'half', space: MEMORY_SPACE, base: AT.halfPage, mode: 'ram' },
      { region: 'flash.array', space: MEMORY_SPACE, base: AT.flash, mode: 'rom' },
      { region: 'rom', space: MEMORY_SPACE, base: AT.rom, mode: 'rom' },
      registers('flash.window', MEMORY_SPACE, AT.io),
      registers('tick0.regs', 'io', AT.ticker - AT.io),
      registers('tick1.regs', 'io', AT.ticker - AT.io + 0x10),
      registers('gate.regs', 'io', AT.gate - AT.io),
      registers('cells.ports', 'io', AT.cells - AT.io),
      registers('copier.regs', MEMORY_SPACE, AT.copier),
      { region: 'copier.buffer', space: MEMORY_SPACE, base: AT.buffer, mode: 'ram' },
      registers('terminal.regs', MEMORY_SPACE, AT.terminal),
      registers('power.regs', MEMORY_SPACE, AT.power),
    ],
    openBus: { from: AT.open, to: AT.open + 0x1000 },
    console: 'terminal',
    power: ['power'],
  }
}

/** What is on the disk of a `diskBoard`: less than it has room for. */
const diskBytes = Uint8Array.from({ length: DISK_BYTES - 1000 }, (_, i) => (i + (i >> 8)) % 251)

/** Of a `diskBoard`. */
export const DISK_LOADS = [
  ...TEST_LOADS,
  {
    storage: 'disk.disk',
    image: {
      bytes: diskBytes.length,
      read: (offset: number, into: Uint8Array) => into.set(diskBytes.subarray(offset, offset + into.length)),
    },
  },
]

/** The same with a `disk`. */
export function diskBoard(): Board {
  const board = testBoard()
  return {
    ...board,
    devices: [...board.devices, device('disk', disk, {})],
    placements: [...board.placements, { region: 'disk.regs', space: MEMORY_SPACE, base: AT.disk, mode: 'registers' }],
  }
}
