/**
 * `ananke drive export`: a drive as it stood at some moment of a recorded run, as a file.
 *
 * The run is replayed up to there, which gives what was written; the rest is the image's that was recorded, of which the recording
 * has only what the run read.
 */
import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { resolve } from 'node:path'
import type { MachineContents, Storage } from '../../bus/mod.ts'
import { replay } from '../../orchestrator/mod.ts'
import { Recording } from '../../replay-store/mod.ts'
import { UsageError, UserError } from '../errors.ts'
import { DriveFile } from '../images/drive.ts'
import { STATUS_DIVERGED, STATUS_FAILED, STATUS_OK } from './failure.ts'
import { grouped } from './format.ts'
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
    const image = await imageOf(drive, words.image ?? drive.path, progress)
    const interruption = new Interruption()
    const total = Math.min(until ?? Number.POSITIVE_INFINITY, lastIcount(recording))
    let contents: MachineContents | undefined
    const result = await replay({
      recording,
      machine: recordedMachine(recording, readImages(recording), {}),
      mode: 'cpu',
      signal: interruption.signal,
      onEnd: (reached) => {
        contents = reached
      },
      onProgress: ({ instructions }) =>
        progress.update(`replaying ${directory}`, total > 0 ? instructions / total : undefined),
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
    writeDrive(words.output, image, storage)
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

/** Writes the image with what was written over it: a whole file, or none. */
function writeDrive(output: string, image: DriveFile, storage: Storage): void {
  const temporary = `${resolve(output)}.tmp`
  try {
    fs.copyFileSync(image.path, temporary, fs.constants.COPYFILE_FICLONE)
    fs.chmodSync(temporary, 0o644)
    const file = fs.openSync(temporary, 'r+')
    try {
      for (const [offset, bytes] of storage.blocks()) writeAt(file, bytes, offset)
    } finally {
      fs.closeSync(file)
    }
    fs.renameSync(temporary, output)
  } catch (cause) {
    fs.rmSync(temporary, { force: true })
    throw new UserError(`${output}: cannot write: ${(cause as Error).message}`, { cause })
  }
}

function writeAt(file: number, bytes: Uint8Array, offset: number): void {
  for (let written = 0; written < bytes.length; ) {
    const some = fs.writeSync(file, bytes, written, bytes.length - written, offset + written)
    if (some === 0) throw new Error('the disk is full')
    written += some
  }
}
