/**
 * `ananke boot` and `ananke record`: a live machine, with a person or a script at its console.
 */
import type { StopReason } from '../../bus/mod.ts'
import type { TierOptions } from '../../cpu-node/mod.ts'
import { type NetworkBackend, networkBackend } from '../../device-nodes/mod.ts'
import {
  Alarm,
  type LiveOptions,
  type MachineSpec,
  type Progress as RunProgress,
  type RunResult,
  runLive,
} from '../../orchestrator/mod.ts'
import { CachedCode, guestName } from './cached-code.ts'
import { closingLine } from './closing.ts'
import { STATUS_FAILED, STATUS_OK } from './failure.ts'
import { grouped, vtText } from './format.ts'
import { cachedHotCode, cachedHotCodePath, cacheHotCode, recordHotCode } from './hot-code.ts'
import { Interruption } from './interruption.ts'
import { buildMachine } from './machine.ts'
import { CARD, type Net } from './net.ts'
import { note, printLine } from './output.ts'
import { LiveCapture } from './pcap.ts'
import { Progress } from './progress.ts'
import { hashDrives, startRecording, withRecordedDrives } from './record.ts'
import { type BootRequest, type BootWords, readRequest } from './request.ts'
import { personSeat, Screen, type Seat, scriptSeat } from './seat.ts'

export interface RunWords extends BootWords {
  output?: string
  pcap?: string
  json?: boolean
}

/**
 * With a network of the host: so few that of what comes and goes meanwhile (64 frames on a Malta) sockets hold all. The host is served for
 * a twentieth of a busy guest's time.
 */
const NETWORK_SLICE_INSTRUCTIONS = 2_000_000

/** What a run has of its host besides its files. */
interface RunHost {
  progress: Progress
  alarm: Alarm
  network: NetworkBackend | undefined
}

/** Gives the exit status. With `words.output` the run is recorded there. */
export async function runCommand(guest: string | undefined, words: RunWords): Promise<number> {
  const progress = new Progress()
  const request = await readRequest(guest, words, Math.floor(Date.now() / 1000), (stage, fraction) => {
    progress.update(stage, fraction)
  }).finally(() => progress.clear())
  const alarm = new Alarm()
  const network = request.net && (await startNetwork(request.net, { progress, alarm }))
  try {
    return await runMachine(request, words, { progress, alarm, network })
  } finally {
    if (network?.kind === 'host') await network.close()
  }
}

async function runMachine(request: BootRequest, words: RunWords, host: RunHost): Promise<number> {
  const { progress, network } = host
  const hotCodePath = cachedHotCodePath(request.kernelHash)
  const hotCode = await cachedHotCode(hotCodePath)
  const cached = new CachedCode(guestName(request.machine, request.kernelHash))
  const { machineCode, liftedCode } = cached
  const machine = requestedMachine(request, { hotCode, machineCode, liftedCode })
  // Standard output is for the result where a program reads it.
  const screen = new Screen(words.json ? process.stderr : process.stdout, progress)
  const meter = new RunMeter(progress, `${words.output === undefined ? 'running' : 'recording'} ${request.guest}`)
  const { console } = machine.board
  const seat =
    request.script === undefined
      ? personSeat(console, screen, { describe: () => meter.placeText(), alarm: host.alarm })
      : scriptSeat(console, request.script)
  const { output } = words
  const driveImages = output === undefined ? [] : await hashDrives(machine, request.drives, progress)
  const capture = words.pcap === undefined ? undefined : startCapture(words.pcap, request, machine, progress)
  const recording =
    output === undefined ? undefined : orDiscard(capture, () => startRecording(output, request, machine, driveImages))
  const interruption = new Interruption()
  seat.attach()
  try {
    const result = await runLive({
      ...liveOptions(seat, host),
      machine: recording === undefined ? machine : withRecordedDrives(machine, recording),
      ...(recording !== undefined && { recording }),
      signal: interruption.signal,
      onOutput: (src, bytes, vt, entryNumber) => {
        if (src === console) screen.print(bytes)
        else if (network?.kind === 'host') network.hear(src, bytes, vt, entryNumber)
      },
      ...(capture !== undefined && { onTraffic: capture.hear }),
      onProgress: (now) => {
        screen.show()
        meter.update(now, screen.isTaken)
      },
    })
    screen.show()
    progress.clear()
    seat.detach()
    if (network !== undefined) await endNetwork(network)
    const lost = recording?.checkpointFailure
    if (lost !== undefined)
      note(`${lost.message} The recording does without this checkpoint, and its replay may take longer.`)
    if (output !== undefined) recordHotCode(output, hotCode)
    cacheHotCode(hotCodePath, hotCode)
    cached.keep()
    return await reportRun(result, words, seat.failure(), interruption.signal.aborted)
  } finally {
    capture?.close()
    progress.clear()
    seat.detach()
    interruption.dispose()
  }
}

