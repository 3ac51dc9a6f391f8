import type { Clock, Cpu } from '../bus/mod.ts'
import { InterpretedCpu, type IsaFactory, type TierOptions } from './cpu.ts'
import { Mips } from './isa/mips/mips.ts'
import { LockstepCpu, type LockstepOptions } from './lockstep-cpu.ts'

export type { TierOptions } from './cpu.ts'
export { LiftedCode, LiftedCodeError } from './interpreter/lifted-code.ts'
export { LockstepError, type LockstepOptions } from './lockstep-cpu.ts'
export { BackgroundCompiler, ImmediateCompiler, LateCompiler, type RegionCompiler } from './translator/compilers.ts'
export { HotCode, HotCodeError } from './translator/hot-code.ts'
export { MachineCode, machineCodeLacks, type StoredRegion } from './translator/machine-code.ts'

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
export function createCpu(options: CpuOptions): Cpu {
  return new InterpretedCpu(isaOf(options), options.clock, options.backingBytes, options.tiers)
}

/**
 * For tests: the same, as two CPUs whose states are compared as they run, one interpreting, one with `options.tiers`. Its
 * `run` throws `LockstepError` where they differ.
 */
export function createLockstepCpu(options: CpuOptions, lockstep?: LockstepOptions): Cpu {
  return new LockstepCpu(isaOf(options), options.clock, options.backingBytes, options.tiers, lockstep)
}

function isaOf({ model, endian }: CpuOptions): IsaFactory {
  if (model !== '24Kf') throw new UnknownCpuError(`no CPU model ${model}: there is 24Kf`)
  return (execution, clock) => new Mips(execution, clock, endian)
}
