/**
 * `ananke replay` and `ananke diff`: comparing with a recording.
 */
import type { Message } from '../../bus/mod.ts'
import type { Divergence, ReplayMode, ReplayResult } from '../../orchestrator/mod.ts'
import { Recording } from '../../replay-store/mod.ts'
import { UsageError, UserError } from '../errors.ts'
import { closingLine } from './closing.ts'
import { divergenceLines, divergenceObject } from './divergence-report.ts'
import { recordedMachineModule } from './early-start.ts'
import { STATUS_DIVERGED, STATUS_FAILED, STATUS_OK } from './failure.ts'
import { grouped, parseCount } from './format.ts'
import { Interruption } from './interruption.ts'
import { EntryDecoder } from './log-line.ts'
import { note, print, printLine } from './output.ts'
import { Progress } from './progress.ts'
import { readImages } from './recorded-images.ts'

export interface ReplayWords {
  mode: string
  verify?: boolean
  until?: string
  parts?: string
  console?: boolean
  json?: boolean
}

/** `cpu`, `full` or `device:NAME`. */
export function parseMode(text: string): ReplayMode {
  if (text === 'cpu' || text === 'full') return text
  const device = /^device:(.+)$/.exec(text)?.[1]
  if (device === undefined) throw new UsageError(`'${text}' is no mode; there is cpu, full, and device:NAME`)
  return { device }
}

/** An option's instruction count. @throws UsageError if `text` is none. */
export function parseIcount(text: string, option: string): number {
  const icount = parseCount(text)
  if (icount === undefined) throw new UsageError(`'${text}' is no instruction count for ${option}; give a whole number`)
  return icount
}

function parseParts(text: string): number {
  const parts = parseCount(text)
  if (parts === undefined || parts === 0) throw new UsageError(`'${text}' is no count of parts for --parts`)
  return parts
}

/** Gives the exit status. */
export async function replayCommand(directory: string, words: ReplayWords): Promise<number> {
  const mode = parseMode(words.mode)
  const until = words.until === undefined ? undefined : parseIcount(words.until, '--until')
  const parts = words.parts === undefined ? undefined : parseParts(words.parts)
  const recording = Recording.open(directory)
  if (words.verify) verifyStore(recording)
  // They are read while all that a replay needs is loaded, and checked when the CPU has its known code translated.
  const images = readImages(recording)
  const { PartThreads, replay } = await import('../../orchestrator/mod.ts')
  const split = { recording, machine: recordedMachineModule, onNote: note, ...(parts !== undefined && { parts }) }
  await using threads = mode === 'cpu' && until === undefined ? new PartThreads(split) : undefined
  const { recordedHotCode } = await import('./hot-code.ts')
  const { recordedMachine } = await import('./machine.ts')
  const { CachedCode, recordedGuestName } = await import('./cached-code.ts')
  const cached = new CachedCode(recordedGuestName(recording))
  const { machineCode, liftedCode } = cached
  const tiers = { hotCode: await recordedHotCode(recording), machineCode, liftedCode }
  const machine = recordedMachine(recording, images, tiers)
  const progress = new Progress()
  const interruption = new Interruption()
  const started = performance.now()
  const total = Math.min(until ?? Number.POSITIVE_INFINITY, lastIcount(recording))
  const result = await replay({
    recording,
    machine,
    mode,
    signal: interruption.signal,
    onNote: note,
    ...(threads !== undefined && { threads }),
    ...(until !== undefined && { until }),
    ...(words.console && {
      onOutput: (src: string, bytes: Uint8Array) => {
        if (src === machine.board.console) process.stdout.write(bytes)
      },
    }),
    onProgress: ({ instructions }) => {
      progress.update(
        `replaying ${directory} (${words.mode})`,
        total > 0 ? instructions / total : undefined,
        () => `${(instructions / (performance.now() - started) / 1e3).toFixed(1)} MIPS`,
      )
    },
  }).finally(() => {
    progress.clear()
    interruption.dispose()
  })
  cached.keep()
  return await reportReplay(recording, new EntryDecoder(machine.board), words, result)
}

/** Reads every byte of the recording before any of it is used. */
function verifyStore(recording: Recording): void {
  const damage = recording.verify()
  if (damage.length === 0) return
  const more = damage.length > 1 ? ` (and ${damage.length - 1} more)` : ''
  throw new UserError(`${damage[0]!.message}${more}`, { cause: damage[0] })
}

/** How far the recorded run came. */
export function lastIcount(recording: Recording): number {
  return recording.entryCount === 0 ? 0 : recording.entry(recording.entryCount - 1).icount
}

async function reportReplay(
  recording: Recording,
  decoder: EntryDecoder,
  words: ReplayWords,
  result: ReplayResult,
): Promise<number> {
  const { summary } = result
  if (words.json) {
    const place =
      result.state === 'diverged' ? divergenceObject(result.divergence, recording.entries(), decoder) : undefined
    const outcome = {
      ...summary,
      mode: words.mode,
      state: result.state,
      ...('reason' in result && { reason: result.reason }),
      ...('entries' in result && { entries: result.entries }),
      ...('position' in result && { position: result.position }),
      ...(place !== undefined && { divergence: place }),
    }
    await printLine(JSON.stringify(outcome))
  }
  switch (result.state) {
    case 'agreed':
      if (recording.manifest.end === undefined) note('the recording has no digest to compare with: it was not closed')
      break
    case 'cut':
      note(`${recording.directory} was cut off; its ${grouped(result.entries)} whole entries agree`)
      break
    case 'until':
    case 'aborted': {
      const { icount, entries } = result.position
      const verb = result.state === 'until' ? 'stopped' : 'interrupted'
      note(`${verb} before instruction ${grouped(icount)}; all ${grouped(entries)} entries up to there agree`)
      break
    }
    case 'diverged':
      if (!words.json) await printDivergence(result.divergence, recording.entries(), decoder)
      break
  }
  if (!words.json) await printLine(closingLine(summary))
  if (result.state === 'diverged') return STATUS_DIVERGED
  return result.state === 'aborted' ? STATUS_FAILED : STATUS_OK
}

async function printDivergence(
  divergence: Divergence,
  journal: Iterable<Message>,
  decoder: EntryDecoder,
): Promise<void> {
  await print(`${divergenceLines(divergence, journal, decoder).join('\n')}\n`)
}

/** Gives the exit status: 0 for recordings with the same entries, 3 for others. */
export async function diffCommand(first: string, second: string, words: { json?: boolean }): Promise<number> {
  const [a, b] = [Recording.open(first), Recording.open(second)]
  const { diff } = await import('../../orchestrator/mod.ts')
  const { recordedBoard } = await import('./machine.ts')
  const divergence = diff(a, b)
  const decoder = new EntryDecoder(recordedBoard(a))
  if (words.json) {
    const same = divergence === undefined
    await printLine(
      JSON.stringify({
        same,
        ...(same
          ? { entries: a.entryCount, identity: a.identity() }
          : { divergence: divergenceObject(divergence, a.entries(), decoder) }),
      }),
    )
  } else if (divergence === undefined) {
    await printLine(`the same ${grouped(a.entryCount)} entries, identity ${a.identity()}`)
  } else {
    await printLine(`expected is ${first}, actual is ${second}`)
    await printDivergence(divergence, a.entries(), decoder)
  }
  return divergence === undefined ? STATUS_OK : STATUS_DIVERGED
}
