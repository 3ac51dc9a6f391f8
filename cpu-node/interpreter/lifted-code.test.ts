/** Blocks that an earlier run lifted: found for the very same code only, as they were. */
import t from 'tap'
import { PAGE_BYTES } from '../memory.ts'
import type { Assembler } from '../oracle/assembler.ts'
import { testMachine } from '../test-machine.ts'
import type { NewBlock } from './code-cache.ts'
import { type BlockKey, LiftedCode, LiftedCodeError } from './lifted-code.ts'

const KEY: BlockKey = { pc: 0x8000_1000 | 0, flags: 4, relative: false, bigEndian: false, cut: 0 }

/** A block of `instructions`, of which nothing is looked at here. */
function block(pc: number, instructions: number, mark: number): NewBlock {
  const numbers = Int32Array.from({ length: instructions }, (_, index) => index)
  const code = Int32Array.from({ length: 3 * instructions }, (_, index) => mark * (index % 2 === 0 ? 1 : -1))
  return {
    ...{ pc, length: 4 * instructions, instructions, lastInDelaySlot: instructions > 1, code, codeWords: code.length },
    ...{ pcs: numbers.map((index) => (pc + 4 * index) | 0), starts: numbers.map((index) => 3 * index) },
  }
}

/** What there is of a block. */
function contents({ pc, length, instructions, lastInDelaySlot, codeWords, code, pcs, starts }: NewBlock) {
  const first = (words: Int32Array, count: number) => [...words.subarray(0, count)]
  const places = [first(pcs, instructions), first(starts, instructions)]
  return [pc, length, instructions, lastInDelaySlot, first(code, codeWords), ...places]
}

const guest = Int32Array.from({ length: 200 }, (_, index) => Math.imul(index, 0x1234_5677))

t.test('what was added is found, in this run and from its encoding', async (t) => {
  const lifted = new LiftedCode()
  const keyOf = (number: number): BlockKey => ({ ...KEY, pc: KEY.pc + 4 * number, cut: number % 3 })
  const blockOf = (number: number) => block(keyOf(number).pc, 1 + (number % 7), number)
  t.notOk(lifted.isWorthKeeping)
  // More than there is room for from the start, of words and of places.
  const numbers = Array.from({ length: 6000 }, (_, number) => number)
  for (const number of numbers) {
    const at = number % 100
    t.notOk(lifted.find(keyOf(number), guest, at))
    lifted.add(keyOf(number), guest, at, blockOf(number))
  }
  t.ok(lifted.isWorthKeeping)
  const later = new LiftedCode(lifted.encode())
  for (const known of [lifted, later, new LiftedCode(later.encode())]) {
    // In the order in which they came, and in the other.
    for (const number of [...numbers, ...numbers.toReversed()]) {
      if (!known.find(keyOf(number), guest, number % 100)) t.fail(`block ${number} is not found`)
      else if (JSON.stringify(contents(known)) !== JSON.stringify(contents(blockOf(number)))) t.fail(`block ${number}`)
    }
  }
  t.notOk(later.isWorthKeeping)
})

t.test('it is of no use to other code', async (t) => {
  const added = new LiftedCode()
  added.add(KEY, guest, 10, block(KEY.pc, 5, 1))
  for (const lifted of [added, new LiftedCode(added.encode())]) {
    t.ok(lifted.find(KEY, guest, 10))
    const others: Partial<BlockKey>[] = [
      { pc: KEY.pc + 4 },
      { flags: 5 },
      { relative: true },
      { bigEndian: true },
      { cut: 5 },
    ]
    for (const other of others) t.notOk(lifted.find({ ...KEY, ...other }, guest, 10), JSON.stringify(other))
    for (let index = 0; index < 6; index++) {
      const changed = guest.slice()
      changed[10 + index]! ^= 1
      t.equal(lifted.find(KEY, changed, 10), index === 5, `word ${index} is another`)
    }
  }
})

t.test('what this run had comes first, what it had not last', async (t) => {
  const first = new LiftedCode()
  for (const pc of [8, 16, 24]) first.add({ ...KEY, pc }, guest, pc, block(pc, 1, pc))
  const second = new LiftedCode(first.encode())
  t.ok(second.find({ ...KEY, pc: 24 }, guest, 24))
  second.add({ ...KEY, pc: 32 }, guest, 32, block(32, 1, 32))
  const third = new LiftedCode(second.encode())
  for (const pc of [8, 16, 24, 32]) t.ok(third.find({ ...KEY, pc }, guest, pc))
  const words = new Int32Array(second.encode().slice().buffer)
  const places = [8, 16, 24, 32].map((pc) => words.lastIndexOf(guest[pc]!))
  t.ok(places[2]! < places[3]! && places[3]! < places[0]! && places[0]! < places[1]!, `${places}`)
})

t.test('what is not kept so is left out', async (t) => {
  const lifted = new LiftedCode()
  const usual = block(KEY.pc, 2, 1)
  lifted.add(KEY, guest, 0, { ...usual, pcs: Int32Array.of(KEY.pc, KEY.pc + 8) })
  lifted.add(KEY, guest, 0, { ...usual, length: 12 })
  lifted.add(KEY, guest, 0, { ...usual, codeWords: 0x1_0000 })
  t.notOk(lifted.find(KEY, guest, 0))
  t.notOk(lifted.isWorthKeeping)
})

t.test('other bytes are refused', async (t) => {
  const whole = new LiftedCode()
  whole.add(KEY, guest, 0, block(KEY.pc, 1, 1))
  const bytes = whole.encode()
  const words = (...values: number[]) => new Uint8Array(Int32Array.from(values).buffer)
  for (const other of [bytes.subarray(0, 0), bytes.subarray(0, 8), bytes.subarray(0, 400), words(1, 4, 0, 0, 0)])
    t.throws(() => new LiftedCode(other), LiftedCodeError)
  // Wherever they stand in memory.
  const moved = new Uint8Array(bytes.length + 1)
  moved.set(bytes, 1)
  t.ok(new LiftedCode(moved.subarray(1)).find(KEY, guest, 0))
})

t.test('a CPU lifts nothing that an earlier one has lifted', async (t) => {
  /** Goes on in another page; its run is cut. */
  const program = (at: Assembler) => {
    at.constant(8, 40).emit('addiu', { s: 8, t: 8, i: -1 }).emit('addu', { s: 9, t: 8, d: 9 })
    at.jump(0x8000_1000 + PAGE_BYTES)
  }
  const run = (liftedCode: LiftedCode | undefined) => {
    const { runTo, cpu } = testMachine(program, { hotEntries: 0, liftedCode })
    for (const icount of [1, 2, 5, 17]) runTo(icount)
    return cpu.hashRegisters()
  }
  const plain = run(undefined)
  const first = new LiftedCode()
  t.equal(run(first), plain)
  const second = new LiftedCode(first.encode())
  t.equal(run(second), plain)
  t.notOk(second.isWorthKeeping)
  t.same(second.encode(), first.encode())
})
