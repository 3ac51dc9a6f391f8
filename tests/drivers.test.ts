/**
 * Linux's drivers on the devices' other ways: ata_piix by programmed I/O in place of DMA, 8139too on registers in memory and on ports.
 * (The usual ways are `debian-disk.test.ts`'s.)
 */
import * as fs from 'node:fs'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import t from 'tap'
import { Recording, sha256 } from '../replay-store/mod.ts'
import { ananke, guestNamed, lastObject, loadGuest, makeExt4, said } from '../tools/mod.ts'
import { host, noise } from './host.ts'

const GUEST = guestNamed('debian-mipsel-disk')
const SCRIPT = join(import.meta.dirname, 'drivers.script')
const DISK_BYTES = 1 << 20
const random = noise(1 << 19)

const directory = t.testdir({ served: {}, second: {} })
const at = (name: string) => join(directory, name)

t.test('programmed I/O, recorded and replayed', async (t) => {
  for (const place of ['served', 'second']) fs.writeFileSync(at(`${place}/random`), random)
  await makeExt4(at('second.img'), DISK_BYTES, at('second'))
  await loadGuest(GUEST, () => {})
  const words = [
    ...['--append', `${GUEST.append} libata.force=1.01:pio4`, '--drive', at('second.img'), '--input', SCRIPT],
    ...['--net', `hermetic,root=${at('served')},model=rtl8139,mac=52:54:00:12:34:57`],
  ]
  const recorded = await ananke(['record', GUEST.name, ...words, '-o', at('a.ank'), '--json'])
  t.equal(recorded.status, 0, recorded.stderr.slice(-2000))
  const text = stripVTControlCharacters(recorded.stderr).replaceAll('\r', '')
  const hash = sha256(random)
  for (const what of [
    /ata1\.01: FORCE: xfer_mask set to pio4/,
    /eth0: RealTek RTL8139/,
    new RegExp(`^${hash} {2}/mnt/random$`, 'm'),
    new RegExp(`^${hash} {2}/root/mapped$`, 'm'),
    new RegExp(`^${hash} {2}/root/ports$`, 'm'),
    /^fsck 0$/m,
    /^cmp 0$/m,
    /2 packets transmitted, 2 received, 0% packet loss/,
  ]) {
    t.match(text, what)
  }
  t.notMatch(text, /NETDEV WATCHDOG/)
  t.match(text, /^ *eth0: +\d+ +\d+ +0 +0 +0 /m, 'no frame was damaged or dropped')

  const exported = await ananke(['drive', 'export', at('a.ank'), 'ide.disk1', '-o', at('after.img')])
  t.equal(exported.status, 0, exported.stderr)
  t.match(host('e2fsck', ['-f', '-n', at('after.img')]), /^Pass 5/m)
  host('debugfs', ['-R', `dump /part ${at('part')}`, at('after.img')])
  t.ok(fs.readFileSync(at('part')).equals(random.subarray(0, 400_000)), 'what was written by PIO')

  t.ok(dataPortAccesses(Recording.open(at('a.ank'))) > DISK_BYTES / 4, 'words went through the data port')
  for (const mode of ['cpu', 'full', 'device:ide', 'device:nic0']) {
    const replayed = await ananke(['replay', at('a.ank'), '--mode', mode, '--json'])
    t.match(lastObject(replayed.stdout), { state: 'agreed' }, `${mode}: ${said(replayed).join()}`)
  }
})

function dataPortAccesses(recording: Recording): number {
  let accesses = 0
  for (const { dst, payload } of recording.entries()) {
    if (dst === 'ide' && payload.kind === 'read' && payload.offset === 0 && payload.size > 1) accesses++
  }
  return accesses
}
