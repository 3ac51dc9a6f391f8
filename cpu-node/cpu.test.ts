import t from 'tap'
import type { PageDigest } from '../bus/mod.ts'
import type { Assembler } from './oracle/assembler.ts'
import { randomWords } from './softfloat/test-patterns.ts'
import { busyProgram, CODE_BASE, DEVICE_BASE, position, type TestMachine, testMachine } from './test-machine.ts'

const [A0, A1, T0, T1, T2, T3, T4, RA] = [4, 5, 8, 9, 10, 11, 12, 31]
const EPC = 14
const CAUSE = 13
const STATUS = 12

const LENGTH = 120

/** The register hash before each instruction of a run, and of memory at its end. */
function hashesAlone(make: () => TestMachine, length: number): { registers: number[]; memory: unknown } {
  const machine = make()
  const registers: number[] = []
  for (let icount = 0; icount <= length; icount++) {
    machine.runTo(icount)
    registers.push(machine.cpu.hashRegisters())
  }
  return { registers, memory: machine.cpu.hashMemory() }
}

t.test('a run stops before any instruction, with the same state however it got there', async (t) => {
  const make = () => testMachine(busyProgram)
  const alone = hashesAlone(make, LENGTH)
  for (let icount = 0; icount <= LENGTH; icount++) {
    const machine = make()
    machine.runTo(icount)
    t.equal(position(machine), icount)
    t.equal(machine.cpu.hashRegisters(), alone.registers[icount], `straight to ${icount}`)
  }
  const seed = Number(process.env['ANANKE_TEST_SEED'] ?? 1)
  t.comment(`seed ${seed}`)
  const random = randomWords(seed)
  for (let round = 0; round < 50; round++) {
    const machine = make()
    for (let icount = 0; icount < LENGTH; ) {
      icount = Math.min(LENGTH, icount + 1 + (random() % 17))
      machine.runTo(icount)
      t.equal(machine.cpu.hashRegisters(), alone.registers[icount])
    }
    t.same(machine.cpu.hashMemory(), alone.memory)
  }
})

t.test('asking to run to where the CPU already stands changes nothing', async (t) => {
  const machine = testMachine(busyProgram)
  machine.runTo(40)
  const before = machine.cpu.hashRegisters()
  machine.cpu.setLine(2, 1)
  const raised = machine.cpu.hashRegisters()
  machine.runTo(40)
  t.equal(machine.cpu.hashRegisters(), raised, 'no interrupt is taken at the limit')
  machine.cpu.setLine(2, 0)
  t.equal(machine.cpu.hashRegisters(), before)
})

t.test('an interrupt is taken before any instruction, and the program ends as if there had been none', async (t) => {
  const enabled = (at: Assembler) => {
    at.emit('mfc0', { t: T0, d: STATUS }).emit('ori', { s: T0, t: T0, i: 0x0401 }).emit('mtc0', { t: T0, d: STATUS })
    busyProgram(at)
  }
  // Counts in k1, in memory through k0, and asks the device to lower the line.
  const handler = (at: Assembler) => {
    at.emit('lui', { t: 26, i: DEVICE_BASE >>> 16 })
      .emit('sw', { s: 26, t: 0, i: 0 })
      .emit('addiu', { s: 27, t: 27, i: 1 })
    at.emit('addiu', { t: 26, i: 0 }).emit('eret')
  }
  const HANDLER_INSTRUCTIONS = 5
  const undisturbed = testMachine(enabled, { handler })
  undisturbed.runTo(LENGTH)
  for (let icount = 4; icount <= LENGTH; icount++) {
    const machine = testMachine(enabled, { handler })
    machine.port.onWrite = () => {
      machine.cpu.setLine(2, 0)
      return true
    }
    machine.runTo(icount)
    const pc = machine.cpu.pc
    const inDelaySlot = machine.cpu.state[144 / 4] === 1
    machine.cpu.setLine(2, 1)
    machine.runTo(icount + 1)
    t.equal(machine.cpu.state[(1024 + 32 * EPC) / 4]! >>> 0, inDelaySlot ? pc - 4 : pc, `EPC at ${icount}`)
    t.equal(machine.cpu.state[(1024 + 32 * CAUSE) / 4]! < 0, inDelaySlot, `BD at ${icount}`)
    machine.runTo(LENGTH + HANDLER_INSTRUCTIONS + (inDelaySlot ? 1 : 0))
    t.equal(machine.gpr(27), 1, 'one interrupt')
    t.equal(machine.cpu.pc, undisturbed.cpu.pc)
    for (const register of [A0, T0, T1, T2, T3, T4, RA]) {
      t.equal(machine.gpr(register), undisturbed.gpr(register), `$${register} after an interrupt at ${icount}`)
    }
  }
})

