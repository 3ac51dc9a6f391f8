import t from 'tap'
import { Clock } from './clock.ts'
import { BUS_ERROR } from './cpu.ts'
import { CpuSide, type Exchange } from './cpu-side.ts'
import { buildMachine } from './machine.ts'
import { type Data, NEVER, SYSTEM_MEMORY } from './message.ts'
import { type ScriptedCpu, scriptedCpu } from './scripted-cpu.ts'
import { AT, TEST_LOADS, testBoard } from './testing-board.ts'

/** A CPU side whose devices answer what `answers` gives, with what it asked them. */
function makeSide(endian: 'little' | 'big' = 'little', answer: Partial<Data> = {}) {
  const asked: string[] = []
  let cpu: ScriptedCpu | undefined
  const data: Data = { kind: 'data', value: 0x44332211, validUntil: 0, ...answer }
  const exchange: Exchange = ({ name, number }, payload) => {
    const value = payload.kind === 'write' ? ` = ${payload.value.toString(16)}` : ''
    const index = payload.index === undefined ? '' : ` [${payload.index}]`
    asked.push(`${payload.kind} ${name} ${payload.region}+${payload.offset}/${payload.size}${index}${value}`)
    machine.cpuSide.delivered(number)
    if (payload.kind === 'write') return 0
    const fits = { ...data, value: data.value % 2 ** (8 * payload.size) }
    machine.cpuSide.answered(number, payload, fits)
    return fits.value
  }
  const create = scriptedCpu({}, (made) => {
    cpu = made
  })
  const machine = buildMachine(testBoard(endian), create, exchange)
  machine.load(TEST_LOADS)
  machine.resetCpu()
  return { side: machine.cpuSide, machine, cpu: cpu as ScriptedCpu, asked, data }
}

t.test('accesses as the device wants them, little endian', async (t) => {
  const { side, asked } = makeSide()
  t.equal(side.read(AT.copier + 4, 4), 0x44332211)
  t.equal(side.read(AT.copier + 4, 2), 0x2211)
  t.equal(side.read(AT.terminal, 4), 0x44332211)
  t.equal(side.read(AT.terminal + 1, 1), 0x22, 'widened, and its lane taken')
  t.equal(side.read(AT.terminal + 6, 2), 0x4433)
  side.write(AT.terminal + 2, 1, 0x5a)
  t.equal(side.read(AT.copier + 1, 2), 0x1111, 'unaligned: two bytes, each answered 11')
  t.same(asked, [
    'read copier 0+4/4',
    'read copier 0+4/2',
    'read terminal 0+0/4',
    'read terminal 0+0/4',
    'read terminal 0+4/4',
    'write terminal 0+0/4 = 5a0000',
    'read copier 0+1/1',
    'read copier 0+2/1',
  ])
})

t.test('the same, big endian', async (t) => {
  const { side, asked } = makeSide('big')
  t.equal(side.read(AT.copier + 4, 4), 0x11223344, 'a little region: the lowest address is least significant')
  t.equal(side.read(AT.terminal, 4), 0x44332211, 'a native one: the same value')
  t.equal(side.read(AT.terminal + 1, 1), 0x33)
  side.write(AT.terminal + 2, 1, 0x5a)
  side.write(AT.copier + 4, 4, 0x01020304)
  side.write(AT.copier + 4, 2, 0x0102)
  side.write(AT.cells, 2, 0x0607)
  t.same(asked.slice(3), [
    'write terminal 0+0/4 = 5a00',
    'write copier 0+4/4 = 4030201',
    'write copier 0+4/2 = 201',
    'write cells 0+1/1 [6] = 7',
  ])
})

t.test('index registers stay on the CPU side, their value goes along', async (t) => {
  const { side, asked } = makeSide()
  t.equal(side.read(AT.cells, 1), 3, 'the initial value')
  side.write(AT.cells, 1, 0x89)
  t.equal(side.read(AT.cells, 1), 9, 'masked')
  side.read(AT.cells + 1, 1)
  side.write(AT.cells, 2, 0x7704)
  t.equal(side.read(AT.cells, 2), 0x1104)
  t.same(asked, ['read cells 0+1/1 [9]', 'write cells 0+1/1 [4] = 77', 'read cells 0+1/1 [4]'])
  side.resetIndexes(4)
  t.equal(side.read(AT.cells, 1), 3, 'a reset of the device resets its index')
})

