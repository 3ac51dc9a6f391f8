/**
 * What a process has used of the host, from Linux's `/proc` (proc(5)).
 */
import { readFileSync } from 'node:fs'

export interface Usage {
  /** User and system time of all its threads. */
  cpuSeconds: number
  /** The most memory that was resident at one time. */
  peakBytes: number
}

/** `USER_HZ`, the same on all of Linux's architectures that Node runs on. */
const TICKS_PER_SECOND = 100
/** Fields of `stat` after the command's name in parentheses, which may hold anything: `state` is field 0. */
const UTIME = 11
const STIME = 12

/** Usage of the process with number `pid`. Undefined once it has ended. */
export function readUsage(pid: number): Usage | undefined {
  try {
    return parseUsage(readFileSync(`/proc/${pid}/stat`, 'latin1'), readFileSync(`/proc/${pid}/status`, 'latin1'))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT' && code !== 'ESRCH') throw error
    return undefined
  }
}

/** From the texts of `stat` and `status`; undefined for a process that has ended and was not waited for. */
export function parseUsage(stat: string, status: string): Usage | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const peak = /^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1]
  if (peak === undefined) return undefined
  const ticks = Number(fields[UTIME]) + Number(fields[STIME])
  return { cpuSeconds: ticks / TICKS_PER_SECOND, peakBytes: Number(peak) * 1024 }
}