t.test('what an access sets off is seen before the next instruction', async (t) => {
  const program = (at: Assembler) => {
    at.emit('mfc0', { t: T0, d: STATUS }).emit('ori', { s: T0, t: T0, i: 0x0401 }).emit('mtc0', { t: T0, d: STATUS })
    at.emit('lui', { t: A0, i: DEVICE_BASE >>> 16 }).nop()
    at.emit('lw', { s: A0, t: T1, i: 4 }).emit('addiu', { s: T2, t: T2, i: 1 }).emit('addiu', { s: T2, t: T2, i: 1 })
    at.branch('beq', {}, 'end').emit('lw', { s: A0, t: T1, i: 8 })
    at.label('end')
    at.emit('addiu', { s: T3, t: T3, i: 1 })
  }
  t.test('an interrupt line', async (t) => {
    const machine = testMachine(program, { handler: (at) => at.label('stay').branch('beq', {}, 'stay').nop() })
    const accesses: [address: number, icount: number][] = []
    machine.port.onRead = (address) => {
      accesses.push([address, position(machine)])
      machine.cpu.setLine(2, 1)
      return 77
    }
    machine.runTo(20)
    t.same(accesses, [[0x1000_0004, 5]], 'at its own icount')
    t.equal(machine.gpr(T1), 77)
    t.equal(machine.gpr(T2), 0)
    t.equal(machine.cpu.state[(1024 + 32 * EPC) / 4]! >>> 0, CODE_BASE + 4 * 6)
  })
  t.test('a nearer limit, in a delay slot too', async (t) => {
    for (const [offset, next] of [
      [4, 6],
      [8, 10],
    ] as const) {
      const machine = testMachine(program)
      machine.port.onRead = (address) => {
        if (address === 0x1000_0000 + offset) machine.port.limit = machine.cpu.icount + 1
        return 1
      }
      machine.runTo(20)
      t.equal(position(machine), next)
      t.equal(machine.cpu.pc, CODE_BASE + 4 * next)
    }
  })
})

t.test('a fault in mid-block: what came before is done, what comes after is not', async (t) => {
  const handler = (at: Assembler) => at.label('stay').branch('beq', {}, 'stay').nop()
  for (let fault = 0; fault < 6; fault++) {
    const machine = testMachine(
      (at) => {
        at.emit('lui', { t: A0, i: 0x8000 }).emit('ori', { t: A1, i: 0x4001 })
        for (let index = 0; index < 6; index++) {
          at.emit('addiu', { s: T0, t: T0, i: 1 }).emit('sw', { s: A0, t: T0, i: 0x4000 })
          if (index === fault) at.emit('lw', { s: A1, t: T0, i: 0 })
        }
      },
      { handler },
    )
    machine.runTo(2 + 2 * (fault + 1) + 1)
    t.equal(machine.cpu.pc, 0x8000_0180)
    t.equal(machine.gpr(T0), fault + 1)
    t.equal(machine.peek(0x8000_4000), fault + 1)
    t.equal(machine.cpu.state[(1024 + 32 * EPC) / 4]! >>> 0, CODE_BASE + 4 * (2 + 2 * (fault + 1)))
    t.equal(machine.cpu.state[(1024 + 32 * 8) / 4]! >>> 0, 0x4001, 'BadVAddr')
  }
})

