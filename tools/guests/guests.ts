/**
 * The guests that are known by name: where their images come from, and what boots them.
 */
import { UsageError } from '../errors.ts'

export interface Guest {
  name: string
  /** For people, in `--help` and `doctor`. */
  title: string
  machine: string
  memoryBytes: number
  append: string
  /** The Debian package that holds the images, and the release it belongs to. */
  packageName: string
  suite: string
  /** A folder of the package, and what the image's file name begins with. */
  kernel: { folder: string; prefix: string }
  initrd: { folder: string; prefix: string }
}

const MALTA_IMAGES = 'usr/lib/debian-installer/images/12/mipsel/malta'

export const GUESTS: readonly Guest[] = [
  {
    name: 'debian-mipsel',
    title: 'Debian 12 installer for MIPS Malta, little endian, to a shell prompt',
    machine: 'malta',
    memoryBytes: 512 << 20,
    append: 'console=ttyS0 rdinit=/bin/sh',
    packageName: 'debian-installer-12-netboot-mipsel',
    suite: 'bookworm',
    kernel: { folder: MALTA_IMAGES, prefix: 'vmlinuz-' },
    initrd: { folder: MALTA_IMAGES, prefix: 'initrd.gz' },
  },
]

/** @throws UsageError if no guest has this name. */
export function guestNamed(name: string): Guest {
  const guest = GUESTS.find((candidate) => candidate.name === name)
  if (guest !== undefined) return guest
  const names = GUESTS.map((candidate) => candidate.name).join(', ')
  throw new UsageError(`no guest is named '${name}'; there is ${names}, or boot your own with --kernel`)
}