t.test('answers are kept until their time, or the next message', async (t) => {
  const { side, asked, cpu, data } = makeSide('little', { validUntil: 1000 })
  side.read(AT.ticker + 4, 4)
  side.read(AT.ticker + 4, 4)
  t.equal(asked.length, 1)
  side.read(AT.ticker + 4, 2)
  t.equal(asked.length, 2, 'another width is another read')
  side.read(AT.ticker + 4, 4)
  t.equal(asked.length, 3, 'and was a message, so the first answer is void')
  cpu.icount = 99
  side.read(AT.ticker + 4, 4)
  t.equal(asked.length, 3)
  cpu.icount = 100
  side.read(AT.ticker + 4, 4)
  t.equal(asked.length, 4, 'its time has come')
  data.validUntil = NEVER
  side.read(AT.ticker + 4, 4)
  side.read(AT.ticker + 0x14, 4)
  cpu.icount = 1e9
  side.read(AT.ticker + 4, 4)
  t.equal(asked.length, 6, 'another device is no matter')
  side.delivered(0)
  side.read(AT.ticker + 4, 4)
  t.equal(asked.length, 7)
})

t.test('an answer is kept for its index', async (t) => {
  const { side, asked } = makeSide('little', { validUntil: NEVER })
  const readCell = (index: number) => {
    side.write(AT.cells, 1, index)
    return side.read(AT.cells + 1, 1)
  }
  readCell(10)
  readCell(10)
  t.equal(asked.length, 1)
  readCell(11)
  readCell(10)
  t.same(asked.slice(1), ['read cells 0+1/1 [11]', 'read cells 0+1/1 [10]'])
})

t.test('cells: the accesses that take no message', async (t) => {
  for (const endian of ['little', 'big'] as const) {
    const { side, cpu, asked, data } = makeSide(endian, { validUntil: 1000 })
    t.same(side.cell(AT.cells, 1), { kind: 'index', word: 0, mask: 0x7f })
    t.equal(cpu.portWords[0], 3, 'the index register is that word')
    side.write(AT.cells, 1, 0x89)
    t.equal(cpu.portWords[0], 9)
    cpu.portWords[0] = 12
    t.equal(side.read(AT.cells, 1), 12)
    t.equal(side.cell(AT.cells + 1, 1), undefined, 'nothing is kept yet')
    side.read(AT.cells + 1, 1)
    t.same(asked, ['read cells 0+1/1 [12]'])
    const cell = { kind: 'kept', value: 0x11, until: 1000, word: 0, index: 12 }
    t.same(side.cell(AT.cells + 1, 1), cell)
    cpu.portWords[0] = 13
    t.equal(side.cell(AT.cells + 1, 1), undefined, 'of another index')
    cpu.portWords[0] = 12
    cpu.icount = 99
    t.same(side.cell(AT.cells + 1, 1), cell)
    cpu.icount = 100
    t.equal(side.cell(AT.cells + 1, 1), undefined, 'its time has come')
    data.validUntil = NEVER
    side.read(AT.ticker + 4, 4)
    const value = endian === 'little' ? 0x44332211 : 0x11223344
    t.same(side.cell(AT.ticker + 4, 4), { kind: 'kept', value, until: NEVER, word: -1, index: -1 })
    t.equal(side.cell(AT.ticker + 4, 2), undefined, 'another width is another read')
    side.read(AT.terminal + 1, 1)
    t.match(side.cell(AT.terminal + 1, 1), { value: endian === 'little' ? 0x22 : 0x33 }, 'the lane of a widened part')
    t.equal(side.cell(AT.terminal + 3, 2), undefined, 'two parts')
    for (const address of [AT.halfPage, AT.rom, AT.open, AT.nothing]) t.equal(side.cell(address, 4), undefined)
  }
})

t.test('the CPU forgets cells whenever one may no longer hold', async (t) => {
  const { side, cpu } = makeSide('little', { validUntil: NEVER })
  const forgets = (what: string, act: () => void, all: boolean) => {
    const before = { port: cpu.portCellsForgotten, kept: cpu.keptCellsForgotten }
    act()
    t.ok(cpu.keptCellsForgotten > before.kept, what)
    t.equal(cpu.portCellsForgotten > before.port, all, all ? 'and all cells' : 'and no others')
  }
  const answer = () =>
    side.answered(0, { kind: 'read', region: 0, offset: 4, size: 4 }, { kind: 'data', value: 1, validUntil: NEVER })
  answer()
  forgets('a message to a device with an answer that is kept', () => side.delivered(0), false)
  const delivered = cpu.keptCellsForgotten
  side.delivered(0)
  answer()
  t.equal(cpu.keptCellsForgotten, delivered, 'without such an answer there is nothing to forget')
  forgets('another answer in its place', answer, false)
  forgets('a reset', () => side.reset(), true)
  forgets(
    'a changed map',
    () => side.mapRegion(0, { kind: 'map', region: 0, space: 'io', base: 0, length: 16, offset: 0, mode: 'off' }),
    true,
  )
  const saved = side.save()
  forgets('a restored state', () => side.restore(saved), true)
  const before = cpu.keptCellsForgotten
  side.write(AT.cells, 1, 5)
  side.read(AT.cells, 1)
  t.equal(cpu.keptCellsForgotten, before, 'what takes no message voids none')
})

