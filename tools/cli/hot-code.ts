/**
 * What runs found worth translating, kept in files: in each recording, for its replays on any host, and in the cache by
 * kernel, for the next run of the same guest. Nothing depends on it but speed.
 */
import { mkdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { HotCode, HotCodeError } from '../../cpu-node/mod.ts'
import { hotCodePath, type Recording } from '../../replay-store/mod.ts'
import { cacheDirectory } from '../guests/cache-directory.ts'
import { keepLatest, replaceFile } from './kept-files.ts'
import { note } from './output.ts'
import { recordedKernelHash } from './recorded-images.ts'

/** Kernels whose code is kept in the cache: the latest. */
const KERNELS_KEPT = 32
/** All files of their directory are theirs. */
const ANY = /^/
/** Unpacked; what `HotCode` keeps is below it. */
const MAX_BYTES = 64 << 20

export function hotCodeDirectory(): string {
  return join(cacheDirectory(), 'hot-code')
}

/** @param kernelHash SHA-256 of the kernel's file */
export function cachedHotCodePath(kernelHash: string): string {
  return join(hotCodeDirectory(), kernelHash)
}

/** What the cache has of a kernel. */
export async function cachedHotCode(path: string): Promise<HotCode> {
  return (await read(path, false)) ?? new HotCode()
}

/** What a recording has of its run; of one that was cut off, what the latest run of its kernel found. */
export async function recordedHotCode(recording: Recording): Promise<HotCode> {
  const recorded = await read(hotCodePath(recording.directory), true)
  const kernelHash = recordedKernelHash(recording)
  return recorded ?? (kernelHash === undefined ? new HotCode() : await cachedHotCode(cachedHotCodePath(kernelHash)))
}

/** One that is damaged is passed over with a note. */
async function read(path: string, isOfThisRun: boolean): Promise<HotCode | undefined> {
  let stored: Uint8Array
  try {
    stored = await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') note(`${path}: cannot be read; the run starts slower`)
    return undefined
  }
  try {
    return new HotCode(zstdDecompressSync(stored, { maxOutputLength: MAX_BYTES }), { isOfThisRun })
  } catch (error) {
    const why = error instanceof HotCodeError ? error.message : 'it is damaged'
    note(`${path}: ${why}, and is left aside; the run starts slower`)
    return undefined
  }
}

/** Keeps in `directory`'s recording what its run found. */
export function recordHotCode(directory: string, hotCode: HotCode): void {
  if (!hotCode.isEmpty) write(hotCodePath(directory), hotCode.encode())
}

/** Keeps in the cache what is known and was found; of the kernels there the latest stay. */
export function cacheHotCode(path: string, hotCode: HotCode): void {
  if (hotCode.isEmpty || !write(path, hotCode.encodeAll())) return
  keepLatest(path, ANY, { files: KERNELS_KEPT - 1 })
}

/** Whether it could: a failure is no more than a note, for the run itself is done. */
function write(path: string, bytes: Uint8Array): boolean {
  const params = { [constants.ZSTD_c_checksumFlag]: 1 }
  try {
    mkdirSync(dirname(path), { recursive: true })
    replaceFile(path, [zstdCompressSync(bytes, { params })])
    return true
  } catch (error) {
    note(`${path}: cannot be written (${(error as NodeJS.ErrnoException).code}); the next run starts slower`)
    return false
  }
}
