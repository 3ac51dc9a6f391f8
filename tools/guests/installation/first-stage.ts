/**
 * The first stage of a Debian system, made on the host without any privilege: its packages unpacked into a file system, and a RAM
 * disk that finds it. What remains, the machine itself does (`second-stage.ts`).
 */
import * as fs from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { GuestError } from '../../errors.ts'
import { DebianRelease, type ReportStage, unpackPackage } from '../apt.ts'
import { lastLine, run } from '../command.ts'
import { makeExt4 } from '../ext4.ts'
import type { InstalledGuest } from '../guests.ts'
import { type ArchivedFile, cpioArchive } from './cpio.ts'

/** What stands where in `directory`, when all is there. */
export interface FirstStage {
  kernel: string
  initrd: string
  disk: string
  /** The file of the kernel's package. */
  packageFile: string
  /** How many packages are to be installed. */
  packages: number
}

/** The directories that a Debian of today has in /usr. */
const MERGED = ['bin', 'sbin', 'lib']
const SECOND_STAGE = '/second-stage'
/** Of files that no package brings, whatever mask whoever installs has. */
const FILE_MODE = 0o644

/** What the kernel is told so that it does the second stage. */
export const SECOND_STAGE_WORDS = `rw init=${SECOND_STAGE}`

/** @throws GuestError, NoSuchProgram */
export async function makeFirstStage(
  guest: InstalledGuest,
  directory: string,
  report: ReportStage,
): Promise<FirstStage> {
  const { installation, suite } = guest
  const release = await DebianRelease.open({ suite, architecture: installation.architecture }, directory, report)
  const kernelPackage = await release.downloadDependency(installation.kernelPackage, directory, report)
  const packages = await release.downloadAll(installation.packages, report)

  const root = join(directory, 'root')
  await unpackRoot(packages, root, report)
  const unpackedKernel = join(directory, 'kernel-package')
  await unpackPackage(kernelPackage, unpackedKernel)
  await fs.rename(join(unpackedKernel, 'lib/modules'), join(root, 'usr/lib/modules'))
  await configure(guest, root, release.mirror)
  await takePackages(packages, join(root, 'var/cache/apt/archives'))

  report('making the RAM disk')
  const initrd = join(directory, 'initrd')
  await fs.writeFile(initrd, await makeInitrd(root, installation.modules))
  const disk = join(directory, 'disk')
  report('making the file system')
  await makeExt4(disk, installation.diskBytes, root, 'root')
  await fs.rm(root, { recursive: true })
  const kernel = await imageIn(join(unpackedKernel, 'boot'), 'vmlinuz-')
  return { kernel, initrd, disk, packageFile: kernelPackage, packages: packages.length }
}

async function unpackRoot(packages: readonly string[], root: string, report: ReportStage): Promise<void> {
  for (const [i, file] of packages.entries()) {
    report('unpacking packages', i / packages.length)
    await unpackPackage(file, root)
  }
  for (const name of MERGED) {
    const separate = join(root, name)
    const copied = await run('cp', ['--archive', '--link', `${separate}/.`, join(root, 'usr', name)])
    if (copied.status !== 0) throw new GuestError(`cp failed: ${lastLine(copied.stderr)}`)
    await fs.rm(separate, { recursive: true })
    await fs.symlink(join('usr', name), separate)
  }
}

/** What an installer would ask for. */
async function configure({ installation, suite }: InstalledGuest, root: string, mirror: string): Promise<void> {
  const files: Record<string, string> = {
    'etc/hostname': 'debian\n',
    'etc/hosts': '127.0.0.1 localhost\n127.0.1.1 debian\n',
    'etc/fstab': `${installation.rootDevice} / ext4 errors=remount-ro 0 1\n`,
    'etc/network/interfaces': 'auto lo\niface lo inet loopback\n\nallow-hotplug eth0\niface eth0 inet dhcp\n',
    'etc/apt/sources.list': `deb ${mirror} ${suite} main\n`,
  }
  for (const [name, text] of Object.entries(files)) {
    await fs.mkdir(dirname(join(root, name)), { recursive: true })
    await fs.writeFile(join(root, name), text)
    await fs.chmod(join(root, name), FILE_MODE)
  }
  await fs.copyFile(new URL('second-stage.sh', import.meta.url), join(root, SECOND_STAGE))
  await fs.chmod(join(root, SECOND_STAGE), 0o755)
}

async function takePackages(packages: readonly string[], archives: string): Promise<void> {
  await fs.mkdir(archives, { recursive: true })
  for (const file of packages) {
    const kept = join(archives, basename(file))
    await fs.rename(file, kept)
    await fs.chmod(kept, FILE_MODE)
  }
}

/** What mounts the root: a kernel with modules needs some of them for that. */
async function makeInitrd(root: string, modules: readonly string[]): Promise<Uint8Array> {
  const found = await modulesIn(join(root, 'usr/lib/modules'))
  const files: ArchivedFile[] = ['bin', 'dev', 'modules', 'proc', 'root', 'sys'].map((name) => ({
    name,
    kind: 'directory',
  }))
  // What the kernel gives `init` to print on, before there is a file system of devices.
  files.push({ name: 'dev/console', kind: 'character', major: 5, minor: 1 })
  const init = await fs.readFile(new URL('init.sh', import.meta.url))
  const busybox = await fs.readFile(join(root, 'bin/busybox'))
  files.push({ name: 'init', kind: 'file', bytes: init, isProgram: true })
  files.push({ name: 'bin/busybox', kind: 'file', bytes: busybox, isProgram: true })
  files.push({ name: 'modules/order', kind: 'file', bytes: Buffer.from(`${modules.join('\n')}\n`) })
  for (const name of modules) {
    const path = found.get(name)
    if (path === undefined) throw new GuestError(`the kernel's package has no module ${name}`)
    files.push({ name: `modules/${name}.ko`, kind: 'file', bytes: await fs.readFile(path) })
  }
  return promisify(gzip)(cpioArchive(files), { level: 9 })
}

/** Where each module is, by its name. */
async function modulesIn(directory: string): Promise<Map<string, string>> {
  const files = await fs.readdir(directory, { recursive: true })
  const modules = files.filter((name) => name.endsWith('.ko'))
  return new Map(modules.map((name) => [basename(name, '.ko'), join(directory, name)]))
}

async function imageIn(directory: string, prefix: string): Promise<string> {
  const name = (await fs.readdir(directory)).find((found) => found.startsWith(prefix))
  if (name === undefined) throw new GuestError(`the kernel's package has no ${prefix} in it`)
  return join(directory, name)
}
