/**
 * An interrupt before every instruction of a hot program: by a line, and by the CPU's own timer, whose limit no caller
 * knows. Compared after every block, and where code runs on by itself.
 */
import t from 'tap'
import type { Assembler } from '../oracle/assembler.ts'
import { busyProgram, DEVICE_BASE, position, testMachine } from '../test-machine.ts'

const [V0, K0, K1] = [2, 26, 27]
const [COUNT, COMPARE, STATUS] = [9, 11, 12]
const IE_IM2_IM7 = 0x8401
const ROUNDS = 7
/** From when each block has been translated, to the end of the last round. */
const [FROM, TO] = [60, 140]
const END = 200

/** Counts in k1, and quiets the timer and the device. */
function handler(at: Assembler): void {
  at.emit('mtc0', { t: 0, d: COMPARE }).emit('lui', { t: K0, i: DEVICE_BASE >>> 16 })
  at.emit('sw', { s: K0, t: 0, i: 0 }).emit('addiu', { s: K1, t: K1, i: 1 }).emit('eret')
}

/** The timer comes due `ticks` ticks on, if they are given; a tick is two instructions, so `odd` moves all by one. */
function programOf(ticks: number | undefined, odd: boolean): (at: Assembler) => void {
  return (at) => {
    if (odd) at.nop()
    if (ticks !== undefined) {
      at.emit('mfc0', { t: V0, d: COUNT }).emit('addiu', { s: V0, t: V0, i: ticks }).emit('mtc0', { t: V0, d: COMPARE })
    }
    at.emit('mfc0', { t: V0, d: STATUS })
      .emit('ori', { s: V0, t: V0, i: IE_IM2_IM7 })
      .emit('mtc0', { t: V0, d: STATUS })
    busyProgram(at, ROUNDS)
  }
}

const WAYS = [
  { how: 'after every block', lockstep: {} },
  { how: 'at its end', lockstep: { stride: () => END } },
]

function machineOf(program: (at: Assembler) => void, lockstep: object) {
  const machine = testMachine(program, { handler, hotEntries: 1, lockstep })
  machine.port.onWrite = () => {
    machine.cpu.setLine(2, 0)
    return true
  }
  return machine
}

t.test('by a line, before each instruction', async (t) => {
  for (const { how, lockstep } of WAYS) {
    for (let icount = FROM; icount < TO; icount++) {
      const machine = machineOf(programOf(undefined, false), lockstep)
      machine.runTo(icount)
      machine.cpu.setLine(2, 1)
      machine.runTo(END)
      t.equal(machine.gpr(K1), 1, `before ${icount}, compared ${how}`)
      t.equal(position(machine), END)
      t.ok(machine.cpu.statistics['translatedInstructions']! > 20)
    }
  }
})

t.test('by the timer, before each instruction', async (t) => {
  for (const { how, lockstep } of WAYS) {
    for (let icount = FROM; icount < TO; icount++) {
      const machine = machineOf(programOf(icount >> 1, icount % 2 === 1), lockstep)
      machine.runTo(END)
      t.equal(machine.gpr(K1), 1, `${icount} instructions on, compared ${how}`)
      t.equal(position(machine), END)
    }
  }
})
