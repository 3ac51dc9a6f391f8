/**
 * The guests that are known by name: where their images come from, and what boots them.
 */
import { UsageError } from '../errors.ts'

export type Guest = PackagedGuest | InstalledGuest

interface KnownGuest {
  name: string
  /** For people, in `--help` and `doctor`. */
  title: string
  machine: string
  memoryBytes: number
  append: string
  /** The Debian release that it belongs to. */
  suite: string
}

/** A package has its images. */
export interface PackagedGuest extends KnownGuest {
  packageName: string
  /** A folder of the package, and what the image's file name begins with. */
  kernel: { folder: string; prefix: string }
  initrd: { folder: string; prefix: string }
}

/** A system on a disk, installed from its packages the first time. */
export interface InstalledGuest extends KnownGuest {
  /** What `--net` is unless it is given. */
  net: string
  installation: {
    architecture: string
    /** The package that depends on the kernel's newest. */
    kernelPackage: string
    /** What is installed, with all that it needs; one may be a pattern of apt's. */
    packages: readonly string[]
    /** What the kernel needs to mount its root, in the order in which they are loaded. */
    modules: readonly string[]
    rootDevice: string
    diskBytes: number
  }
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
  {
    name: 'debian-mipsel-disk',
    title:
      'Debian 12 on a disk of a MIPS Malta, little endian, with systemd, to a login prompt (root, without a password)',
    machine: 'malta',
    memoryBytes: 512 << 20,
    append: 'console=ttyS0 root=/dev/sda net.ifnames=0',
    net: 'hermetic',
    suite: 'bookworm',
    installation: {
      architecture: 'mipsel',
      kernelPackage: 'linux-image-4kc-malta',
      packages: [
        '?essential',
        // What makes /bin and /usr/bin one would do it anew.
        'usr-is-merged',
        ...['apt', 'login', 'systemd-sysv', 'udev', 'kmod', 'procps', 'busybox-static'],
        ...['e2fsprogs', 'ethtool', 'ifupdown', 'iproute2', 'iputils-ping', 'isc-dhcp-client', 'wget'],
      ],
      modules: ['crc16', 'crc32c_generic', 'mbcache', 'jbd2', 'ext4', 'ata_piix'],
      rootDevice: '/dev/sda',
      diskBytes: 1 << 30,
    },
  },
]

/** @throws UsageError if no guest has this name. */
export function guestNamed(name: string): Guest {
  const guest = GUESTS.find((candidate) => candidate.name === name)
  if (guest !== undefined) return guest
  const names = GUESTS.map((candidate) => candidate.name).join(', ')
  throw new UsageError(`no guest is named '${name}'; there is ${names}, or boot your own with --kernel`)
}
