/**
 * What one run of one case gives.
 */
import { stripVTControlCharacters } from 'node:util'
import { type ConsoleCase, type System, WORKLOADS } from './cases.ts'
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

/** What a system's console prints and is told before there is a prompt. */
export interface Login {
  mark: string
  line: string
}

/** What is measured, and how one gets to its prompt. `server`: a host and port that the guest fetches files from. */
export const SYSTEMS: Readonly<
  Record<System, { guest: string; booted: string; prompt: string; login(server: string): readonly Login[] }>
> = {
  installer: { guest: 'debian-mipsel', booted: '~ #', prompt: '~ #', login: () => [] },
  disk: {
    guest: 'debian-mipsel-disk',
    booted: 'debian login:',
    prompt: 'root@debian:~#',
    login: (server) => [
      { mark: 'debian login:', line: 'root' },
      // Until there is a network.
      {
        mark: 'root@debian:~#',
        line: `SERVER=${server}; until ip -4 address show dev eth0 | grep -q inet; do sleep 1; done`,
      },
    ],
  },
}

/** The line to be typed for a workload. The shell's sum keeps its echo from looking like the mark. */
export function workloadLine(name: ConsoleCase): string {
  return `${WORKLOADS[name].line}; echo done-$((20+3))-${name}`
}

/** What the console must print, in order: the login's, then a prompt and an end for each workload. */
export function workloadMarks(system: System, workloads: readonly ConsoleCase[]): string[] {
  const { login, prompt } = SYSTEMS[system]
  return [...login('').map(({ mark }) => mark), ...workloads.flatMap((name) => [prompt, `done-23-${name}`])]
}

/** What is typed when the mark of that number has come. */
export function workloadReply(
  system: System,
  server: string,
  workloads: readonly ConsoleCase[],
): (mark: number) => string | undefined {
  const lines = SYSTEMS[system].login(server).map(({ line }) => line)
  for (const name of workloads) lines.push(workloadLine(name), '')
  return (mark) => lines[mark] || undefined
}

/** The input script that types the workloads. */
export function workloadScript(system: System, server: string, workloads: readonly ConsoleCase[]): string {
  const reply = workloadReply(system, server, workloads)
  const steps = workloadMarks(system, workloads).map((mark, i) => {
    const line = reply(i)
    return `expect ${mark}\n${line === undefined ? '' : `send ${line}\n`}`
  })
  return `limit 3600\n${steps.join('')}quit\n`
}

/**
 * From the marks of a session of workloads. A line is typed as soon as its prompt has come, on every side, so a workload
 * takes from its prompt to its mark. Throws `RunFailed` if one did not print what it should.
 */
export function workloadSamples(
  system: System,
  workloads: readonly ConsoleCase[],
  marks: readonly TimedMark[],
): Map<ConsoleCase, Sample> {
  const first = SYSTEMS[system].login('').length
  return new Map(
    workloads.map((name, index) => {
      const [prompt, end] = marks.slice(first + 2 * index) as [TimedMark, TimedMark]
      // A shell at a terminal turns pasting on and off.
      const text = stripVTControlCharacters(end.text)
      if (!WORKLOADS[name].output.test(text)) throw new RunFailed(`${name} printed: ${tailOf(text)}`)
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
