/**
 * What one run of one case gives.
 */
import { type ConsoleCase, WORKLOADS } from './cases.ts'
import { RunFailed, type TimedMark, tailOf } from './child.ts'

export interface Sample {
  /** What the case is about: to the prompt, of a workload, of a loop; of a whole replay on the project's side. */
  seconds: number
  /** Host CPU time meanwhile. */
  cpuSeconds: number
  /** The most memory that was resident by then. */
  peakBytes: number
  /** Of the whole process, where it ends by itself. */
  wholeSeconds?: number
  /** Guest instructions, where they are known. */
  instructions?: number
  /** Of a program's loop. */
  iterations?: number
  /** Size of the recording that was made. */
  journalBytes?: number
  /** What the project tells of its run. */
  project?: ProjectFigures
}

export interface ProjectFigures {
  instructions: number
  journalBytes: number
  bytesPer1000Instructions: number
  digest: string
  /** `peakBytes` without what was resident of the guest's own memory. */
  peakBeyondGuestBytes: number
  /** Named counts of the CPU node. */
  statistics: Readonly<Record<string, number>>
}

export const PROMPT = '~ #'

/** The line to be typed for a workload. The shell's sum keeps its echo from looking like the mark. */
export function workloadLine(name: ConsoleCase): string {
  return `${WORKLOADS[name].line}; echo done-$((20+3))-${name}`
}

/** A prompt and an end for each workload, in turn. */
export function workloadMarks(workloads: readonly ConsoleCase[]): string[] {
  return workloads.flatMap((name) => [PROMPT, `done-23-${name}`])
}

/** The input script that types the workloads. */
export function workloadScript(workloads: readonly ConsoleCase[]): string {
  const steps = workloads.map((name) => `expect ${PROMPT}\nsend ${workloadLine(name)}\nexpect done-23-${name}\n`)
  return `${steps.join('')}quit\n`
}

/**
 * From the marks of a session of workloads. A line is typed as soon as its prompt has come, on every side, so a workload
 * takes from its prompt to its mark. Throws `RunFailed` if one did not print what it should.
 */
export function workloadSamples(
  workloads: readonly ConsoleCase[],
  marks: readonly TimedMark[],
): Map<ConsoleCase, Sample> {
  return new Map(
    workloads.map((name, index) => {
      const [prompt, end] = marks.slice(2 * index) as [TimedMark, TimedMark]
      if (!WORKLOADS[name].output.test(end.text)) throw new RunFailed(`${name} printed: ${tailOf(end.text)}`)
      return [name, between(prompt, end)]
    }),
  )
}

/** What passed from one mark to another. */
export function between(from: TimedMark, to: TimedMark): Sample {
  return {
    seconds: to.seconds - from.seconds,
    cpuSeconds: to.usage.cpuSeconds - from.usage.cpuSeconds,
    peakBytes: to.usage.peakBytes,
  }
}

/** What passed from the start of the process to a mark. */
export function upTo({ seconds, usage }: TimedMark): Sample {
  return { seconds, ...usage }
}
