/**
 * The cache of guest images: `$XDG_CACHE_HOME/ananke/guests/NAME/` holds `kernel`, `initrd` and `manifest.json` with
 * their SHA-256, checked each time they are used.
 *
 * A guest is put together in a directory of its own, which is renamed into place once it is whole: a process that is
 * killed leaves only a `.partial-` directory, and of two that fetch at once the later one takes the earlier one's.
 */
import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { sha256 } from '../../replay-store/mod.ts'
import { GuestError } from '../errors.ts'
import { downloadPackage, type ReportStage, unpackPackage } from './apt.ts'
import { cacheDirectory } from './cache-directory.ts'
import type { Guest } from './guests.ts'

const FORMAT_VERSION = 1

/** A `.partial-` directory older than this belongs to a process that was killed. */
const ABANDONED_AFTER_MS = 24 * 3600 * 1000

const IMAGES = ['kernel', 'initrd'] as const

const imageSchema = v.object({
  file: v.string(),
  bytes: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  sha256: v.pipe(v.string(), v.length(64)),
})
const manifestSchema = v.object({
  formatVersion: v.literal(FORMAT_VERSION),
  guest: v.string(),
  packageFile: v.string(),
  kernel: imageSchema,
  initrd: imageSchema,
})
type Manifest = v.InferOutput<typeof manifestSchema>

export interface GuestImages {
  kernel: Uint8Array
  initrd: Uint8Array
  /** SHA-256 of each, in hexadecimal. */
  hashes: Readonly<Record<(typeof IMAGES)[number], string>>
  /** The package they come from, with its version. */
  packageFile: string
}

/** Where guests are kept. */
export function guestDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  return join(cacheDirectory(environment), 'guests')
}

/**
 * The images of `guest`: from the cache, or fetched into it. Images that no longer have their hash are fetched again.
 * @throws GuestError if they are not there and cannot be fetched.
 */
export async function loadGuest(guest: Guest, report: ReportStage, directory = guestDirectory()): Promise<GuestImages> {
  const cached = await readCached(join(directory, guest.name), guest)
  if (typeof cached !== 'string') return cached
  report(cached === 'absent' ? `fetching ${guest.name}` : `fetching ${guest.name} again: ${cached}`)
  await fetchInto(directory, guest, report)
  const fetched = await readCached(join(directory, guest.name), guest)
  if (typeof fetched === 'string')
    throw new GuestError(`${join(directory, guest.name)}: ${fetched} right after fetching`)
  return fetched
}

/** Whether the guest is in the cache, without reading its images. */
export async function isCached(guest: Guest, directory = guestDirectory()): Promise<boolean> {
  return stat(join(directory, guest.name, 'manifest.json')).then(
    () => true,
    () => false,
  )
}

/** The images, or why they cannot be used: `absent`, or what is wrong with them. */
async function readCached(folder: string, guest: Guest): Promise<GuestImages | string> {
  let text: string
  try {
    text = await readFile(join(folder, 'manifest.json'), 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return 'absent'
    throw new GuestError(`${folder}: the cached guest cannot be read (${(cause as Error).message})`, { cause })
  }
  const manifest = parseManifest(text)
  if (manifest === undefined || manifest.guest !== guest.name) return 'its manifest in the cache is damaged'
  const images: Partial<Record<(typeof IMAGES)[number], Uint8Array>> = {}
  for (const image of IMAGES) {
    const expected = manifest[image]
    const bytes = await readFile(join(folder, image)).catch(() => undefined)
    if (bytes === undefined) return `its ${image} is missing from the cache`
    if (bytes.length !== expected.bytes || sha256(bytes) !== expected.sha256)
      return `its ${image} in the cache is damaged`
    images[image] = bytes
  }
  const { kernel, initrd } = images as Record<(typeof IMAGES)[number], Uint8Array>
  const hashes = { kernel: manifest.kernel.sha256, initrd: manifest.initrd.sha256 }
  return { kernel, initrd, hashes, packageFile: manifest.packageFile }
}

function parseManifest(text: string): Manifest | undefined {
  try {
    return v.parse(manifestSchema, JSON.parse(text))
  } catch {
    // Whatever is wrong with it, the guest is fetched again.
    return undefined
  }
}

async function fetchInto(directory: string, guest: Guest, report: ReportStage): Promise<void> {
  const work = join(directory, `.partial-${guest.name}-${randomUUID()}`)
  try {
    await mkdir(work, { recursive: true })
    await removeAbandoned(directory)
    const packageFile = await downloadPackage(guest.packageName, guest.suite, work, report)
    report(`unpacking ${guest.name}`)
    await unpackPackage(packageFile, join(work, 'package'))
    const ready = join(work, 'ready')
    await mkdir(ready)
    const manifest: Manifest = {
      formatVersion: FORMAT_VERSION,
      guest: guest.name,
      packageFile: packageFile.slice(work.length + 1),
      kernel: await takeImage(join(work, 'package'), guest.kernel, join(ready, 'kernel')),
      initrd: await takeImage(join(work, 'package'), guest.initrd, join(ready, 'initrd')),
    }
    await writeFile(join(ready, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`)
    await putInPlace(ready, join(directory, guest.name), join(work, 'replaced'), guest)
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    if (code === undefined) throw cause
    const advice = code === 'ENOSPC' ? 'the disk is full; make room, or set XDG_CACHE_HOME to another disk' : code
    throw new GuestError(`${directory}: cannot keep ${guest.name} here: ${advice}`, { cause })
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** Moves one image out of the unpacked package. */
async function takeImage(
  unpacked: string,
  where: { folder: string; prefix: string },
  destination: string,
): Promise<v.InferOutput<typeof imageSchema>> {
  const names = await readdir(join(unpacked, where.folder)).catch(() => [])
  const file = names.sort().find((name) => name.startsWith(where.prefix))
  if (file === undefined) throw new GuestError(`the package has no ${where.prefix}* in ${where.folder}`)
  await rename(join(unpacked, where.folder, file), destination)
  const bytes = await readFile(destination)
  return { file, bytes: bytes.length, sha256: sha256(bytes) }
}

/** Renames `ready` to `place`. What stands there already is another process's (kept, if it is whole) or damaged. */
async function putInPlace(ready: string, place: string, replaced: string, guest: Guest): Promise<void> {
  for (let attempt = 0; attempt < 10; attempt++) {
    try {
      await rename(ready, place)
      return
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw cause
    }
    if (typeof (await readCached(place, guest)) !== 'string') return
    await rename(place, `${replaced}-${attempt}`).catch((cause: NodeJS.ErrnoException) => {
      // Another process was quicker to move it away.
      if (cause.code !== 'ENOENT') throw cause
    })
  }
  throw new GuestError(`${place}: other processes keep replacing it; try again`)
}

async function removeAbandoned(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!name.startsWith('.partial-')) continue
    const path = join(directory, name)
    const age = await stat(path).then(
      (found) => Date.now() - found.mtimeMs,
      () => 0,
    )
    if (age > ABANDONED_AFTER_MS) await rm(path, { recursive: true, force: true })
  }
}
