/**
 * What checkpoints are made from: a CPU tells which pages were written, whoever wrote to them, and another that is given the
 * saved state and those pages goes on as it would have.
 */
import assert from 'node:assert/strict'
import t from 'tap'
import type { PageSnapshot } from '../bus/mod.ts'
import { ImmediateCompiler, LateCompiler, type TierOptions } from './mod.ts'
import { busyProgram, CODE_BASE, position, testMachine } from './test-machine.ts'

const PAGE_BYTES = 4096
const CODE_PAGE = (CODE_BASE & 0x1fff_ffff) / PAGE_BYTES
/** `busyProgram` stores there. */
const DATA_PAGE = 4

const RAM_BYTES = 2 ** 24

const tiersOf: [string, () => TierOptions][] = [
  ['interpreted', () => ({ hotEntries: 0 })],
  ['translated', () => ({ hotEntries: 2, compiler: new ImmediateCompiler() })],
  ['late', () => ({ hotEntries: 2, compiler: new LateCompiler(() => 1) })],
]

/** All that a snapshot gives, by number, of so many pages. */
function pagesOf(snapshot: PageSnapshot, count: number): Map<number, Uint8Array> {
  const found = new Map<number, Uint8Array>()
  for (let batch = snapshot.next(); batch !== undefined; batch = snapshot.next()) {
    for (const [index, page] of batch.pages.entries()) {
      found.set(page, batch.bytes.slice(PAGE_BYTES * index, PAGE_BYTES * (index + 1)))
    }
  }
  snapshot.close()
  assert.equal(found.size, count)
  return new Map([...found].sort(([a], [b]) => a - b))
}

for (const [how, tiers] of tiersOf) {
  const make = () => testMachine((at) => busyProgram(at, 400), { ramBytes: RAM_BYTES, ...tiers() })

  t.test(`pages that are written, ${how}`, async (t) => {
    const machine = make()
    const since = () => {
      const { writtenPages } = machine.cpu
      const pages = [...pagesOf(machine.cpu.snapshot(), writtenPages).keys()]
      t.equal(writtenPages, pages.length)
      return pages
    }
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

  t.test(`hashes with snapshots between, ${how}`, async (t) => {
    const machine = make()
    const other = make()
    for (let icount = 500; icount < 4000; icount += 500) {
      machine.runTo(icount)
      other.runTo(icount)
      machine.cpu.snapshot().close()
      if (icount % 1000 === 0) t.same(machine.cpu.hashMemory(), other.cpu.hashMemory())
    }
  })

  t.test(`pages as they were, ${how}`, async (t) => {
    for (const writer of ['guest', 'device'] as const) {
      const machine = make()
      const { cpu } = machine
      // More than one batch; the guest's page is the first.
      const many = 1500
      const first = PAGE_BYTES * DATA_PAGE
      const bytes = Buffer.alloc(PAGE_BYTES * many)
      for (let page = 0; page < many; page++) bytes.fill(page % 251, PAGE_BYTES * page, PAGE_BYTES * (page + 1))
      cpu.snapshot().close()
      cpu.writeBacking(first, bytes)
      t.equal(cpu.writtenPages, many)
      const snapshot = cpu.snapshot()
      t.throws(() => cpu.snapshot(), { name: 'AssertionError' }, 'one at a time')
      const change = () => {
        if (writer === 'guest') machine.runTo(cpu.icount + 500)
        else cpu.writeBacking(first, Buffer.alloc(bytes.length, 255))
      }
      change()
      cpu.hashMemory()
      change()
      const changed = Buffer.from(cpu.readBacking(first, PAGE_BYTES))
      t.notSame(changed, bytes.subarray(0, PAGE_BYTES))
      const pages = pagesOf(snapshot, many)
      t.equal(Buffer.compare(Buffer.concat([...pages.values()]), bytes), 0, `whatever a ${writer} writes`)
      t.same(cpu.readBacking(first, PAGE_BYTES), changed)
      const { writtenPages } = cpu
      t.same(
        [...pagesOf(cpu.snapshot(), writtenPages).keys()][0],
        DATA_PAGE,
        'what was written meanwhile is of the next',
      )
    }
  })

  t.test(`pages that are written while they are read, ${how}`, async (t) => {
    const { cpu } = make()
    const first = 16
    const many = 3000
    const bytes = Buffer.alloc(PAGE_BYTES * many)
    for (let page = 0; page < many; page++) bytes.fill(page % 251, PAGE_BYTES * page, PAGE_BYTES * (page + 1))
    cpu.snapshot().close()
    cpu.writeBacking(PAGE_BYTES * first, bytes)
    const snapshot = cpu.snapshot()
    const found = new Map<number, number>()
    // Before a batch is read, pages are written that are of it, that come later, and that came before.
    for (let round = 0; ; round++) {
      const batch = snapshot.next()
      if (batch === undefined) break
      const from = first + ((500 * round) % many)
      for (let page = from; page < Math.min(from + 700, first + many); page += 7) {
        cpu.writeBacking(PAGE_BYTES * page, Uint8Array.of(255))
      }
      for (const [index, page] of batch.pages.entries()) found.set(page, batch.bytes[PAGE_BYTES * index]!)
    }
    t.equal(cpu.readBacking(PAGE_BYTES * first, 1)[0], 255)
    const expected = Array.from({ length: many }, (_, page) => [first + page, page % 251] as const)
    t.same(
      [...found].sort(([a], [b]) => a - b),
      expected,
    )
  })

  t.test(`a CPU that takes over, ${how}`, async (t) => {
    const machine = make()
    machine.cpu.snapshot().close()
    machine.runTo(1500)
    const { writtenPages } = machine.cpu
    const pages = pagesOf(machine.cpu.snapshot(), writtenPages)
    const saved = structuredClone(machine.cpu.save())

    const other = make()
    other.runTo(700)
    for (const [page, bytes] of pages) other.cpu.writeBacking(page * PAGE_BYTES, bytes)
    other.cpu.restore(saved)
    t.equal(position(other), position(machine))
    for (const icount of [1501, 1800, 2500]) {
      machine.runTo(icount)
      other.runTo(icount)
      t.equal(other.cpu.hashRegisters(), machine.cpu.hashRegisters())
      t.same(other.cpu.hashMemory(), machine.cpu.hashMemory())
      t.same(other.cpu.save(), machine.cpu.save())
    }
  })
}