t.test('code that writes code runs what it wrote', async (t) => {
  // Overwrites the instruction `ahead` places on with `addiu t3, t3, 100`, then goes round once more.
  for (let ahead = 1; ahead <= 4; ahead++) {
    const machine = testMachine((at) => {
      at.emit('lui', { t: A0, i: CODE_BASE >>> 16 }).emit('ori', { s: A0, t: A0, i: CODE_BASE & 0xffff })
      at.constant(T0, 0x256b_0064)
      at.label('again')
      at.emit('sw', { s: A0, t: T0, i: 4 * (4 + ahead) })
      for (let index = 0; index < 4; index++) at.emit('addiu', { s: T3, t: T3, i: 1 })
      at.branch('beq', { s: T4, t: 0 }, 'again').emit('addiu', { s: T4, t: T4, i: 1 })
    })
    machine.runTo(4 + 5)
    t.equal(machine.gpr(T3), 103, `${ahead} ahead`)
    machine.runTo(4 + 5 + 2 + 5)
    t.equal(machine.gpr(T3), 206)
  }
})

t.test('code written from outside is run as written', async (t) => {
  const machine = testMachine((at) => {
    at.label('loop')
    at.emit('addiu', { s: T3, t: T3, i: 1 })
    at.branch('beq', {}, 'loop').nop()
  })
  machine.runTo(30)
  t.equal(machine.gpr(T3), 10)
  machine.cpu.writeBacking(CODE_BASE & 0x1fff_ffff, new Uint8Array([0x64, 0x00, 0x6b, 0x25]))
  machine.runTo(33)
  t.equal(machine.gpr(T3), 110)
})

t.test('dropping all code when the cache is full changes nothing', async (t) => {
  const make = () => testMachine(busyProgram, { arenaWords: 200 })
  const small = hashesAlone(make, LENGTH)
  t.same(
    small,
    hashesAlone(() => testMachine(busyProgram), LENGTH),
  )
  const straight = make()
  straight.runTo(LENGTH)
  t.equal(straight.cpu.hashRegisters(), small.registers[LENGTH])
})

t.test('a saved state goes on as the original does, from every instruction', async (t) => {
  const alone = hashesAlone(() => testMachine(busyProgram), LENGTH)
  for (let icount = 0; icount < LENGTH; icount += 7) {
    const original = testMachine(busyProgram)
    original.runTo(icount)
    const copy = testMachine(busyProgram)
    copy.cpu.writeBacking(0, original.cpu.readBacking(0, 0x8_0000))
    copy.cpu.restore(original.cpu.save())
    copy.runTo(LENGTH)
    t.equal(copy.cpu.hashRegisters(), alone.registers[LENGTH])
    t.same(copy.cpu.hashMemory(), alone.memory)
  }
  t.throws(() => testMachine(busyProgram).cpu.restore({ version: 99 }), { message: /version 99/ })
})

t.test('a state can be restored after an error of the port cut a run off', async (t) => {
  const machine = testMachine((at) => {
    at.emit('lui', { t: A0, i: DEVICE_BASE >>> 16 }).label('loop')
    // It reads the word, then writes it.
    at.emit('swl', { s: A0, t: T1, i: 1 }).emit('addiu', { s: T2, t: T2, i: 1 })
    at.branch('beq', {}, 'loop').nop()
  })
  machine.runTo(1)
  const saved = machine.cpu.save()
  let writes = 0
  machine.port.onRead = () => {
    machine.cpu.setLine(2, 1)
    return 0
  }
  machine.port.onWrite = () => {
    // A break stands in the code now.
    if (++writes === 1) throw new Error('no journal entry')
    return true
  }
  t.throws(() => machine.runTo(20), { message: 'no journal entry' })
  machine.cpu.restore(saved)
  t.equal(position(machine), 1)
  machine.runTo(1 + 4 * 5)
  t.equal(writes, 6)
  t.equal(machine.gpr(T2), 5)
})

