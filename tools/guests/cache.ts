/**
 * The cache of guest images: `$XDG_CACHE_HOME/ananke/guests/NAME/` holds `kernel`, `initrd`, perhaps `disk`, and
 * `manifest.json` with their SHA-256, checked each time they are used.
 *
 * A guest is put together in a directory of its own, which is renamed into place once it is whole: a process that is
 * killed leaves only a `.partial-` directory. One process at a time makes a guest; the others wait, and take what it made.
 */
import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import * as v from 'valibot'
import { sha256 } from '../../replay-store/mod.ts'
import { GuestError } from '../errors.ts'
import { downloadPackage, type ReportStage, unpackPackage, WITHOUT_APT } from './apt.ts'
import { cacheDirectory } from './cache-directory.ts'
import { NoSuchProgram } from './command.ts'
import type { Guest, InstalledGuest, PackagedGuest } from './guests.ts'
import { alone } from './lock.ts'

const FORMAT_VERSION = 1

/** Of `stat`'s blocks. */
const BLOCK_BYTES = 512

/** Of a file that is hashed: large pieces are faster. */
const HASHED_BYTES = 4 << 20

/** A `.partial-` directory older than this belongs to a process that was killed. */
const ABANDONED_AFTER_MS = 24 * 3600 * 1000

/** To put a guest in its place. */
const MAX_TRIES = 10

/** What is read into memory. A disk is not. */
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
  disk: v.optional(imageSchema),
})
type Manifest = v.InferOutput<typeof manifestSchema>

export interface GuestImages {
  kernel: Uint8Array
  initrd: Uint8Array
  /** SHA-256 of each, in hexadecimal. */
  hashes: Readonly<Record<(typeof IMAGES)[number], string>>
  /** The package that the kernel comes from, with its version. */
  packageFile: string
  /** Where its disk's image is, which has been checked too. */
  disk?: { path: string; sha256: string }
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
  const fetched = await fetchAlone(directory, guest, report)
  if (typeof fetched === 'string')
    throw new GuestError(`${join(directory, guest.name)}: ${fetched} right after fetching`)
  return fetched
}

/** Where another process is at it already, what that makes is taken. */
async function fetchAlone(directory: string, guest: Guest, report: ReportStage): Promise<GuestImages | string> {
  const folder = join(directory, guest.name)
  return makeAlone(directory, guest, report, async () => {
    const meanwhile = await readCached(folder, guest)
    if (typeof meanwhile !== 'string') return meanwhile
    await make(directory, guest, report)
    return readCached(folder, guest)
  })
}

/**
 * Fetches or installs it again, and puts it in the place of what is kept.
 * @throws GuestError; what is kept stays.
 */
export async function rebuildGuest(guest: Guest, report: ReportStage, directory = guestDirectory()): Promise<void> {
  await makeAlone(directory, guest, report, () => make(directory, guest, report))
}

/** Does `work` while no other process makes this guest. @throws GuestError */
async function makeAlone<T>(directory: string, guest: Guest, report: ReportStage, work: () => Promise<T>): Promise<T> {
  const onWait = () => report(`waiting for another process that makes ${guest.name}`)
  try {
    await mkdir(directory, { recursive: true })
    return await alone(join(directory, `.lock-${guest.name}`), onWait, work)
  } catch (cause) {
    throw cannotMake(guest, directory, cause)
  }
}

/** What is kept of a guest. */
export interface KeptGuest {
  directory: string
  /** What it takes up on the host's disk. */
  bytes: number
  packageFile: string
}

/** Undefined: nothing that can be used. Images are not read. */
export async function keptGuest(guest: Guest, directory = guestDirectory()): Promise<KeptGuest | undefined> {
  const folder = join(directory, guest.name)
  const text = await readFile(join(folder, 'manifest.json'), 'utf8').catch(() => '')
  const manifest = parseManifest(text)
  if (manifest === undefined) return undefined
  const files = await Promise.all((await readdir(folder)).map((name) => stat(join(folder, name))))
  const bytes = files.reduce((sum, { blocks }) => sum + blocks * BLOCK_BYTES, 0)
  return { directory: folder, bytes, packageFile: manifest.packageFile }
}

/** Whether there was anything. @throws GuestError */
export async function removeGuest(guest: Guest, directory = guestDirectory()): Promise<boolean> {
  const folder = join(directory, guest.name)
  try {
    await rm(folder, { recursive: true })
    return true
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw new GuestError(`${folder}: cannot be removed (${(cause as Error).message})`, { cause })
  }
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
  const disk = manifest.disk && (await readDisk(diskPath(folder), manifest.disk))
  if (typeof disk === 'string') return disk
  const hashes = { kernel: manifest.kernel.sha256, initrd: manifest.initrd.sha256 }
  return { kernel, initrd, hashes, packageFile: manifest.packageFile, ...(disk && { disk }) }
}