function requestedMachine(request: BootRequest, tiers: TierOptions): MachineSpec {
  const { kernel, initrd, machine, options, drives } = request
  const images = { kernel, ...(initrd !== undefined && { initrd }), drives: drives.map(({ image }) => image) }
  return buildMachine(machine, options, images, tiers)
}

/** What a run has of who is at its console and at the other end of its network. */
function liveOptions(
  { options: { sources, listeners = [], paced = false } }: Seat,
  { alarm, network }: RunHost,
): Pick<LiveOptions, 'alarm' | 'sources' | 'listeners' | 'paced' | 'sliceInstructions'> {
  return {
    alarm,
    sources: network === undefined ? sources : [...sources, network],
    listeners: network?.kind === 'scripted' ? [...listeners, network.hear] : listeners,
    // Who is at the other end of a host's network lives in host time, and waits for what the guest sends.
    paced: paced || network?.kind === 'host',
    ...(network?.kind === 'host' && { sliceInstructions: NETWORK_SLICE_INSTRUCTIONS }),
  }
}

/** Throws a `NetworkError`. */
async function startNetwork(
  { backend }: Net,
  { progress, alarm }: { progress: Progress; alarm: Alarm },
): Promise<NetworkBackend> {
  const network = await networkBackend(backend, CARD, {
    note: (text) => {
      progress.clear()
      note(text)
    },
    onInput: () => alarm.ring(),
  })
  if (network.kind === 'host') await network.start()
  return network
}

async function endNetwork(network: NetworkBackend): Promise<void> {
  if (network.kind === 'host') await network.close()
  if (network.losses !== undefined) note(network.losses)
}

/** How fast a run of unknown length goes, and how far it is. */
class RunMeter {
  readonly #progress: Progress
  readonly #label: string
  readonly #startedMs = performance.now()
  #now: RunProgress = { instructions: 0, vt: 0, entries: 0 }

  constructor(progress: Progress, label: string) {
    this.#progress = progress
    this.#label = label
  }

  placeText(): string {
    return `instruction ${grouped(this.#now.instructions)}, ${vtText(this.#now.vt)} virtual seconds`
  }

  update(now: RunProgress, isHidden: boolean): void {
    this.#now = now
    if (isHidden) return
    this.#progress.update(this.#label, undefined, () => {
      const mips = now.instructions / (performance.now() - this.#startedMs) / 1e3
      const done = `${grouped(Math.floor(now.instructions / 1e6))} million instructions, ${(now.vt / 1e9).toFixed(1)} virtual s`
      return `${done}, ${mips.toFixed(1)} MIPS`
    })
  }
}

function startCapture(
  path: string,
  { startSeconds }: BootRequest,
  { board }: MachineSpec,
  progress: Progress,
): LiveCapture {
  return new LiveCapture(path, board, startSeconds, (message) => {
    progress.clear()
    note(message)
  })
}

/** What `start` gives; if it fails there will be no run, and nothing to capture. */
function orDiscard<T>(capture: LiveCapture | undefined, start: () => T): T {
  try {
    return start()
  } catch (error) {
    capture?.discard()
    throw error
  }
}

const ENDINGS: Readonly<Record<StopReason, string>> = {
  poweroff: 'the guest powered off',
  quit: 'the run was ended',
  limit: 'the run reached its limit',
  failed: 'the run failed',
}

async function reportRun(
  result: RunResult,
  words: RunWords,
  seatFailure: Error | undefined,
  wasInterrupted: boolean,
): Promise<number> {
  const failure = seatFailure ?? result.failure
  const ending = wasInterrupted ? 'interrupted' : ENDINGS[result.reason]
  const where = words.output === undefined ? '' : `; the recording is ${words.output}`
  const isGood = result.reason !== 'failed' && !wasInterrupted
  if (!words.json && process.stdout.isTTY) await printLine('')
  note(`${failure?.message.trim().replaceAll(/\s*\n\s*/g, ' ') ?? ending}${where}`)
  await printLine(
    words.json
      ? JSON.stringify({
          ...result.summary,
          reason: result.reason,
          interrupted: wasInterrupted,
          ...(failure && { failure: failure.message }),
        })
      : closingLine(result.summary),
  )
  return isGood ? STATUS_OK : STATUS_FAILED
}