t.test('the timer interrupts at its tick, and ends an idle wait', async (t) => {
  const program = (at: Assembler) => {
    at.emit('mfc0', { t: T0, d: STATUS }).emit('ori', { s: T0, t: T0, i: 0x8001 }).emit('mtc0', { t: T0, d: STATUS })
    at.emit('mfc0', { t: T1, d: 9 }).emit('addiu', { s: T1, t: T1, i: 20 }).emit('mtc0', { t: T1, d: 11 })
    at.emit('wait')
  }
  const machine = testMachine(program)
  machine.runTo(100)
  t.equal(position(machine), 7, 'idle after wait')
  const { cpu, clock } = machine
  // Count at instruction 3 of the program (icount 9) is 4; 24 is due at 24 * 16 ns.
  t.equal(cpu.timerDue, 24 * 16)
  clock.skipTo(cpu.timerDue, cpu.icount)
  machine.runTo(8)
  t.equal(cpu.pc, 0x8000_0184, 'one instruction of the handler was begun')
  t.equal(cpu.state[(1024 + 32 * EPC) / 4]! >>> 0, CODE_BASE + 4 * 7)
  t.ok((cpu.state[(1024 + 32 * CAUSE) / 4]! & (1 << 30)) !== 0, 'Cause.TI')
})

t.test('the memory hash follows writes by code and from outside, and forgets zeros', async (t) => {
  const machine = testMachine(busyProgram)
  const first = machine.cpu.hashMemory()
  t.same(machine.cpu.hashMemory(), first)
  machine.cpu.writeBacking(0x6000, new Uint8Array([1]))
  const second = machine.cpu.hashMemory()
  t.strictNotSame(second, first)
  machine.cpu.writeBacking(0x6000, new Uint8Array([0]))
  t.same(machine.cpu.hashMemory(), first, 'a page of zeros is as if never written')
  machine.runTo(LENGTH)
  const third = machine.cpu.hashMemory()
  t.strictNotSame(third, first)
  machine.runTo(LENGTH + 1)
  t.same(machine.cpu.hashMemory(), third)
})

t.test('a digest is of every page that is not all zero, whole or by its hash', async (t) => {
  const digested = (machine: TestMachine, pages: PageDigest) => {
    const fed: Uint8Array[] = []
    machine.cpu.digest((bytes) => fed.push(bytes.slice()), pages)
    return Buffer.concat(fed)
  }
  const machine = testMachine(busyProgram)
  const page = 9
  const written = new Uint8Array([0x5a])
  machine.cpu.writeBacking(page * 4096, written)
  const whole = digested(machine, 'whole')
  t.ok(whole.includes(Buffer.from([page, 0, 0, 0, ...written, 0])), 'its number, then its bytes')
  const hashed = digested(machine, 'hashed')
  t.ok(hashed.includes(Buffer.from([page, 0, 0, 0])))
  for (const [pages, first] of [
    ['whole', whole],
    ['hashed', hashed],
  ] as const) {
    machine.cpu.writeBacking(page * 4096 + 4095, new Uint8Array([1]))
    t.notOk(digested(machine, pages).equals(first))
    machine.cpu.writeBacking(page * 4096 + 4095, new Uint8Array([0]))
    t.ok(digested(machine, pages).equals(first))
    machine.cpu.writeBacking(page * 4096, new Uint8Array([0]))
    t.ok(digested(machine, pages).length < first.length, 'a page of zeros is as if never written')
    machine.cpu.writeBacking(page * 4096, written)
  }
})

t.test('a fetch that nothing answers is a bus error, one that is not aligned an address error', async (t) => {
  for (const [target, code] of [
    [0xb000_0000, 6],
    [0x8000_1002, 4],
  ] as const) {
    const machine = testMachine((at) => at.constant(A0, target).emit('jr', { s: A0 }).nop())
    machine.runTo(5)
    t.equal(machine.cpu.pc, 0x8000_0180)
    t.equal((machine.cpu.state[(1024 + 32 * CAUSE) / 4]! >>> 2) & 0x1f, code)
    t.equal(machine.cpu.state[(1024 + 32 * EPC) / 4]! >>> 0, target)
  }
})

