/** Two CPUs in lockstep notice what they are for: a compiler that translates something else than the guest's code. */
import t from 'tap'
import { LockstepError } from './mod.ts'
import { type Assembler, word } from './oracle/assembler.ts'
import { busyProgram, DEVICE_BASE, position, testMachine } from './test-machine.ts'
import type { RegionCompiler } from './translator/compilers.ts'
import { type Translation, type TranslationRequest, translateRegion } from './translator/translate.ts'

const [A0, T0, T1] = [4, 8, 9]
const END = 60
/** From the last branch of `busyProgram` to the start of its loop. */
const BACK = -12 & 0xffff

/** Translates at once, as if `right` were `wrong` wherever it stands. */
class WrongCompiler implements RegionCompiler {
  readonly #right: number
  readonly #wrong: number
  #done: Translation[] = []

  constructor(right: number, wrong: number) {
    this.#right = right | 0
    this.#wrong = wrong | 0
  }

  submit(request: TranslationRequest): void {
    const words = request.code.words.map((it) => (it === this.#right ? this.#wrong : it))
    this.#done.push(translateRegion({ ...request, code: { ...request.code, words } }))
  }

  finished(): Translation[] {
    return this.#done.splice(0)
  }
}

/** Counts, in a register and in memory, and in a block of its own reads a device. */
function program(at: Assembler): void {
  at.emit('lui', { t: A0, i: 0x8000 }).emit('lui', { t: T1, i: DEVICE_BASE >>> 16 })
  at.label('loop').emit('addiu', { s: T0, t: T0, i: 1 })
  at.branch('beq', {}, 'read').emit('sw', { s: A0, t: T0, i: 0x4000 })
  at.label('read').branch('beq', {}, 'loop').emit('lw', { s: T1, t: 0, i: 8 })
}

function runWith(compiler: RegionCompiler | undefined, memoryEvery = 1): { accesses: number; position: number } {
  const lockstep = { memoryEvery }
  const machine = testMachine(program, { hotEntries: 2, lockstep, ...(compiler && { compiler }) })
  let accesses = 0
  machine.port.onRead = () => ++accesses
  machine.runTo(END)
  return { accesses, position: position(machine) }
}

t.test('two CPUs are one to those who use them', async (t) => {
  t.same(runWith(undefined), { accesses: Math.floor((END - 2) / 5), position: END })
})

t.test('a register that differs is told with its block', async (t) => {
  const compiler = new WrongCompiler(word('addiu', { s: T0, t: T0, i: 1 }), word('addiu', { s: T0, t: T0, i: 2 }))
  t.throws(() => runWith(compiler), {
    name: 'LockstepError',
    message: /from icount \d+, pc 0x80001008 .* guest state: \+32 is 0x3 and 0x4; TLB: $/,
  })
})

t.test('memory that differs is told, with its place', async (t) => {
  const right = word('sw', { s: A0, t: T0, i: 0x4000 })
  const compiler = () => new WrongCompiler(right, word('sw', { s: A0, t: T0, i: 0x4008 }))
  const message = /memory: \+16384 is 0x\d and 0x\d, \+16392 is 0x0 and 0x\d$/
  // Comparing makes pages clean, whose first store is the interpreter's.
  for (const memoryEvery of [3, 5]) {
    t.throws(() => runWith(compiler(), memoryEvery), { name: 'LockstepError', message }, `every ${memoryEvery}`)
  }
})

t.test('an access that only one of them has is told', async (t) => {
  const right = word('lw', { s: T1, t: 0, i: 8 })
  const none = new WrongCompiler(right, word('sll'))
  t.throws(() => runWith(none), {
    name: 'LockstepError',
    message: /translated code has no read, 4 bytes at 0x10000008/,
  })
})

t.test('where code goes on counts', async (t) => {
  const bne = word('bne', { s: T0, t: 0, i: BACK })
  const machine = testMachine((at) => busyProgram(at, 9), {
    hotEntries: 2,
    lockstep: {},
    compiler: new WrongCompiler(bne, word('beq', { s: T0, t: 0, i: BACK })),
  })
  t.throws(() => machine.runTo(200), LockstepError)
})

t.test('a state that is restored is gone on from by both', async (t) => {
  const machine = testMachine((at) => busyProgram(at, 9), { hotEntries: 2, lockstep: {} })
  machine.runTo(50)
  const saved = machine.cpu.save()
  const memory = machine.cpu.readBacking(0, 0x8_0000)
  machine.runTo(120)
  const end = machine.cpu.hashRegisters()
  machine.cpu.writeBacking(0, memory)
  machine.cpu.restore(saved)
  machine.runTo(120)
  t.equal(machine.cpu.hashRegisters(), end)
  t.ok(machine.cpu.statistics['comparisons']! > 30)
})
