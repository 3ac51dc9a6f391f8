/**
 * What runs found worth translating, kept in files: in each recording, for its replays on any host, and in the cache by
 * kernel, for the next run of the same guest. Nothing depends on it but speed.
 */
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { HotCode, HotCodeError } from '../../cpu-node/mod.ts'
import { hotCodePath, type Recording } from '../../replay-store/mod.ts'
import { cacheDirectory } from '../guests/cache-directory.ts'
import { note } from './output.ts'
import { KERNEL_IMAGE } from './recorded-images.ts'

/** Kernels whose code is kept in the cache: the latest. */
const KERNELS_KEPT = 32
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
export async function recordedHotCode({ directory, manifest }: Recording): Promise<HotCode> {
  const recorded = await read(hotCodePath(directory), true)
  const kernel = manifest.images.find(({ name }) => name === KERNEL_IMAGE)
  return recorded ?? (kernel === undefined ? new HotCode() : await cachedHotCode(cachedHotCodePath(kernel.sha256)))
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
export async function recordHotCode(directory: string, hotCode: HotCode): Promise<void> {
  if (!hotCode.isEmpty) await write(hotCodePath(directory), hotCode.encode())
}

/** Keeps in the cache what is known and was found; of the kernels there the latest stay. */
export async function cacheHotCode(path: string, hotCode: HotCode): Promise<void> {
  if (hotCode.isEmpty) return
  await write(path, hotCode.encodeAll())
  const files: { file: string; written: number }[] = []
  for (const name of await readdir(dirname(path)).catch(() => [])) {
    const file = join(dirname(path), name)
    // Another run may be done with it by now.
    const found = await stat(file).catch(() => undefined)
    if (found !== undefined) files.push({ file, written: found.mtimeMs })
  }
  files.sort((a, b) => b.written - a.written)
  for (const { file } of files.slice(KERNELS_KEPT)) await rm(file, { force: true })
}

/** A failure is no more than a note: the run itself is done. */
async function write(path: string, bytes: Uint8Array): Promise<void> {
  const params = { [constants.ZSTD_c_checksumFlag]: 1 }
  const temporary = `${path}.${process.pid}.tmp`
  try {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(temporary, zstdCompressSync(bytes, { params }))
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    note(`${path}: cannot be written (${(error as NodeJS.ErrnoException).code}); the next run starts slower`)
  }
}
