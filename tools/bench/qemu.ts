/**
 * The peer: QEMU's Malta, with the same images and no devices that the project's Malta lacks.
 */
import { rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { isOnPath } from '../cli/doctor.ts'
import { NoSuchProgram, run } from '../guests/command.ts'
import type { CaseName, Peer, Step } from './cases.ts'
import { type ChildResult, runChild } from './child.ts'
import { LOOP_MARKS, LOOP_MEMORY_MIB, readLoop } from './loops.ts'
import { between, PROMPT, type Sample, upTo, workloadLine, workloadMarks, workloadSamples } from './sample.ts'

const QEMU = 'qemu-system-mipsel'
const PACKAGE = 'qemu-system-mips'
const MACHINE = ['-M', 'malta', '-vga', 'none', '-nic', 'none', '-display', 'none', '-no-reboot']
const CONSOLE = ['-monitor', 'none', '-serial', 'stdio']
const MIB = 2 ** 20
/** What a recording goes on after its prompt, so that a replay has printed the prompt before the log ends. */
const RECORDING_TAIL_MS = 300

/** Installs QEMU from Debian where it is missing and may be installed. Gives why it is not to be had. */
export async function lacksQemu(): Promise<string | undefined> {
  if (isOnPath(QEMU)) return undefined
  const word = `no ${QEMU}: install Debian's ${PACKAGE}`
  if (process.getuid?.() !== 0) return `${word} as root`
  try {
    for (const args of [['update'], ['install', '--yes', '--no-install-recommends', PACKAGE]]) {
      const { status, stderr } = await run('apt-get', args)
      if (status !== 0) return `${word}; apt-get says: ${stderr.trim().split('\n').at(-1) ?? `status ${status}`}`
    }
  } catch (error) {
    if (!(error instanceof NoSuchProgram)) throw error
    return `${word}; there is no apt-get here`
  }
  return isOnPath(QEMU) ? undefined : word
}

/** `QEMU emulator version 7.2.22 (...)`. */
export async function qemuVersion(): Promise<string> {
  const { stdout } = await run(QEMU, ['--version'])
  return stdout.split('\n')[0] ?? ''
}

export interface QemuOptions {
  kernel: string
  initrd: string
  append: string
  memoryBytes: number
  /** Where its recording goes. */
  directory: string
}

export class Qemu {
  readonly #options: QemuOptions

  constructor(options: QemuOptions) {
    this.#options = options
  }

  /** Does one step. Throws `RunFailed`. */
  async run(step: Step): Promise<Map<CaseName, Sample>> {
    switch (step.kind) {
      case 'boot':
      case 'record':
      case 'cpu-replay':
      case 'full-replay':
        return new Map([[step.kind, await this.#boot(step.side as Peer)]])
      case 'console': {
        const { workloads } = step
        const { marks } = await this.#start(this.#guest(), workloadMarks(workloads), {
          // Every other mark is a prompt.
          reply: (index) => (index % 2 === 0 ? `${workloadLine(workloads[index / 2]!)}\n` : undefined),
        })
        return workloadSamples(workloads, marks)
      }
      case 'loop': {
        const { file, iterations, instructions } = readLoop(step.loop)
        const { marks } = await this.#start(['-m', `${LOOP_MEMORY_MIB}`, '-kernel', file], LOOP_MARKS)
        const [begin, end] = marks
        return new Map([[step.loop, { ...between(begin!, end!), iterations, instructions: iterations * instructions }]])
      }
    }
  }

  get #log(): string {
    return join(this.#options.directory, 'qemu.rr')
  }

  async #boot(peer: Peer): Promise<Sample> {
    const isRecording = peer === 'qemu-record'
    if (isRecording) rmSync(this.#log, { force: true })
    const words = [...this.#guest(), ...this.#clock(peer)]
    const { marks } = await this.#start(words, [PROMPT], { endAfterMs: isRecording ? RECORDING_TAIL_MS : 0 })
    return { ...upTo(marks[0]!), ...(isRecording && { journalBytes: statSync(this.#log).size }) }
  }

  #guest(): string[] {
    const { kernel, initrd, append, memoryBytes } = this.#options
    return ['-m', `${memoryBytes / MIB}`, '-kernel', kernel, '-initrd', initrd, '-append', append]
  }

  /** With an instruction counter the RTC must not follow the host, or the kernel calibrates against two clocks. */
  #clock(peer: Peer): string[] {
    const counted = (more: string) => ['-icount', `shift=auto${more}`, '-rtc', 'clock=vm']
    switch (peer) {
      case 'qemu':
        return []
      case 'qemu-icount':
        return counted('')
      case 'qemu-record':
        return counted(`,rr=record,rrfile=${this.#log}`)
      case 'qemu-replay':
        return counted(`,rr=replay,rrfile=${this.#log}`)
    }
  }

  /** Ended with SIGTERM, after which QEMU closes its recording in order. */
  async #start(
    args: readonly string[],
    marks: readonly string[],
    { reply, endAfterMs = 0 }: { reply?: (index: number) => string | undefined; endAfterMs?: number } = {},
  ): Promise<ChildResult> {
    return await runChild({
      program: QEMU,
      args: [...MACHINE, ...CONSOLE, ...args],
      console: 'stdout',
      marks,
      ...(reply !== undefined && { reply }),
      afterLastMark: { endAfterMs },
    })
  }
}
