/**
 * What checkpoints are made from: the hashes of pages say which have changed, whoever wrote to them, and a CPU that is given
 * the saved state and those pages goes on as the other would have.
 */
import t from 'tap'
import { ImmediateCompiler, LateCompiler } from './mod.ts'
import { busyProgram, CODE_BASE, position, type TestMachine, testMachine } from './test-machine.ts'

const PAGE_BYTES = 4096
const CODE_PAGE = (CODE_BASE & 0x1fff_ffff) / PAGE_BYTES
/** `busyProgram` stores there. */
const DATA_PAGE = 4

function hashes({ cpu }: TestMachine): Uint32Array {
  cpu.hashMemory()
  return cpu.pageHashes.slice()
}

function changed(before: Uint32Array, after: Uint32Array): number[] {
  const pages = Array.from({ length: before.length / 2 }, (_, page) => page)
  return pages.filter((page) => before[2 * page] !== after[2 * page] || before[2 * page + 1] !== after[2 * page + 1])
}

const machines: [string, () => TestMachine][] = [
  ['interpreted', () => testMachine((at) => busyProgram(at, 400), { hotEntries: 0 })],
  ['translated', () => testMachine((at) => busyProgram(at, 400), { hotEntries: 2, compiler: new ImmediateCompiler() })],
  ['late', () => testMachine((at) => busyProgram(at, 400), { hotEntries: 2, compiler: new LateCompiler(() => 1) })],
]

for (const [how, make] of machines) {
  t.test(`pages that change, ${how}`, async (t) => {
    const machine = make()
    let before = hashes(machine)
    t.ok(before[2 * CODE_PAGE] !== 0, 'what was loaded has a hash')
    const since = () => {
      const after = hashes(machine)
      const pages = changed(before, after)
      before = after
      return pages
    }
    t.same(since(), [])
    machine.runTo(1000)
    t.same(since(), [DATA_PAGE], 'the guest stores')
    machine.runTo(2000)
    t.same(since(), [DATA_PAGE], 'and again')
    machine.cpu.writeBacking(5 * PAGE_BYTES - 2, Uint8Array.of(1, 2, 3, 4))
    t.same(since(), [4, 5], 'DMA across pages')
    machine.cpu.writeBacking(5 * PAGE_BYTES, Uint8Array.of(3, 4))
    t.same(since(), [], 'the same bytes again')
    machine.cpu.writeBacking(5 * PAGE_BYTES, Uint8Array.of(0, 0))
    t.same(since(), [5], 'zeros')
    t.equal(before[10], 0)
  })

  t.test(`a CPU that takes over, ${how}`, async (t) => {
    const machine = make()
    const atStart = hashes(machine)
    machine.runTo(1500)
    const pages = Uint32Array.from(changed(atStart, hashes(machine)))
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
