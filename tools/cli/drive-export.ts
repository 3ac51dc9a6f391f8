/**
 * `ananke drive export`: a drive as it stood at some moment of a recorded run, as a file.
 *
 * The run is replayed up to there, from the last checkpoint before, which gives what was written; the rest is the image's that was
 * recorded, of which the recording has only what the run read.
 */
import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { resolve } from 'node:path'
import type { MachineContents, Storage } from '../../bus/mod.ts'
import { replay } from '../../orchestrator/mod.ts'
import { Recording } from '../../replay-store/mod.ts'
import { UsageError, UserError } from '../errors.ts'
import { DriveFile, writeAt, writeBlocks } from '../images/drive.ts'
import { CachedCode, recordedGuestName } from './cached-code.ts'
import { STATUS_DIVERGED, STATUS_FAILED, STATUS_OK } from './failure.ts'
import { grouped } from './format.ts'
import { recordedHotCode } from './hot-code.ts'
import { Interruption } from './interruption.ts'
import { recordedMachine } from './machine.ts'
import { note, printLine } from './output.ts'
import { Progress } from './progress.ts'
import { readImages } from './recorded-images.ts'
import { lastIcount, parseIcount } from './replay.ts'

export interface ExportWords {
  output: string
  at?: string
  image?: string
}

/** Of an image that is copied. */
const PIECE_BYTES = 2 ** 20

type DriveRecord = NonNullable<Recording['manifest']['drives']>[number]

/** Gives the exit status. */
export async function exportDrive(directory: string, name: string | undefined, words: ExportWords): Promise<number> {
  const until = words.at === undefined ? undefined : parseIcount(words.at, '--at')
  if (fs.existsSync(words.output)) {
    throw new UserError(`${words.output} exists. Remove it, or write to another file.`)
  }
  const recording = Recording.open(directory)
  const drive = driveOf(recording, name)
  const progress = new Progress()
  try {
    // Read by another thread while the image is hashed.
    const images = readImages(recording)
    const image = await imageOf(drive, words.image ?? drive.path, progress)
    const interruption = new Interruption()
    const total = Math.min(until ?? Number.POSITIVE_INFINITY, lastIcount(recording))
    let contents: MachineContents | undefined
    const started = performance.now()
    let first: number | undefined
    // What the recorder found worth translating is translated at once.
    const cached = new CachedCode(recordedGuestName(recording))
    const { machineCode, liftedCode } = cached
    const tiers = { hotCode: await recordedHotCode(recording), machineCode, liftedCode }
    const result = await replay({
      recording,
      machine: recordedMachine(recording, images, tiers),
      mode: 'cpu',
      fromCheckpoint: true,
      onNote: (text) => {
        progress.clear()
        note(text)
      },
      signal: interruption.signal,
      onEnd: (reached) => {
        contents = reached
      },
      onProgress: ({ instructions }) => {
        // From a checkpoint on.
        first ??= instructions
        const from = first
        progress.update(
          `replaying ${directory}`,
          total > from ? (instructions - from) / (total - from) : undefined,
          () => `${((instructions - from) / (performance.now() - started) / 1e3).toFixed(1)} MIPS`,
        )
      },
      ...(until !== undefined && { until }),
    }).finally(() => interruption.dispose())
    if (result.state === 'diverged') {
      note(`${directory} diverges at entry ${grouped(result.divergence.entry)}: see 'ananke replay ${directory}'`)
      return STATUS_DIVERGED
    }
    if (result.state === 'aborted') {
      note(`interrupted; ${words.output} was not written`)
      return STATUS_FAILED
    }
    const storage = contents?.storage(drive.name)
    assert(storage !== undefined, 'a replay that ended has the drives of its machine')
    await writeDrive(words.output, image, storage, (part) => progress.update(`writing ${words.output}`, part))
    progress.clear()
    const { instructions } = result.summary
    await printLine(`${words.output}: ${drive.name} of ${directory} before instruction ${grouped(instructions)}`)
    return STATUS_OK
  } finally {
    progress.clear()
  }
}

function driveOf({ directory, manifest }: Recording, name: string | undefined): DriveRecord {
  const { drives = [] } = manifest
  const names = drives.map((drive) => drive.name).join(', ')
  if (drives.length === 0) throw new UserError(`${directory} was recorded without drives`)
  const found = name === undefined && drives.length === 1 ? drives[0] : drives.find((drive) => drive.name === name)
  if (found !== undefined) return found
  if (name === undefined) throw new UsageError(`${directory} has several drives: name one of ${names}`)
  throw new UsageError(`${directory} has no drive ${name}; it has ${names}`)
}

/** The image that was recorded. @throws ImageError, UserError */
async function imageOf(drive: DriveRecord, path: string, progress: Progress): Promise<DriveFile> {
  const where = `give the image of ${drive.name} that was recorded, of SHA-256 ${drive.sha256}, with --image`
  if (!fs.existsSync(path)) throw new UserError(`${path}: no such file; ${where}`)
  const image = new DriveFile(path, 1)
  const sha256 =
    image.bytes === drive.bytes ? await image.sha256((part) => progress.update(`hashing ${path}`, part)) : ''
  if (sha256 !== drive.sha256) throw new UserError(`${path} is not what it was when it was recorded; ${where}`)
  return image
}

/** Writes the image with what was written over it: a whole file, or none. `report` gets the part that is done. */
async function writeDrive(
  output: string,
  image: DriveFile,
  storage: Storage,
  report: (part: number) => void,
): Promise<void> {
  const temporary = `${resolve(output)}.tmp`
  try {
    const file = fs.openSync(temporary, 'w', 0o644)
    try {
      await copyImage(file, image, report)
      writeBlocks(file, storage)
    } finally {
      fs.closeSync(file)
    }
    fs.renameSync(temporary, output)
  } catch (cause) {
    fs.rmSync(temporary, { force: true })
    throw cause instanceof UserError
      ? cause
      : new UserError(`${output}: cannot write: ${(cause as Error).message}`, { cause })
  }
}

/** With holes where the image has nothing but zeros. */
async function copyImage(file: number, image: DriveFile, report: (part: number) => void): Promise<void> {
  fs.ftruncateSync(file, image.bytes)
  const buffer = Buffer.alloc(Math.min(PIECE_BYTES, image.bytes))
  const zeros = Buffer.alloc(buffer.length)
  for (let at = 0; at < image.bytes; at += PIECE_BYTES) {
    const piece = buffer.subarray(0, image.bytes - at)
    image.read(at, piece)
    if (!piece.equals(zeros.subarray(0, piece.length))) writeAt(file, piece, at)
    report(at / image.bytes)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