t.test('a fetch that faults is an instruction like any other: not before the limit lets it', async (t) => {
  for (const target of [0xb000_0000, 0x8000_1002, 0x0000_4000]) {
    const program = (at: Assembler) => at.constant(A0, target).emit('jr', { s: A0 }).nop()
    const machine = testMachine(program)
    machine.runTo(4)
    t.equal(position(machine), 4)
    t.equal(machine.cpu.pc, target)
    machine.runTo(5)
    t.equal(position(machine), 5)
    t.equal(machine.gpr(A0), target)
    t.not(machine.cpu.pc, target)
  }
})

t.test('an interrupt that a delay slot sets off comes before the fault at the target', async (t) => {
  const program = (at: Assembler) => {
    at.emit('mfc0', { t: T0, d: STATUS }).emit('ori', { s: T0, t: T0, i: 0x0401 }).emit('mtc0', { t: T0, d: STATUS })
    at.emit('lui', { t: A0, i: DEVICE_BASE >>> 16 }).constant(A1, 0x4000)
    at.emit('jr', { s: A1 }).emit('sw', { s: A0, t: 0, i: 0 })
  }
  for (const stop of [7, 8, 9]) {
    const machine = testMachine(program)
    machine.port.onWrite = () => {
      machine.cpu.setLine(2, 1)
      return true
    }
    machine.runTo(stop)
    machine.runTo(9)
    t.equal(machine.cpu.state[(1024 + 32 * CAUSE) / 4]! & 0x7c, 0, `an interrupt, with a stop before ${stop}`)
    t.equal(machine.cpu.state[(1024 + 32 * EPC) / 4]! >>> 0, 0x4000)
  }
})

t.test(
  'a store of part of a word that may not be written faults alike, whether or not the page was read',
  async (t) => {
    for (const store of ['swl', 'swr'] as const) {
      for (const read of [false, true]) {
        const machine = testMachine((at) => {
          // Pages 0x4000 and 0x5000, valid and not dirty.
          at.constant(A0, 0x4000).emit('mtc0', { t: A0, d: 10 })
          at.emit('addiu', { t: T0, i: (4 << 6) | 2 }).emit('mtc0', { t: T0, d: 2 })
          at.emit('addiu', { t: T0, i: (5 << 6) | 2 }).emit('mtc0', { t: T0, d: 3 })
          at.emit('tlbwi')
          if (read) at.emit('lw', { s: A0, t: T1, i: 0x20 })
          at.emit(store, { s: A0, t: T1, i: 0x21 })
        })
        machine.runTo(read ? 10 : 9)
        t.equal((machine.cpu.state[(1024 + 32 * CAUSE) / 4]! >>> 2) & 0x1f, 1, 'TLB modified')
        t.equal(machine.cpu.state[(1024 + 32 * 8) / 4]! >>> 0, 0x4021, `BadVAddr of ${store}`)
      }
    }
  },
)

t.test('code that moves under the program counter is run where it now stands', async (t) => {
  const loop = (step: number) => (at: Assembler) => {
    at.emit('lui', { t: A0, i: DEVICE_BASE >>> 16 })
    at.label('loop').emit('sw', { s: A0, t: 0, i: 0 }).emit('addiu', { s: T3, t: T3, i: step })
    at.branch('beq', {}, 'loop').nop()
  }
  const machine = testMachine(loop(1))
  const physical = CODE_BASE & 0x1fff_ffff
  const elsewhere = 0x9000
  machine.cpu.writeBacking(elsewhere, testMachine(loop(100)).cpu.readBacking(physical, 0x1000))
  let writes = 0
  machine.port.onWrite = () => {
    if (++writes === 4) machine.cpu.mapMemory(physical, 0x1000, elsewhere, 'ram')
    return true
  }
  machine.runTo(1 + 4 * 5)
  t.equal(writes, 5)
  t.equal(machine.gpr(T3), 3 + 200)
})
