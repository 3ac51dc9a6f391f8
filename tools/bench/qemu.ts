/**
 * The peer: QEMU's Malta, with the same images and no devices that the project's Malta lacks.
 */
import { rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { isOnPath } from '../cli/doctor.ts'
import { NoSuchProgram, run } from '../guests/command.ts'
import { guestNamed } from '../guests/guests.ts'
import { type CaseName, caseOf, type Peer, type Step, type System } from './cases.ts'
import { type ChildResult, runChild } from './child.ts'
import { LOOP_MARKS, LOOP_MEMORY_MIB, readLoop } from './loops.ts'
import { between, type Sample, SYSTEMS, upTo, workloadMarks, workloadReply, workloadSamples } from './sample.ts'

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

/** What recording and replaying a disk or a card takes goes between it and what is behind it. */
const isRecordReplay = (peer: Peer) => peer === 'qemu-record' || peer === 'qemu-replay'

/** A disk that is not written: number 0 is the primary master. */
function driveWords(path: string, number: number, peer: Peer): string[] {
  const file = `file=${path},if=none,format=raw,snapshot=on,id=file${number}`
  const device = (drive: string) => ['-device', `ide-hd,bus=ide.${number >> 1},unit=${number & 1},drive=${drive}`]
  if (!isRecordReplay(peer)) return ['-drive', file, ...device(`file${number}`)]
  return [
    '-drive',
    file,
    '-drive',
    `driver=blkreplay,if=none,image=file${number},id=rr${number}`,
    ...device(`rr${number}`),
  ]
}

/** The card on board, without its boot program. */
function cardWords(peer: Peer): string[] {
  const filter = isRecordReplay(peer) ? ['-object', 'filter-replay,id=replay,netdev=net'] : []
  return ['-netdev', 'user,id=net', '-device', 'pcnet,netdev=net,romfile=,addr=0b.0', ...filter]
}

export interface QemuOptions {
  /** Where a system's images are. */
  images(system: System): string
  /** Where its recordings go. */
  directory: string
  /** What the system on a disk has beside that: a second disk, and a server that the guest reaches at this address. */
  secondDisk: string
  server: string
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
        return new Map([[caseOf(step.kind, step.system), await this.#boot(step.side as Peer, step.system)]])
      case 'console': {
        const { system, workloads } = step
        const disks = system === 'disk' ? driveWords(this.#options.secondDisk, 1, 'qemu') : []
        const words = [...this.#guest(system, 'qemu'), ...disks]
        const { marks } = await this.#start(words, workloadMarks(system, workloads), {
          reply: (mark) => {
            const line = workloadReply(system, this.#options.server, workloads)(mark)
            return line === undefined ? undefined : `${line}\n`
          },
        })
        return workloadSamples(system, workloads, marks)
      }
      case 'loop': {
        const { file, iterations, instructions } = readLoop(step.loop)
        const { marks } = await this.#start(['-m', `${LOOP_MEMORY_MIB}`, '-kernel', file], LOOP_MARKS)
        const [begin, end] = marks
        return new Map([[step.loop, { ...between(begin!, end!), iterations, instructions: iterations * instructions }]])
      }
    }
  }

  async #boot(peer: Peer, system: System): Promise<Sample> {
    const isRecording = peer === 'qemu-record'
    const log = join(this.#options.directory, `${system}.rr`)
    if (isRecording) rmSync(log, { force: true })
    const words = [...this.#guest(system, peer), ...this.#clock(peer, log)]
    const { marks } = await this.#start(words, [SYSTEMS[system].booted], {
      endAfterMs: isRecording ? RECORDING_TAIL_MS : 0,
    })
    return { ...upTo(marks[0]!), ...(isRecording && { journalBytes: statSync(log).size }) }
  }

  #guest(system: System, peer: Peer): string[] {
    const { memoryBytes, append } = guestNamed(SYSTEMS[system].guest)
    const images = this.#options.images(system)
    const words = ['-kernel', join(images, 'kernel'), '-initrd', join(images, 'initrd'), '-append', append]
    const disk = system === 'disk' ? [...driveWords(join(images, 'disk'), 0, peer), ...cardWords(peer)] : []
    return ['-m', `${memoryBytes / MIB}`, ...words, ...disk]
  }

  /** With an instruction counter the RTC must not follow the host, or the kernel calibrates against two clocks. */
  #clock(peer: Peer, log: string): string[] {
    const counted = (more: string) => ['-icount', `shift=auto${more}`, '-rtc', 'clock=vm']
    switch (peer) {
      case 'qemu':
        return []
      case 'qemu-icount':
        return counted('')
      case 'qemu-record':
        return counted(`,rr=record,rrfile=${log}`)
      case 'qemu-replay':
        return counted(`,rr=replay,rrfile=${log}`)
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
