/**
 * What checkpoints are made from: a CPU tells which pages were written, whoever wrote to them, and another that is given the
 * saved state and those pages goes on as it would have.
 */
import t from 'tap'
import { ImmediateCompiler, LateCompiler } from './mod.ts'
import { busyProgram, CODE_BASE, position, type TestMachine, testMachine } from './test-machine.ts'

const PAGE_BYTES = 4096
const CODE_PAGE = (CODE_BASE & 0x1fff_ffff) / PAGE_BYTES
/** `busyProgram` stores there. */
const DATA_PAGE = 4

const machines: [string, () => TestMachine][] = [
  ['interpreted', () => testMachine((at) => busyProgram(at, 400), { hotEntries: 0 })],
  ['translated', () => testMachine((at) => busyProgram(at, 400), { hotEntries: 2, compiler: new ImmediateCompiler() })],
  ['late', () => testMachine((at) => busyProgram(at, 400), { hotEntries: 2, compiler: new LateCompiler(() => 1) })],
]

for (const [how, make] of machines) {
  t.test(`pages that are written, ${how}`, async (t) => {
    const machine = make()
    const since = () => [...machine.cpu.takeWrittenPages()]
    t.ok(since().includes(CODE_PAGE), 'what was loaded')
    t.same(since(), [])
    machine.runTo(1000)
    t.same(since(), [DATA_PAGE], 'the guest stores')
    machine.runTo(2000)
    t.same(since(), [DATA_PAGE], 'and again')
    machine.cpu.writeBacking(5 * PAGE_BYTES - 2, Uint8Array.of(1, 2, 3, 4))
    t.same(since(), [4, 5], 'DMA across pages')
    machine.runTo(3000)
    machine.cpu.hashMemory()
    machine.cpu.writeBacking(7 * PAGE_BYTES, Uint8Array.of(1))
    machine.cpu.hashMemory()
    machine.runTo(4000)
    t.same(since(), [DATA_PAGE, 7], 'hashes between change nothing')
    t.same(since(), [])
  })

  t.test(`a CPU that takes over, ${how}`, async (t) => {
    const machine = make()
    machine.cpu.takeWrittenPages()
    machine.runTo(1500)
    const pages = machine.cpu.takeWrittenPages()
    const bytes = new Uint8Array(PAGE_BYTES * pages.length)
    machine.cpu.copyPages(pages, bytes)
    const saved = structuredClone(machine.cpu.save())

    const other = make()
    other.runTo(700)
    for (const [index, page] of pages.entries()) {
      other.cpu.writeBacking(page * PAGE_BYTES, bytes.subarray(PAGE_BYTES * index, PAGE_BYTES * (index + 1)))
    }
    other.cpu.restore(saved)
    t.equal(position(other), position(machine))
    for (const icount of [1501, 1800, 2500]) {
      machine.runTo(icount)
      other.runTo(icount)
      t.equal(other.cpu.hashRegisters(), machine.cpu.hashRegisters())
      t.same(other.cpu.hashMemory(), machine.cpu.hashMemory())
      t.same(other.cpu.save(), machine.cpu.save())
    }
    t.throws(() => machine.cpu.copyPages(Uint32Array.of(1e6), new Uint8Array(PAGE_BYTES)), { name: 'AssertionError' })
  })
}
