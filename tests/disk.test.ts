/**
 * A bare-metal program that reads and writes a disk through the data port and by the bus master, recorded and replayed in every
 * mode with the image gone: what a run reads of an image is in its recording. Both byte orders.
 */
import * as fs from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ananke, lastObject, said } from '../tools/mod.ts'

const DISK_BYTES = 2 ** 21
/** What QEMU's Malta prints for the same program and image, but for the name of the disk. */
const PRINTED = ['sectors 00001000', 'sector 5 447bdf00', 'around 81e09e00', 'disk ok']

const SECTOR = 512
const image = Buffer.from(Uint8Array.from({ length: DISK_BYTES }, (_, i) => (i * 3 + (i >> 9)) & 0xff))

const readIfThere = (path: string) => (fs.existsSync(path) ? fs.readFileSync(path) : undefined)

for (const endian of ['mipsel', 'mips']) {
  t.test(endian, async (t) => {
    const directory = t.testdir({ 'd.img': image, script: 'expect disk ok\nquit\n' })
    const at = (name: string) => join(directory, name)
    const kernel = new URL(`bare-metal/disk-${endian}.elf`, import.meta.url).pathname
    const words = ['--kernel', kernel, '--drive', at('d.img'), '--input', at('script')]
    const recorded = await ananke(['record', ...words, '-o', at('a.ank'), '--json'])
    t.equal(recorded.status, 0, recorded.stderr)
    const printed = recorded.stderr.split(/\r?\n/).map((line) => line.trim())
    t.ok(printed.includes('Ananke disk'))
    t.same(
      printed.filter((line) => /^(sector|around|disk ok|wrong)/.test(line)),
      PRINTED,
    )
    const { digest } = lastObject(recorded.stdout)
    t.ok(fs.readFileSync(at('d.img')).equals(image), 'the image is as it was')

    const booted = await ananke(['boot', ...words, '--json'])
    t.equal(lastObject(booted.stdout)['digest'], digest, 'a run that is not recorded reads the same')

    const exported = async (name: string, ...more: string[]) => {
      const outcome = await ananke(['drive', 'export', at('a.ank'), 'ide.disk0', '-o', at(name), ...more])
      return { status: outcome.status, said: said(outcome).join(), bytes: readIfThere(at(name)) }
    }
    const after = Buffer.from(image)
    for (let i = 0; i < 8 * SECTOR; i++) after[100 * SECTOR + i] = i * 7 + (i >> 8)
    t.ok((await exported('end.img')).bytes?.equals(after), 'what the guest wrote is over the image')
    t.ok((await exported('start.img', '--at', '1000')).bytes?.equals(image))
    t.match(await exported('end.img'), { status: 1, said: /end\.img exists\. Remove it, or write to another file\.$/ })
    fs.writeFileSync(at('d.img'), after)
    const sha256 = /SHA-256 [0-9a-f]{64}, with --image$/
    t.match(await exported('x.img'), { status: 1, said: /d\.img is not what it was when it was recorded; / })
    fs.rmSync(at('d.img'))
    const gone = await exported('x.img')
    t.match(gone, { status: 1, said: /d\.img: no such file; / })
    t.match(gone, { said: sha256, bytes: undefined })
    t.ok((await exported('x.img', '--image', at('start.img'))).bytes?.equals(after))

    const info = lastObject((await ananke(['info', at('a.ank'), '--json'])).stdout)
    t.match(info['drives'], [{ name: 'ide.disk0', bytes: DISK_BYTES, keptBytes: 65_536 }])
    for (const mode of ['cpu', 'full', 'device:ide']) {
      const replayed = await ananke(['replay', at('a.ank'), '--mode', mode, '--verify', '--json'])
      t.same(said(replayed), [], mode)
      t.match(lastObject(replayed.stdout), { state: 'agreed' }, mode)
      if (mode !== 'device:ide') t.equal(lastObject(replayed.stdout)['digest'], digest, mode)
    }

    // A drive that holds something else is found out, and a part of it that is damaged is named.
    const path = join(at('a.ank'), 'drives', 'ide.disk0')
    const kept = fs.readFileSync(path)
    const flipped = Buffer.from(kept)
    flipped[flipped.length >> 1]! ^= 1
    fs.writeFileSync(path, flipped)
    const verified = await ananke(['replay', at('a.ank'), '--verify'])
    t.match(verified, { status: 1, stderr: /drives\/ide\.disk0: chunk 0 of ide\.disk0: its checksum does not match/ })
    fs.writeFileSync(path, kept.subarray(0, 4))
    const missing = await ananke(['replay', at('a.ank')])
    t.match(missing, { status: 1, stderr: /byte \d+ of ide\.disk0 was not read when it was recorded/ })
  })
}
