import t from 'tap'
import { AddressMap, type MemoryListener } from './address-map.ts'
import { MEMORY_SPACE } from './board.ts'
import { BoardError, findMemory, layoutBoard } from './layout.ts'
import { AT, testBoard } from './testing-board.ts'

function makeMap() {
  const layout = layoutBoard(testBoard())
  const map = new AddressMap(layout)
  const told: string[] = []
  const listener: MemoryListener = {
    mapMemory: (base, length, backing, mode) => told.push(`+${mode} ${hex(base)} ${hex(length)} @${hex(backing)}`),
    unmapMemory: (base, length) => told.push(`-${hex(base)} ${hex(length)}`),
  }
  const name = (device: number) => layout.devices[device]?.name ?? 'board'
  const at = (address: number, space: string = MEMORY_SPACE) => {
    const piece = map.resolve(space, address)
    return piece && `${piece.mode} ${name(piece.device)} ${hex(piece.offset + address - piece.from)}`
  }
  const device = (name: string) => layout.byName.get(name)?.number ?? -1
  return { layout, map, listener, told, at, device }
}

const hex = (value: number) => value.toString(16)
const effect = { kind: 'map', region: 0, space: MEMORY_SPACE, offset: 0 } as const

t.test('placements, windows and holes', async (t) => {
  const { at } = makeMap()
  t.equal(at(AT.ram + 0x123), 'ram board 123')
  t.equal(at(AT.ram + AT.ramBytes), undefined)
  t.equal(at(AT.rom + 4), 'rom board 4')
  t.equal(at(AT.flash + 8), 'rom flash 8')
  t.equal(at(AT.ticker + 0x14), 'registers tick1 4')
  t.equal(at(AT.gate), 'registers gate 0')
  t.equal(at(0x100, 'io'), 'registers gate 0')
  t.equal(at(AT.io + 0x800), undefined)
  t.equal(at(0, 'nowhere'), undefined)
})

t.test('the listener hears whole pages and only what changes', async (t) => {
  const { map, listener, told, device } = makeMap()
  map.listen(listener)
  t.same(told, ['+ram 0 10000 @0', '+rom 20000 2000 @13000', '+rom 30000 1000 @10000', '+ram 51000 1000 @12000'])
  told.length = 0
  map.map(device('flash'), { ...effect, base: AT.flash, length: 8192, mode: 'registers' })
  t.same(told, ['-20000 2000'])
  told.length = 0
  map.map(device('flash'), { ...effect, base: AT.flash, length: 8192, mode: 'rom' })
  t.same(told, ['+rom 20000 2000 @13000'])
  told.length = 0
  // Registers laid over the middle of RAM take just their page.
  map.map(device('gate'), { ...effect, base: 0x5010, length: 4, mode: 'registers' })
  t.same(told, ['-5000 1000'])
  told.length = 0
  map.reset()
  t.same(told, ['+ram 5000 1000 @5000'])
})

t.test('a map moves a region, keeps its place in the order, and is per space', async (t) => {
  const { map, at, device } = makeMap()
  const gate = device('gate')
  map.map(gate, { ...effect, base: 0x1000, length: 4, mode: 'registers' })
  t.equal(at(0x1000), 'registers gate 0', 'over RAM: it was not placed in this space')
  t.equal(at(AT.gate), 'registers gate 0', 'the placement in the other space stays')
  map.map(gate, { ...effect, base: 0x2000, length: 4, mode: 'registers' })
  t.equal(at(0x1000), 'ram board 1000')
  map.map(gate, { ...effect, base: 0, length: 4, mode: 'off' })
  t.equal(at(0x2000), 'ram board 2000')
  // Flash lies under the copier's registers in the board's order, and stays under when it moves there.
  map.map(device('flash'), { ...effect, base: AT.copier, length: 8192, mode: 'rom' })
  t.equal(at(AT.copier), 'registers copier 0')
  t.equal(at(AT.copier + 0x20), 'rom flash 20')
  t.equal(at(AT.flash), undefined)
  map.map(device('flash'), { ...effect, base: 0x28000, length: 0x100, offset: 0x40, mode: 'rom' })
  t.equal(at(0x28000), 'rom flash 40')
  t.equal(at(0x28100), undefined)
})

t.test('the order of devices that were mapped does not depend on which came first', async (t) => {
  const one = makeMap()
  const other = makeMap()
  const map = { ...effect, base: 0x1000, length: 4, mode: 'registers' } as const
  one.map.map(one.device('gate'), map)
  one.map.map(one.device('power'), map)
  other.map.map(other.device('power'), map)
  other.map.map(other.device('gate'), map)
  t.equal(one.at(0x1000), other.at(0x1000))
  t.same(one.map.save(), other.map.save())
})

t.test('a moved window moves what it shows; state goes round', async (t) => {
  const { map, at, device } = makeMap()
  map.map(device('flash'), { ...effect, region: 1, base: 0xa0000, length: 0x200, offset: 0x100, mode: 'registers' })
  t.equal(at(0xa0000), 'registers gate 0')
  t.equal(at(0xa0100), 'registers cells 0')
  t.equal(at(AT.gate), undefined)
  const other = makeMap()
  other.map.restore(map.save())
  t.equal(other.at(0xa0100), 'registers cells 0')
  const foreign = map.save().map((placed) => ({ ...placed, device: 'other' }))
  t.throws(() => other.map.restore(foreign), { name: 'StateError' })
})

t.test('boards that contradict themselves', async (t) => {
  const board = testBoard()
  const bad = (change: Partial<typeof board>, message: RegExp) => {
    t.throws(() => new AddressMap(layoutBoard({ ...board, ...change })), message)
    t.throws(() => new AddressMap(layoutBoard({ ...board, ...change })), BoardError)
  }
  bad({ console: 'none' }, /no device none/)
  bad({ devices: [...board.devices, ...board.devices] }, /is so twice/)
  bad({ wires: [{ from: 'tick0.irq', to: 'gate.in9' }] }, /no input gate.in9/)
  bad({ wires: [{ from: 'tick0.none', to: 'gate.in0' }] }, /no output tick0.none/)
  bad({ placements: [{ region: 'gate.none', space: 'io', base: 0, mode: 'registers' }] }, /gate.none/)
  bad({ placements: [{ region: 'gate.regs', space: 'io', base: 0, mode: 'ram' }] }, /is no memory/)
  bad({ placements: [{ region: 'ram', space: 'io', base: 0, mode: 'ram', length: 0x20000 }] }, /beyond/)
  const circle = { region: 'flash.window', space: 'io', base: 0, mode: 'registers' } as const
  bad({ placements: [...board.placements, circle] }, /circle/)
  const layout = layoutBoard(board)
  t.same(findMemory(layout, 'rom'), { offset: 0x10000, size: 4096 })
  t.same(findMemory(layout, 'copier.buffer'), { offset: 0x12000, size: 4096 })
  t.throws(() => findMemory(layout, 'gate.regs'), BoardError)
})