t.test('memory, ROMs, open bus and bus errors', async (t) => {
  const { side, machine, asked } = makeSide()
  side.write(AT.halfPage + 4, 4, 0x11223344)
  t.equal(side.read(AT.halfPage + 5, 2), 0x2233)
  t.equal(side.read(AT.rom, 4), 0x44332211)
  t.equal(side.write(AT.rom, 4, 0), true)
  t.equal(side.read(AT.rom, 4), 0x44332211, 'a ROM of the board loses writes')
  side.write(AT.flash + 6, 2, 0xbeef)
  t.same(asked, ['write flash 0+6/2 = beef'])
  t.equal(side.read(AT.flash, 1), 0x51)
  t.equal(side.read(AT.open, 4), 0)
  t.equal(side.write(AT.open, 4, 1), true)
  t.equal(side.read(AT.nothing, 4), BUS_ERROR)
  t.equal(side.write(AT.nothing, 1, 1), false)
  t.equal(side.read(AT.halfPage + 0x7fe, 4), BUS_ERROR, 'half of it is nowhere')
  const big = makeSide('big')
  big.side.write(AT.halfPage + 4, 4, 0x11223344)
  t.equal(big.side.read(AT.halfPage + 5, 2), 0x2233)
  t.same([...machine.cpu.readBacking(0x100, 4)], [1, 2, 3, 4], 'loaded bytes')
})

t.test('memory mapped as registers is read by messages', async (t) => {
  const { side, asked } = makeSide()
  side.mapRegion(6, {
    kind: 'map',
    region: 0,
    space: 'memory',
    base: AT.flash,
    length: 8192,
    offset: 0,
    mode: 'registers',
  })
  t.equal(side.read(AT.flash + 4, 4), 0x44332211)
  t.same(asked, ['read flash 0+4/4'])
})

t.test('DMA', async (t) => {
  const { side, machine } = makeSide()
  side.dmaWrite(3, SYSTEM_MEMORY, AT.halfPage + 0x7fe, Uint8Array.of(1, 2, 3, 4))
  t.same([...side.dmaRead(3, SYSTEM_MEMORY, AT.halfPage + 0x7fd, 5)], [0, 1, 2, 0, 0], 'past memory: lost, read as 0')
  side.dmaWrite(3, SYSTEM_MEMORY, AT.rom, Uint8Array.of(9))
  t.same([...side.dmaRead(3, SYSTEM_MEMORY, AT.rom, 2)], [0x11, 0x22])
  side.dmaWrite(3, 1, 8, Uint8Array.of(7))
  t.equal(side.read(AT.buffer + 8, 1), 7, 'its own memory')
  const bytes = side.dmaRead(3, 1, 8, 1)
  machine.cpu.writeBacking(0x12008, Uint8Array.of(99))
  t.same([...bytes], [7], 'a copy')
  t.throws(() => side.dmaWrite(3, 0, 0, Uint8Array.of(7)), /no memory region/)
  t.throws(() => side.dmaRead(3, 1, 4095, 2), /beyond/)
})

t.test('state goes round', async (t) => {
  const { side, cpu } = makeSide('little', { validUntil: 500 })
  side.write(AT.cells, 1, 9)
  side.read(AT.cells + 1, 1)
  side.setLine(2, 1)
  side.mapRegion(6, { kind: 'map', region: 0, space: 'memory', base: AT.flash, length: 8192, offset: 0, mode: 'off' })
  const saved = JSON.parse(JSON.stringify(side.save()))
  const other = makeSide()
  other.side.restore(saved)
  t.same(other.side.save(), saved)
  t.equal(other.side.read(AT.cells, 1), 9)
  t.equal(other.side.read(AT.cells + 1, 1), 0x11)
  t.same(other.asked, [], 'the kept answer came along')
  t.equal(other.side.read(AT.flash, 1), BUS_ERROR)
  t.throws(() => other.side.restore({ ...saved, indexes: { 'no.ports': 1 } }), { name: 'StateError' })
  cpu.setLine(2, 0)
  side.reset()
  t.equal(cpu.lines.get(2), 1, 'a reset leaves the levels at the pins')
})

t.test('a CPU side needs nothing but a layout, a clock and a CPU', async (t) => {
  const { machine, cpu } = makeSide()
  const side = new CpuSide(machine.layout, new Clock(10, 1000, 1000), cpu, [], () => 5)
  t.equal(side.read(AT.copier, 4), 5)
})
