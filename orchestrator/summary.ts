/**
 * The closing line's numbers.
 */
import type { Vt } from '../bus/mod.ts'

export interface RunSummary {
  /** Guest instructions attempted. */
  instructions: number
  virtualSeconds: number
  hostSeconds: number
  /** Million guest instructions a host second; 0 where no CPU ran. */
  mips: number
  /** Bytes of the journal on disk; 0 for a run that keeps none. */
  journalBytes: number
  bytesPer1000Instructions: number
  /** Of this process up to now: CPU time of all its threads, and the most memory that was resident. */
  hostCpuSeconds: number
  hostPeakBytes: number
  /** `runDigest`; absent for a replay of one device, or one that stopped before the end. */
  digest?: string
  /** Named counts of the CPU node (`Cpu.statistics`), where there is one. They depend on the host's tiers and say nothing of the guest. */
  statistics?: Readonly<Record<string, number>>
}

export interface SummaryInput {
  instructions: number
  vt: Vt
  hostMs: number
  journalBytes: number
  /** Whether a CPU ran them. Default: yes. */
  ranCpu?: boolean
  digest?: string
  statistics?: Readonly<Record<string, number>>
}

export function summarize(input: SummaryInput): RunSummary {
  const { instructions, vt, hostMs, journalBytes, ranCpu = true, digest, statistics } = input
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
  return {
    instructions,
    virtualSeconds: vt / 1e9,
    hostSeconds: hostMs / 1e3,
    mips: ranCpu && hostMs > 0 ? instructions / hostMs / 1e3 : 0,
    journalBytes,
    bytesPer1000Instructions: instructions > 0 ? (journalBytes * 1000) / instructions : 0,
    hostCpuSeconds: (userCPUTime + systemCPUTime) / 1e6,
    hostPeakBytes: maxRSS * 1024,
    ...(digest !== undefined && { digest }),
    ...(statistics !== undefined && { statistics }),
  }
}