async function readDisk(
  path: string,
  expected: { bytes: number; sha256: string },
): Promise<{ path: string; sha256: string } | string> {
  try {
    const { bytes, hash } = await hashFile(path)
    if (bytes === expected.bytes && hash === expected.sha256) return { path, sha256: hash }
    return 'its disk in the cache is damaged'
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return 'its disk is missing from the cache'
    throw cause
  }
}

function parseManifest(text: string): Manifest | undefined {
  try {
    return v.parse(manifestSchema, JSON.parse(text))
  } catch {
    // Whatever is wrong with it, the guest is fetched again.
    return undefined
  }
}

/** Fetches or installs a guest, and puts it in the place of what is kept. */
async function make(directory: string, guest: Guest, report: ReportStage): Promise<void> {
  const work = join(directory, `.partial-${guest.name}-${randomUUID()}`)
  try {
    await mkdir(work, { recursive: true })
    await removeAbandoned(directory)
    const made = 'installation' in guest ? await install(guest, work, report) : await unpack(guest, work, report)
    const ready = join(work, 'ready')
    await mkdir(ready)
    const manifest: Manifest = {
      formatVersion: FORMAT_VERSION,
      guest: guest.name,
      packageFile: basename(made.packageFile),
      kernel: await takeImage(made.kernel, join(ready, 'kernel')),
      initrd: await takeImage(made.initrd, join(ready, 'initrd')),
      ...(made.disk !== undefined && { disk: await takeImage(made.disk, diskPath(ready)) }),
    }
    await writeFile(join(ready, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`)
    await putInPlace(ready, join(directory, guest.name), join(work, 'aside'))
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** Where images are before they are taken. */
interface MadeImages {
  packageFile: string
  kernel: string
  initrd: string
  disk?: string
}

/** Images that are files of a package. */
async function unpack(guest: PackagedGuest, work: string, report: ReportStage): Promise<MadeImages> {
  const packageFile = await downloadPackage(guest.packageName, guest.suite, work, report)
  report(`unpacking ${guest.name}`)
  const unpacked = join(work, 'package')
  await unpackPackage(packageFile, unpacked)
  const find = async ({ folder, prefix }: PackagedGuest['kernel']) => {
    const names = await readdir(join(unpacked, folder)).catch(() => [])
    const file = names.sort().find((name) => name.startsWith(prefix))
    if (file === undefined) throw new GuestError(`the package has no ${prefix}* in ${folder}`)
    return join(unpacked, folder, file)
  }
  return { packageFile, kernel: await find(guest.kernel), initrd: await find(guest.initrd) }
}

/** What is installed is of no use until all is there: a machine has to run for it. */
async function install(guest: InstalledGuest, work: string, report: ReportStage): Promise<MadeImages> {
  const { installGuest } = await import('./installation/mod.ts')
  return installGuest(guest, work, report)
}

function cannotMake(guest: Guest, directory: string, cause: unknown): unknown {
  if (cause instanceof NoSuchProgram) {
    return new GuestError(`no ${cause.program} on this host to make ${guest.name} with; ${WITHOUT_APT}`, { cause })
  }
  const code = (cause as NodeJS.ErrnoException).code
  if (code === undefined) return cause
  const advice = code === 'ENOSPC' ? 'the disk is full; make room, or set XDG_CACHE_HOME to another disk' : code
  return new GuestError(`${directory}: cannot keep ${guest.name} here: ${advice}`, { cause })
}

/** Moves an image to where it is kept. */
async function takeImage(path: string, destination: string): Promise<v.InferOutput<typeof imageSchema>> {
  await rename(path, destination)
  const { bytes, hash } = await hashFile(destination)
  return { file: basename(path), bytes, sha256: hash }
}

function diskPath(folder: string): string {
  return join(folder, 'disk')
}

async function hashFile(path: string): Promise<{ bytes: number; hash: string }> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of createReadStream(path, { highWaterMark: HASHED_BYTES }) as AsyncIterable<Uint8Array>) {
    hash.update(chunk)
    bytes += chunk.length
  }
  return { bytes, hash: hash.digest('hex') }
}

/** Renames `ready` to `place`. What stands there already is moved into `aside`. */
async function putInPlace(ready: string, place: string, aside: string): Promise<void> {
  await mkdir(aside)
  for (let tries = 1; ; tries++) {
    await rename(place, join(aside, String(tries))).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOENT') throw cause
    })
    try {
      return await rename(ready, place)
    } catch (cause) {
      // Another process, taken for dead, has put its own there meanwhile.
      if ((cause as NodeJS.ErrnoException).code !== 'ENOTEMPTY' || tries === MAX_TRIES) throw cause
    }
  }
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
