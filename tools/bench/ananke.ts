/**
 * The project's side: runs of its command line as a person would start them, with an input script at the console.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import { hotCodeDirectory } from '../cli/hot-code.ts'
import { lastObject } from '../cli/testing.ts'
import { codeDirectory } from '../guests/cache-directory.ts'
import {
  type CaseName,
  type ConsoleCase,
  caseOf,
  type ProgramCase,
  type Session,
  type Step,
  type System,
} from './cases.ts'
import { type ChildResult, RunFailed, runChild, tailOf } from './child.ts'
import { LOOP_MARKS, LOOP_MEMORY_MIB, LOOP_SCRIPT, readLoop } from './loops.ts'
import {
  between,
  type ProjectFigures,
  type Sample,
  SYSTEMS,
  upTo,
  workloadMarks,
  workloadSamples,
  workloadScript,
} from './sample.ts'
import type { Usage } from './usage.ts'

const ANANKE = join(import.meta.dirname, '..', '..', 'bin', 'ananke')

const HERMETIC_SERVER = 'server.hermetic.test'

/** What the command prints with `--json`, as far as it is used here. */
const closingSchema = v.object({
  instructions: v.number(),
  journalBytes: v.number(),
  bytesPer1000Instructions: v.number(),
  hostCpuSeconds: v.number(),
  hostPeakBytes: v.number(),
  digest: v.string(),
  statistics: v.objectWithRest({ touchedBytes: v.number() }, v.number()),
})

export interface AnankeOptions {
  /** Where recordings and scripts go. */
  directory: string
  /** What the system on a disk has beside that: a second disk, and what it fetches from on each network. */
  secondDisk: string
  /** A directory, for the hermetic network. */
  served: string
  /** The address at which the guest has the host's server. */
  server: string
  /** No run profits from what the live runs before it found worth translating. */
  isCold: boolean
  /** Node's own options, such as those of its profiler. */
  nodeOptions?: readonly string[]
}

interface AnankeRun {
  child: ChildResult
  /** Of the whole process. */
  usage: Usage
  project: ProjectFigures
}

export class Ananke {
  readonly #options: AnankeOptions

  constructor(options: AnankeOptions) {
    this.#options = options
  }

  /** Does one step. Throws `RunFailed`. */
  async run(step: Step): Promise<Map<CaseName, Sample>> {
    switch (step.kind) {
      case 'boot':
      case 'record':
        return new Map([[caseOf(step.kind, step.system), await this.#boot(step.kind, step.system)]])
      case 'cpu-replay':
      case 'full-replay':
        return new Map([[caseOf(step.kind, step.system), await this.#replay(step.kind, step.system)]])
      case 'console':
        return await this.#console(step)
      case 'loop':
        return new Map([[step.loop, await this.#loop(step.loop)]])
    }
  }

  /** The recording of a boot that replays are of. */
  #recording(system: System): string {
    return join(this.#options.directory, `${system}.ank`)
  }

  async #boot(kind: 'boot' | 'record', system: System): Promise<Sample> {
    const { guest, booted } = SYSTEMS[system]
    const output = this.#recording(system)
    if (kind === 'record') rmSync(output, { recursive: true, force: true })
    const script = this.#script('boot', `expect ${booted}\nquit\n`)
    const words = [kind, guest, '--input', script, ...(kind === 'record' ? ['-o', output] : [])]
    const { child, usage, project } = await this.#start(words, [booted])
    // The time is up to the prompt, the memory that of the whole process.
    return { ...upTo(child.marks[0]!), peakBytes: usage.peakBytes, wholeSeconds: child.seconds, project }
  }

  /** A replay compares up to the end: the whole process counts. */
  async #replay(kind: 'cpu-replay' | 'full-replay', system: System): Promise<Sample> {
    const mode = kind === 'cpu-replay' ? 'cpu' : 'full'
    const { child, usage, project } = await this.#start(['replay', this.#recording(system), '--mode', mode], [])
    return { seconds: child.seconds, ...usage, wholeSeconds: child.seconds, project }
  }

  async #console({ system, network, workloads }: Session): Promise<Map<ConsoleCase, Sample>> {
    const { secondDisk, served, server } = this.#options
    const [net, host] = network === 'user' ? ['user', server] : [`hermetic,root=${served}`, HERMETIC_SERVER]
    const script = this.#script('console', workloadScript(system, host, workloads))
    const more = system === 'disk' ? ['--drive', secondDisk, '--net', net] : []
    const words = [SYSTEMS[system].guest, '--input', script, ...more]
    const { child, project } = await this.#startRecording(words, workloadMarks(system, workloads))
    const samples = [...workloadSamples(system, workloads, child.marks)]
    return new Map(samples.map(([name, sample]) => [name, { ...sample, project }]))
  }

  async #loop(loop: ProgramCase): Promise<Sample> {
    const { file, iterations, instructions } = readLoop(loop)
    const words = ['--kernel', file, '--memory', `${LOOP_MEMORY_MIB}M`, '--input', this.#script('loop', LOOP_SCRIPT)]
    const { child, project } = await this.#startRecording(words, LOOP_MARKS)
    const [begin, end] = child.marks
    return { ...between(begin!, end!), iterations, instructions: iterations * instructions, project }
  }

  /** Records into a recording that nobody needs. */
  async #startRecording(words: readonly string[], marks: readonly string[]): Promise<AnankeRun> {
    const output = join(this.#options.directory, 'run.ank')
    try {
      return await this.#start(['record', ...words, '-o', output], marks)
    } finally {
      rmSync(output, { recursive: true, force: true })
    }
  }

  #script(name: string, text: string): string {
    const file = join(this.#options.directory, `${name}.script`)
    writeFileSync(file, text)
    return file
  }

  async #start(args: readonly string[], marks: readonly string[]): Promise<AnankeRun> {
    if (this.#options.isCold) {
      for (const kept of [hotCodeDirectory(), codeDirectory()]) rmSync(kept, { recursive: true, force: true })
    }
    const { nodeOptions } = this.#options
    const child = await runChild({
      program: ANANKE,
      args: [...args, '--json'],
      ...(nodeOptions !== undefined && { env: { ...process.env, NODE_OPTIONS: nodeOptions.join(' ') } }),
      console: 'stderr',
      marks,
      afterLastMark: 'wait',
    })
    if (child.status !== 0) throw new RunFailed(`ananke ${args[0]} left with ${child.status}: ${tailOf(child.stderr)}`)
    const { hostCpuSeconds, hostPeakBytes, ...closing } = v.parse(closingSchema, lastObject(child.stdout))
    const usage = { cpuSeconds: hostCpuSeconds, peakBytes: hostPeakBytes }
    const peakBeyondGuestBytes = hostPeakBytes - closing.statistics.touchedBytes
    return { child, usage, project: { ...closing, peakBeyondGuestBytes } }
  }
}
