/**
 * From the words of a command line to what is to be booted, with every image read and checked.
 */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import * as v from 'valibot'
import { sha256 } from '../../replay-store/mod.ts'
import { UsageError, UserError } from '../errors.ts'
import type { ReportStage } from '../guests/apt.ts'
import { type GuestImages, loadGuest } from '../guests/cache.ts'
import { type Guest, guestNamed } from '../guests/guests.ts'
import { type Drive, DriveFile, type DriveOption, diskOption, openDrive } from '../images/drive.ts'
import { checkInitrd, checkInitrdFits } from '../images/initrd.ts'
import { type KernelImage, readImageFile, readKernel } from '../images/kernel.ts'
import { parseMemory, parseTimeOfDay } from './format.ts'
import { boardNamed } from './machine.ts'
import { machineNames } from './machine-names.ts'
import { type Net, parseNet } from './net.ts'

/** The options that `boot` and `record` share, as the command line gives them. */
export interface BootWords {
  machine?: string
  kernel?: string
  initrd?: string
  append?: string
  memory?: string
  input?: string
  rtc?: string
  drive?: string[]
  net?: string
}

/** What is to be booted. */
export interface BootRequest {
  /** The guest's name, or the kernel's file. */
  guest: string
  machine: string
  /** The board's options, whole. */
  options: Record<string, JsonValue>
  memoryBytes: number
  /** Time of day at power-on, in seconds since 1970. */
  startSeconds: number
  kernel: KernelImage
  /** The kernel's file as it was given. */
  kernelFile: Uint8Array
  /** SHA-256 of the kernel's file. */
  kernelHash: string
  initrd?: Uint8Array
  /** SHA-256 of the initrd where it is known already. */
  initrdHash?: string
  /** In the order of the board's options. */
  drives: Drive[]
  net?: Net
  script?: { name: string; text: string }
}

export type JsonValue = string | number | boolean | null | JsonValue[] | { [name: string]: JsonValue }

export const DEFAULT_MACHINE = 'malta'

/** RAM that a board shows at physical address 0 is at most this; kernels are loaded there. */
export const LOW_MEMORY_BYTES = 256 << 20

/** The time of day of scripted runs, 2024-01-01T00:00:00Z: the same wherever and whenever they run. */
export const SCRIPTED_START_SECONDS = 1_704_067_200

/**
 * Reads and checks everything that a boot needs; a known guest is fetched where it is not in the cache yet.
 * @param hostSeconds the host's time of day, for a person's run
 * @throws UsageError, ImageError, GuestError, UserError
 */
export async function readRequest(
  guestName: string | undefined,
  words: BootWords,
  hostSeconds: number,
  report: ReportStage,
): Promise<BootRequest> {
  const guest = guestName === undefined ? undefined : guestNamed(guestName)
  if (guest === undefined && words.kernel === undefined) {
    throw new UsageError('nothing to boot: name a guest, such as debian-mipsel, or a kernel with --kernel')
  }
  const machine = words.machine ?? guest?.machine ?? DEFAULT_MACHINE
  if (!machineNames.includes(machine)) {
    throw new UsageError(`no machine is called '${machine}'; there is ${machineNames.join(', ')}`)
  }
  const script = words.input === undefined ? undefined : { name: words.input, text: await readScript(words.input) }
  const startSeconds = startOf(words.rtc, script === undefined ? hostSeconds : SCRIPTED_START_SECONDS)
  const installed = guest !== undefined && 'installation' in guest ? guest : undefined
  // Mistakes in what was asked for come before a guest is fetched.
  const ownDisk = installed && diskOption(0, installed.installation.diskBytes)
  const drives = (words.drive ?? []).map((drive, i) => openDrive(drive, ownDisk === undefined ? i : i + 1))
  const net = netOf(words.net ?? installed?.net ?? NO_NET)
  const driveOptions = [...(ownDisk === undefined ? [] : [ownDisk]), ...drives.map(({ option }) => option)]
  const options = boardOptions(machine, words, guest, startSeconds, { drives: driveOptions, net })
  const memoryBytes = Number(options['memoryBytes'])

  const files = await readImages(guest, words, report)
  const lowMemoryBytes = Math.min(memoryBytes, LOW_MEMORY_BYTES)
  if (files.disk !== undefined && ownDisk !== undefined) {
    const { path, sha256 } = files.disk
    drives.unshift({ path, option: ownDisk, image: new DriveFile(path, 1), sha256 })
  }
  const kernel = await readKernel(files.kernel.name, files.kernel.bytes, { lowMemoryBytes })
  if (files.initrd !== undefined) {
    const { name, bytes, sha256: hash } = files.initrd
    const spareBytes = lowMemoryBytes - endOf(kernel)
    // Unpacking a large one takes 0.2 s.
    if (hash !== undefined) checkInitrdFits(name, bytes, spareBytes)
    else await checkInitrd(name, bytes, spareBytes)
  }
  return {
    guest: words.kernel === undefined && guest !== undefined ? guest.name : files.kernel.name,
    machine,
    options: { ...options, endian: kernel.endian },
    memoryBytes,
    startSeconds,
    kernel,
    kernelFile: files.kernel.bytes,
    kernelHash: files.kernel.sha256 ?? sha256(files.kernel.bytes),
    ...(files.initrd !== undefined && { initrd: files.initrd.bytes }),
    ...(files.initrd?.sha256 !== undefined && { initrdHash: files.initrd.sha256 }),
    drives,
    ...(net !== undefined && { net }),
    ...(script !== undefined && { script }),
  }
}

