/**
 * A day of a Debian on a disk: what it is recorded with, beside its guest. `debian-disk.script` is what it does.
 */
import * as fs from 'node:fs'
import { join } from 'node:path'
import { sha256 } from '../replay-store/mod.ts'
import { guestNamed, makeExt4 } from '../tools/mod.ts'
import { host, noise } from './host.ts'

export const GUEST = guestNamed('debian-mipsel-disk')
const SCRIPT = join(import.meta.dirname, 'debian-disk.script')
const SECOND_DISK_BYTES = 32 << 20
const RANDOM_BYTES = 3 << 20
/** Of what is served, as the guest is told. */
const DATE = Date.parse('2024-01-01') / 1000

export interface DebianDay {
  /** The second disk's image, and what the hermetic network serves. */
  secondDisk: string
  served: string
  /** A file that both have. */
  random: Buffer
  /** For `ananke record`. */
  words: string[]
}

/** Makes what it needs in `directory`: the same each time, so that each day of a guest is the same. */
export async function makeDay(directory: string): Promise<DebianDay> {
  const at = (name: string) => join(directory, name)
  const [secondDisk, served] = [at('second.img'), at('served')]
  const random = noise(RANDOM_BYTES)
  fs.mkdirSync(served)
  fs.writeFileSync(join(served, 'random'), random)
  makeArchive(at('hello'), join(served, 'packages'))
  for (const name of fs.readdirSync(served, { recursive: true, encoding: 'utf8' })) {
    fs.utimesSync(join(served, name), DATE, DATE)
  }
  fs.mkdirSync(at('second'))
  fs.writeFileSync(at('second/random'), random)
  await makeExt4(secondDisk, SECOND_DISK_BYTES, at('second'))
  const words = [GUEST.name, '--drive', secondDisk, '--net', `hermetic,root=${served}`, '--input', SCRIPT]
  return { secondDisk, served, random, words }
}

/** An archive for apt with one package, whose files are put together in `tree`. */
function makeArchive(tree: string, packages: string): void {
  fs.mkdirSync(join(tree, 'DEBIAN'), { recursive: true })
  fs.mkdirSync(join(tree, 'usr/bin'), { recursive: true })
  const control = [
    ...['Package: ananke-hello', 'Version: 1.0', 'Architecture: all', 'Maintainer: Nobody <nobody@hermetic.test>'],
    'Description: says hello',
  ]
  fs.writeFileSync(join(tree, 'DEBIAN/control'), `${control.join('\n')}\n`)
  fs.writeFileSync(join(tree, 'usr/bin/ananke-hello'), '#!/bin/sh\necho hello from a package\n', { mode: 0o755 })
  fs.mkdirSync(packages)
  host('dpkg-deb', ['--root-owner-group', '--build', tree, join(packages, 'hello.deb')], {
    SOURCE_DATE_EPOCH: String(DATE),
  })
  const deb = fs.readFileSync(join(packages, 'hello.deb'))
  const listed = [...control, 'Filename: ./hello.deb', `Size: ${deb.length}`, `SHA256: ${sha256(deb)}`]
  fs.writeFileSync(join(packages, 'Packages'), `${listed.join('\n')}\n`)
}
