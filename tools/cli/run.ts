/**
 * `ananke boot` and `ananke record`: a live machine, with a person or a script at its console.
 */
import { resolve } from 'node:path'
import type { NodeName, StopReason } from '../../bus/mod.ts'
import {
  HostConsole,
  type HostNetwork,
  type NetworkBackend,
  networkBackend,
  parseScript,
  Typist,
} from '../../device-nodes/mod.ts'
import {
  Alarm,
  type LiveOptions,
  type MachineSpec,
  nodeNames,
  type RunResult,
  runLive,
} from '../../orchestrator/mod.ts'
import { type DriveImage, type Image, RecordingWriter } from '../../replay-store/mod.ts'
import type { Drive } from '../images/drive.ts'
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
import { INITRD_IMAGE, KERNEL_IMAGE } from './recorded-images.ts'
import { type BootRequest, type BootWords, readRequest } from './request.ts'
import { version } from './version.ts'

export interface RunWords extends BootWords {
  output?: string
  pcap?: string
  json?: boolean
}

/** Who sits at the machine's console. */
interface Seat {
  options: Pick<LiveOptions, 'sources' | 'listeners' | 'paced'>
  attach(): void
  detach(): void
  /** Why the seat itself ended the run with `failed`. */
  failure(): Error | undefined
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

async function runMachine(
  request: BootRequest,
  words: RunWords,
  { progress, alarm, network }: RunHost,
): Promise<number> {
  const { kernel, initrd, machine: machineName, options } = request
  const hotCodePath = cachedHotCodePath(request.kernelHash)
  const hotCode = await cachedHotCode(hotCodePath)
  const cached = new CachedCode(guestName(machineName, request.kernelHash))
  const { machineCode, liftedCode } = cached
  const tiers = { hotCode, machineCode, liftedCode }
  const drives = request.drives.map(({ image }) => image)
  const images = { kernel, ...(initrd !== undefined && { initrd }), drives }
  const machine = buildMachine(machineName, options, images, tiers)
  const console = machine.board.console
  // Standard output is for the result where a program reads it.
  const screen = words.json ? process.stderr : process.stdout
  let place = { instructions: 0, vt: 0 }
  // A guest prints single characters; they are shown together, slice by slice.
  let printed: Uint8Array[] = []
  let isSilent = true
  const show = () => {
    if (printed.length === 0) return
    progress.clear()
    isSilent = false
    screen.write(Buffer.concat(printed))
    printed = []
  }
  const describe = () => `instruction ${grouped(place.instructions)}, ${vtText(place.vt)} virtual seconds`
  const seat =
    request.script === undefined
      ? personSeat(console, screen, { describe, alarm })
      : scriptSeat(console, request.script)
  const driveImages = words.output === undefined ? [] : await hashDrives(machine, request.drives, progress)
  const capture = words.pcap === undefined ? undefined : startCapture(words.pcap, request, machine, progress)
  const { output } = words
  const recording =
    output === undefined ? undefined : orDiscard(capture, () => startRecording(output, request, machine, driveImages))
  const { sources, listeners = [], paced = false } = seat.options
  const interruption = new Interruption()
  const meter = new RunMeter(progress)
  seat.attach()
  try {
    const result = await runLive({
      machine: recording === undefined ? machine : withRecordedDrives(machine, recording),
      // Who is at the other end of a host's network lives in host time, and waits for what the guest sends.
      paced: paced || network?.kind === 'host',
      ...(network?.kind === 'host' && { sliceInstructions: NETWORK_SLICE_INSTRUCTIONS }),
      alarm,
      sources: network === undefined ? sources : [...sources, network],
      listeners: network?.kind === 'scripted' ? [...listeners, network.hear] : listeners,
      ...(recording !== undefined && { recording }),
      signal: interruption.signal,
      onOutput: (src, bytes, vt, entryNumber) => {
        if (src === console) printed.push(bytes)
        else if (network?.kind === 'host') network.hear(src, bytes, vt, entryNumber)
      },
      ...(capture !== undefined && { onTraffic: capture.hear }),
      onProgress: (now) => {
        place = now
        show()
        // Kernels unpack themselves in silence; after that a terminal belongs to the guest.
        if (isSilent || !screen.isTTY)
          meter.update(`${words.output === undefined ? 'running' : 'recording'} ${request.guest}`, now)
      },
    })
    show()
    progress.clear()
    seat.detach()
    if (network?.kind === 'host') await endNetwork(network)
    const lost = recording?.checkpointFailure
    if (lost !== undefined)
      note(`${lost.message} The recording does without this checkpoint, and its replay may take longer.`)
    if (words.output !== undefined) recordHotCode(words.output, hotCode)
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

async function endNetwork(network: HostNetwork): Promise<void> {
  await network.close()
  if (network.losses !== undefined) note(network.losses)
}

/** How fast a run of unknown length goes. */
class RunMeter {
  readonly #progress: Progress
  readonly #startedMs = performance.now()

  constructor(progress: Progress) {
    this.#progress = progress
  }

  update(label: string, { instructions, vt }: { instructions: number; vt: number }): void {
    this.#progress.update(label, undefined, () => {
      const mips = instructions / (performance.now() - this.#startedMs) / 1e3
      const done = `${grouped(Math.floor(instructions / 1e6))} million instructions, ${(vt / 1e9).toFixed(1)} virtual s`
      return `${done}, ${mips.toFixed(1)} MIPS`
    })
  }
}

function personSeat(
  console: NodeName,
  screen: NodeJS.WriteStream,
  { describe, alarm }: { describe: () => string; alarm: Alarm },
): Seat {
  const terminal = new HostConsole({
    input: process.stdin,
    output: screen,
    messages: process.stderr,
    console,
    describe,
    onInput: () => alarm.ring(),
  })
  return {
    options: { sources: [terminal], paced: true },
    attach: () => terminal.attach(),
    detach: () => terminal.detach(),
    failure: () => undefined,
  }
}

function scriptSeat(console: NodeName, script: { name: string; text: string }): Seat {
  const typist = new Typist(parseScript(script.text, script.name), console)
  return {
    options: { sources: [typist], listeners: [typist.hear] },
    attach: () => {},
    detach: () => {},
    failure: () => typist.failure,
  }
}

/** The images of the machine's drives, with what tells them from others. */
async function hashDrives({ loads }: MachineSpec, drives: readonly Drive[], progress: Progress): Promise<DriveImage[]> {
  const images: DriveImage[] = []
  for (const [i, load] of loads.filter((each) => 'storage' in each).entries()) {
    const { path, image, sha256: known } = drives[i]!
    const sha256 = known ?? (await image.sha256((fraction) => progress.update(`hashing ${path}`, fraction)))
    images.push({ name: load.storage, image, path: resolve(path), sha256 })
  }
  progress.clear()
  return images
}

/** The same machine, whose recording keeps what it reads of its drives. */
function withRecordedDrives(machine: MachineSpec, recording: RecordingWriter): MachineSpec {
  const loads = machine.loads.map((load) =>
    'storage' in load ? { ...load, image: recording.drive(load.storage) } : load,
  )
  return { ...machine, loads }
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

function startRecording(
  directory: string,
  request: BootRequest,
  { board }: MachineSpec,
  drives: readonly DriveImage[],
): RecordingWriter {
  const { machine, options, guest, memoryBytes, startSeconds, script } = request
  const { kernelFile, kernelHash, initrd, initrdHash } = request
  const images: Image[] = [{ name: KERNEL_IMAGE, bytes: kernelFile, sha256: kernelHash }]
  if (initrd !== undefined) {
    images.push({ name: INITRD_IMAGE, bytes: initrd, ...(initrdHash !== undefined && { sha256: initrdHash }) })
  }
  return RecordingWriter.begin(
    directory,
    {
      createdWith: version,
      board: { name: machine, options },
      guest,
      nsPerInstruction: board.nsPerInstruction,
      gridNs: board.gridNs,
      hashNs: board.hashNs,
      memoryBytes,
      rtcSeconds: startSeconds,
      nodes: nodeNames(board),
      ...(script !== undefined && { script: script.text }),
    },
    images,
    { isThreaded: true, drives },
  )
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
