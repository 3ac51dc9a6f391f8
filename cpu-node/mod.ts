import type { Clock, Cpu } from '../bus/mod.ts'
import { InterpretedCpu, type TierOptions } from './cpu.ts'
import { Mips } from './isa/mips/mips.ts'

export type { TierOptions } from './cpu.ts'
export { BackgroundCompiler, ImmediateCompiler, LateCompiler, type RegionCompiler } from './translator/compilers.ts'
export { HotCode, HotCodeError } from './translator/hot-code.ts'

/** A CPU model that there is none of. */
export class UnknownCpuError extends Error {
  override readonly name = 'UnknownCpuError'
}

export interface CpuOptions {
  /** `24Kf`. */
  model: string
  endian: 'little' | 'big'
  clock: Clock
  /** Size of all memory of the machine, end to end. */
  backingBytes: number
  tiers?: TierOptions
}

/** A CPU node in its power-on state. Throws `UnknownCpuError`. */
export function createCpu({ model, endian, clock, backingBytes, tiers }: CpuOptions): Cpu {
  if (model !== '24Kf') throw new UnknownCpuError(`no CPU model ${model}: there is 24Kf`)
  return new InterpretedCpu((execution) => new Mips(execution, clock, endian), clock, backingBytes, tiers)
}