/** The board's options from the words, the guest's own, and the board's defaults, in this order. */
function boardOptions(
  machine: string,
  words: BootWords,
  guest: Guest | undefined,
  startSeconds: number,
  { drives, net }: { drives: DriveOption[]; net: Net | undefined },
): Record<string, JsonValue> {
  const { options: schema } = boardNamed(machine)
  const defaults = v.parse(schema, {}) as Record<string, JsonValue>
  const guestMemory = guest?.machine === machine ? guest.memoryBytes : undefined
  const given: Record<string, JsonValue | undefined> = {
    memoryBytes: words.memory === undefined ? guestMemory : memoryOf(words.memory),
    append: words.append ?? guest?.append,
    startSeconds,
    ...(drives.length > 0 && { drives }),
    ...(net !== undefined && { net: net.option }),
  }
  if (drives.length > 0 && !('drives' in defaults)) {
    throw new UsageError(`machine ${machine} has no place for drives; leave --drive out`)
  }
  if (words.append !== undefined && !('append' in defaults)) {
    throw new UsageError(`machine ${machine} hands no command line to a kernel; leave --append out`)
  }
  if (net !== undefined && !('net' in defaults)) {
    throw new UsageError(`machine ${machine} has no place for a network card; leave --net out`)
  }
  const known = Object.entries(given).filter(([name, value]) => name in defaults && value !== undefined)
  const parsed = v.safeParse(schema, Object.fromEntries(known))
  if (parsed.success) return parsed.output as Record<string, JsonValue>
  const [issue] = parsed.issues
  throw new UsageError(`${issue.message} (--machine ${machine})`, { cause: new v.ValiError(parsed.issues) })
}

interface ImageFile {
  name: string
  bytes: Uint8Array
  /** Its hash, if it was found to be what its guest's manifest says it is. */
  sha256?: string
}

/** The user's own files go before the guest's. */
async function readImages(
  guest: Guest | undefined,
  words: BootWords,
  report: ReportStage,
): Promise<{ kernel: ImageFile; initrd?: ImageFile; disk?: GuestImages['disk'] }> {
  const own = async (path: string, what: string) => ({ name: path, bytes: await readImageFile(path, what) })
  const initrd = words.initrd === undefined ? undefined : await own(words.initrd, 'initrd')
  const kernel = words.kernel === undefined ? undefined : await own(words.kernel, 'kernel')
  // Of an installed guest, whatever kernel is to run on it, its disk is wanted.
  const images = guest && (kernel === undefined || 'installation' in guest) ? await loadGuest(guest, report) : undefined
  const disk = images?.disk && { disk: images.disk }
  if (kernel !== undefined) return { kernel, ...(initrd && { initrd }), ...disk }
  assert(images !== undefined, 'there is a guest or a kernel')
  return {
    ...disk,
    kernel: { name: `${guest!.name}'s kernel`, bytes: images.kernel, sha256: images.hashes.kernel },
    initrd: initrd ?? { name: `${guest!.name}'s initrd`, bytes: images.initrd, sha256: images.hashes.initrd },
  }
}

/** `--net`'s word for no card. */
const NO_NET = 'none'

function netOf(words: string): Net | undefined {
  return words === NO_NET ? undefined : parseNet(words)
}

/** The physical address after the kernel. */
function endOf(kernel: KernelImage): number {
  return Math.max(...kernel.segments.map(({ address, bytes }) => (address & 0x1fffffff) + bytes.length))
}

function memoryOf(text: string): number {
  const bytes = parseMemory(text)
  if (bytes === undefined) throw new UsageError(`'${text}' is no memory size; write it as 256M or 1G`)
  return bytes
}

function startOf(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  const seconds = parseTimeOfDay(text)
  if (seconds === undefined) throw new UsageError(`'${text}' is no time; write it as 2024-01-31T12:00:00 (UTC)`)
  return seconds
}

async function readScript(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    const why = code === 'ENOENT' ? 'no such file' : `cannot be read (${code})`
    throw new UserError(`${path}: ${why}; name the script's file with --input`, { cause })
  }
}
