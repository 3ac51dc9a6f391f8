/** Runs a program of `harness.ts` on the CPU node alone, on a board that is RAM, a boot ROM and a reset register. */
import assert from 'node:assert/strict'
import { BUS_ERROR, Clock, type CpuPort } from '../../bus/mod.ts'
import { createCpu, createLockstepCpu, type LockstepOptions, type TierOptions } from '../mod.ts'
import { ImmediateCompiler } from '../translator/compilers.ts'
import { Assembler } from './assembler.ts'
import { type Program, SOFT_RESET } from './harness.ts'

const PAGE_BYTES = 4096
const BOOT_ROM = 0x1fc00000
/** More instructions than the harness needs for a case, many times over. */
const MOST_INSTRUCTIONS_A_CASE = 5000
const NS_PER_INSTRUCTION = 8
const GRID_NS = 1_000_000

/** The records as the program left them. With `lockstep` it runs on two CPUs, which are compared. */
export function runOnAnanke(
  program: Program,
  endian: 'little' | 'big',
  cases: number,
  tiers: TierOptions = {},
  lockstep?: LockstepOptions,
): Uint8Array {
  const { address, length } = program.results
  const ramBytes = Math.ceil((address + length) / PAGE_BYTES) * PAGE_BYTES
  const clock = new Clock(NS_PER_INSTRUCTION, GRID_NS, GRID_NS)
  const options = {
    model: '24Kf',
    endian,
    clock,
    backingBytes: ramBytes + PAGE_BYTES,
    tiers: { compiler: new ImmediateCompiler(), ...tiers },
  }
  const cpu = lockstep === undefined ? createCpu(options) : createLockstepCpu(options, lockstep)
  cpu.mapMemory(0, ramBytes, 0, 'ram')
  cpu.mapMemory(BOOT_ROM, PAGE_BYTES, ramBytes, 'rom')
  for (const segment of program.segments) cpu.writeBacking(segment.address & 0x1fffffff, segment.bytes)
  cpu.writeBacking(ramBytes, bootCode(program.entry, endian))
  cpu.reset()
  let limit = MOST_INSTRUCTIONS_A_CASE * cases
  const port: CpuPort = {
    get limit() {
      return limit
    },
    read: () => BUS_ERROR,
    cell: () => undefined,
    write(at) {
      if (at !== SOFT_RESET) return false
      limit = 0
      return true
    },
  }
  const result = cpu.run(port)
  assert(result === 'limit', 'nothing in the program waits')
  assert(limit === 0, `the program never ended: pc ${cpu.pc.toString(16)}`)
  return cpu.readBacking(address, length)
}

function bootCode(entry: number, endian: 'little' | 'big'): Uint8Array {
  const words = new Assembler(0xbfc00000).constant(26, entry).emit('jr', { s: 26 }).nop().finish()
  const view = new DataView(new ArrayBuffer(4 * words.length))
  for (const [index, value] of words.entries()) view.setUint32(4 * index, value, endian === 'little')
  return new Uint8Array(view.buffer)
}
