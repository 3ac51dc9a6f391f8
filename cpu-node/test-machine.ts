/**
 * A CPU with some memory, code at the start of kseg0, and a port that a test answers: what the tests of this folder run.
 */
import assert from 'node:assert/strict'
import { BUS_ERROR, Clock, type Cpu, type CpuPort, type PortCell } from '../bus/mod.ts'
import { InterpretedCpu, type IsaFactory, type TierOptions } from './cpu.ts'
import { Mips } from './isa/mips/mips.ts'
import { LockstepCpu, type LockstepOptions } from './lockstep-cpu.ts'
import { Assembler } from './oracle/assembler.ts'
import { ImmediateCompiler } from './translator/compilers.ts'

const RAM_BYTES = 0x8_0000
/** More than any test's code takes: a machine of the usual size takes three times as long to make. */
const ARENA_WORDS = 2 ** 18
export const CODE_BASE = 0x8000_1000
/** Device space: what a `TestPort` answers. */
export const DEVICE_BASE = 0xb000_0000

/** A port whose limit the test sets, and whose accesses it sees. */
export class TestPort implements CpuPort {
  limit = 0
  onRead: (address: number, size: number) => number = () => BUS_ERROR
  onWrite: (address: number, size: number, value: number) => boolean = () => false
  onCell: (address: number, size: number) => PortCell | undefined = () => undefined

  read(address: number, size: 1 | 2 | 4): number {
    return this.onRead(address, size)
  }

  write(address: number, size: 1 | 2 | 4, value: number): boolean {
    return this.onWrite(address, size, value)
  }

  cell(address: number, size: number): PortCell | undefined {
    return this.onCell(address, size)
  }
}

export interface TestMachine {
  cpu: Cpu & Pick<InterpretedCpu, 'state' | 'now'>
  port: TestPort
  clock: Clock
  /** Runs until the CPU stands before instruction `icount` of the program, or is idle. */
  runTo(icount: number): void
  /** A word of RAM. */
  peek(address: number): number
  /** A guest register. */
  gpr(register: number): number
}

export interface TestMachineOptions extends TierOptions {
  /** In whole pages. */
  ramBytes?: number
  endian?: 'little' | 'big'
  /** Code at the general exception vector, 0x80000180. */
  handler?: (at: Assembler) => unknown
  /** Two CPUs, which are compared. */
  lockstep?: LockstepOptions
}

/** The boot ROM's instructions before the program: icount 0 of a test is the program's first. */
const BOOT_INSTRUCTIONS = 5

/** A machine about to run `program`, in kernel mode with interrupts off, BEV clear and the FPU on. */
export function testMachine(program: (at: Assembler) => unknown, options: TestMachineOptions = {}): TestMachine {
  const { ramBytes = RAM_BYTES, endian = 'little', handler, lockstep, ...given } = options
  const tiers = { compiler: new ImmediateCompiler(), arenaWords: ARENA_WORDS, ...given }
  const clock = new Clock(8, 1_000_000, 1_000_000)
  const makeIsa: IsaFactory = (execution) => new Mips(execution, clock, endian)
  const cpu =
    lockstep === undefined
      ? new InterpretedCpu(makeIsa, clock, ramBytes + 0x1000, tiers)
      : new LockstepCpu(makeIsa, clock, ramBytes + 0x1000, tiers, lockstep)
  cpu.mapMemory(0, ramBytes, 0, 'ram')
  cpu.mapMemory(0x1fc0_0000, 0x1000, ramBytes, 'rom')
  const load = (offset: number, words: readonly number[]) => {
    const bytes = new Uint8Array(4 * words.length)
    const view = new DataView(bytes.buffer)
    for (const [index, word] of words.entries()) view.setUint32(4 * index, word, endian === 'little')
    cpu.writeBacking(offset, bytes)
  }
  const boot = new Assembler(0xbfc0_0000)
  boot
    .emit('lui', { t: 26, i: 0x2000 })
    .emit('mtc0', { t: 26, d: 12 })
    .emit('lui', { t: 26, i: CODE_BASE >>> 16 })
  boot
    .emit('ori', { s: 26, t: 26, i: CODE_BASE & 0xffff })
    .emit('jr', { s: 26 })
    .emit('ori', { t: 26, i: 0 })
  load(ramBytes, boot.finish())
  const code = new Assembler(CODE_BASE)
  program(code)
  load(CODE_BASE & 0x1fff_ffff, code.finish())
  const vector = new Assembler(0x8000_0180)
  handler?.(vector)
  load(0x180, vector.finish())

  const port = new TestPort()
  const machine: TestMachine = {
    cpu,
    port,
    clock,
    runTo(icount) {
      port.limit = icount + BOOT_INSTRUCTIONS + 1
      cpu.run(port)
    },
    peek(address) {
      const bytes = cpu.readBacking(address & 0x1fff_ffff, 4)
      return new DataView(bytes.buffer).getUint32(0, endian === 'little')
    },
    gpr: (register) => cpu.state[register]! >>> 0,
  }
  machine.runTo(0)
  assert.equal(cpu.pc, CODE_BASE)
  return machine
}

/** Instructions of the program begun so far. */
export function position(machine: TestMachine): number {
  return machine.cpu.icount - BOOT_INSTRUCTIONS - 1
}

const [A0, T0, T1, T2, T3, T4, RA] = [4, 8, 9, 10, 11, 12, 31]

/** So many rounds of loops, calls, branches taken and not, branches likely, loads and stores, delay slots that matter. */
export function busyProgram(at: Assembler, rounds = 5): void {
  at.emit('lui', { t: A0, i: 0x8000 }).emit('addiu', { t: T0, i: rounds })
  at.label('loop')
  at.emit('sw', { s: A0, t: T0, i: 0x4000 }).emit('lw', { s: A0, t: T1, i: 0x4000 })
  at.branch('bgezal', { s: 0 }, 'double').emit('addiu', { s: T1, t: T2, i: 1 })
  at.emit('mult', { s: T2, t: T1 }).emit('mflo', { d: T3 })
  at.branch('beql', { s: T3, t: 0 }, 'never').emit('addiu', { t: T4, i: -1 })
  at.branch('bnel', { s: T0, t: 0 }, 'on').emit('addu', { s: T4, t: T3, d: T4 })
  at.label('on')
  at.emit('addiu', { s: T0, t: T0, i: -1 })
  at.branch('bne', { s: T0, t: 0 }, 'loop').emit('xor', { s: T4, t: T0, d: T4 })
  at.label('never')
  at.branch('beq', {}, 'never').nop()
  at.label('double')
  at.emit('sll', { t: T2, d: T2, a: 1 }).emit('jr', { s: RA }).emit('addu', { s: T2, t: T0, d: T2 })
}
