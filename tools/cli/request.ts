/**
 * From the words of a command line to what is to be booted, with every image read and checked.
 */
import { readFile } from 'node:fs/promises'
import { UsageError, UserError } from '../errors.ts'
import type { ReportStage } from '../guests/apt.ts'
import { loadGuest } from '../guests/cache.ts'
import { type Guest, guestNamed } from '../guests/guests.ts'
import { checkInitrd } from '../images/initrd.ts'
import { type KernelImage, readImageFile, readKernel } from '../images/kernel.ts'
import { parseMemory, parseTimeOfDay } from './format.ts'

/** The options that `boot` and `record` share, as the command line gives them. */
export interface BootWords {
  machine?: string
  kernel?: string
  initrd?: string
  append?: string
  memory?: string
  input?: string
  rtc?: string
}

/** What is to be booted. */
export interface BootRequest {
  /** The guest's name, or the kernel's file. */
  guest: string
  machine: string
  memoryBytes: number
  kernel: KernelImage
  initrd?: Uint8Array
  append: string
  /** Time of day at power-on, in seconds since 1970. */
  startSeconds: number
  script?: { name: string; text: string }
}

export const DEFAULT_MACHINE = 'malta'
export const DEFAULT_MEMORY = '512M'

/** RAM that a Malta shows at physical address 0; the rest stands elsewhere, and no kernel is loaded there. */
const LOW_MEMORY_BYTES = 256 << 20

/** The time of day of scripted runs, 2024-01-01T00:00:00Z: the same wherever and whenever they run. */
const SCRIPTED_START_SECONDS = 1_704_067_200

/**
 * Reads and checks everything that a boot needs; a known guest is fetched where it is not in the cache yet.
 * @param hostSeconds the host's time of day, for a person's run
 * @throws UsageError, ImageError, GuestError, UserError
 */
export async function readRequest(
  guestName: string | undefined,
  words: BootWords,
  machines: readonly string[],
  hostSeconds: number,
  report: ReportStage,
): Promise<BootRequest> {
  const guest = guestName === undefined ? undefined : guestNamed(guestName)
  if (guest === undefined && words.kernel === undefined) {
    throw new UsageError('nothing to boot: name a guest, such as debian-mipsel, or a kernel with --kernel')
  }
  const machine = words.machine ?? guest?.machine ?? DEFAULT_MACHINE
  if (!machines.includes(machine)) {
    throw new UsageError(`no machine is called '${machine}'; there is ${machines.join(', ')}`)
  }
  const memoryBytes = words.memory === undefined && guest !== undefined ? guest.memoryBytes : memoryOf(words.memory)
  const script = words.input === undefined ? undefined : { name: words.input, text: await readScript(words.input) }
  const startSeconds = startOf(words.rtc, script === undefined ? hostSeconds : SCRIPTED_START_SECONDS)
  const files = await readImages(guest, words, report)
  const lowMemoryBytes = Math.min(memoryBytes, LOW_MEMORY_BYTES)
  const kernel = await readKernel(files.kernel.name, files.kernel.bytes, { lowMemoryBytes })
  if (files.initrd !== undefined)
    await checkInitrd(files.initrd.name, files.initrd.bytes, lowMemoryBytes - endOf(kernel))
  return {
    guest: words.kernel === undefined && guest !== undefined ? guest.name : files.kernel.name,
    machine,
    memoryBytes,
    kernel,
    ...(files.initrd === undefined ? {} : { initrd: files.initrd.bytes }),
    append: words.append ?? guest?.append ?? '',
    startSeconds,
    ...(script === undefined ? {} : { script }),
  }
}

interface NamedBytes {
  name: string
  bytes: Uint8Array
}

/** The user's own files go before the guest's. */
async function readImages(
  guest: Guest | undefined,
  words: BootWords,
  report: ReportStage,
): Promise<{ kernel: NamedBytes; initrd?: NamedBytes }> {
  const own = async (path: string, what: string) => ({ name: path, bytes: await readImageFile(path, what) })
  const initrd = words.initrd === undefined ? undefined : await own(words.initrd, 'initrd')
  if (words.kernel !== undefined) {
    const kernel = await own(words.kernel, 'kernel')
    return initrd === undefined ? { kernel } : { kernel, initrd }
  }
  const images = await loadGuest(guest!, report)
  return {
    kernel: { name: `${guest!.name}'s kernel`, bytes: images.kernel },
    initrd: initrd ?? { name: `${guest!.name}'s initrd`, bytes: images.initrd },
  }
}

/** The physical address after the kernel. */
function endOf(kernel: KernelImage): number {
  return Math.max(...kernel.segments.map(({ address, bytes }) => (address & 0x1fffffff) + bytes.length))
}

function memoryOf(text = DEFAULT_MEMORY): number {
  const bytes = parseMemory(text)
  if (bytes === undefined) throw new UsageError(`'${text}' is no memory size; write it as 256M or 1G`)
  if (bytes < 1 << 20 || bytes > 2 ** 31 || bytes % 4096 !== 0) {
    throw new UsageError(`${text} of memory cannot be: give 1M to 2G, in steps of 4K`)
  }
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
