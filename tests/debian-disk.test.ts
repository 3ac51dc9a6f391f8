/**
 * A whole Debian 12 on an IDE disk, with systemd, a network and a second disk: recorded, replayed in every mode with the images gone,
 * its disks checked by the host's e2fsck and its traffic by tshark. The first time it is installed, which takes some minutes;
 * `tests/README.md` says how long.
 */
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import t, { type Test } from 'tap'
import { Recording, sha256 } from '../replay-store/mod.ts'
import { ananke, lastObject, loadGuest, said } from '../tools/mod.ts'
import { GUEST, makeDay } from './debian-day.ts'
import { host } from './host.ts'

const directory = t.testdir()
const at = (name: string) => join(directory, name)
const { secondDisk, served, random, words } = await makeDay(directory)

/** A file of an ext4 image. */
function fileIn(image: string, name: string): Buffer {
  const copy = at('dumped')
  host('debugfs', ['-R', `dump ${name} ${copy}`, image])
  return fs.readFileSync(copy)
}

const recording = at('debian.ank')
let digest: unknown
let printed = ''

t.test('a day of Debian, recorded', async (t) => {
  // Its own step: the first time it takes minutes.
  await loadGuest(GUEST, () => {})
  const recorded = await ananke(['record', ...words, '-o', recording, '--json'])
  printed = recorded.stderr
  t.equal(recorded.status, 0, recorded.stderr.slice(-2000))
  const closing = lastObject(recorded.stdout)
  t.comment(JSON.stringify(closing))
  t.equal(closing['reason'], 'poweroff')
  t.ok(Number(closing['bytesPer1000Instructions']) <= 5)
  digest = closing['digest']
  const hash = sha256(random)
  // A shell at a terminal turns pasting on and off.
  const text = stripVTControlCharacters(printed).replaceAll('\r', '')
  for (const what of [
    /inet 10\.0\.2\.15\/24/,
    /nameserver 10\.0\.2\.3/,
    /^running$/m,
    /0 loaded units listed/,
    /^sda +8:0 +0 +1G +0 disk \/$/m,
    /^sdb +8:16 +0 +32M +0 disk *$/m,
    new RegExp(`^${hash} {2}/mnt/random$`, 'm'),
    new RegExp(`^${hash} {2}/root/copy$`, 'm'),
    new RegExp(`^${hash} {2}/root/fetched$`, 'm'),
    /^fsck 0$/m,
    /3 packets transmitted, 3 received, 0% packet loss/,
    /Setting up ananke-hello \(1\.0\)/,
    /^hello from a package$/m,
  ]) {
    t.match(text, what)
  }
})

t.test('its traffic, for Wireshark', async (t) => {
  const counts = countsOf(printed)
  const capture = at('debian.pcapng')
  t.equal((await ananke(['pcap', recording, '-o', capture])).status, 0)
  const { error } = spawnSync('tshark', ['--version'])
  if (error !== undefined) t.comment('tshark is not there, so the capture was not read')
  else checkCapture(t, capture, counts)
})

/** What the guest's card has received and sent, as it says itself. */
function countsOf(printed: string): { in: number; out: number } {
  const line = /eth0: +([\d ]+)/.exec(printed.slice(printed.lastIndexOf('eth0:')))?.[1] ?? ''
  const fields = line.trim().split(/ +/).map(Number)
  return { in: fields[1]!, out: fields[9]! }
}

function checkCapture(t: Test, capture: string, counts: { in: number; out: number }): void {
  const fields = ['frame.p2p_dir', '_ws.malformed', 'tcp.analysis.retransmission', 'frame.protocols']
  const checked = ['ip', 'udp', 'tcp'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`])
  const args = ['-r', capture, '-T', 'fields', ...fields.flatMap((field) => ['-e', field]), ...checked]
  const lines = host('tshark', args)
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'))
  t.same({ in: lines.filter(([d]) => d === '1').length, out: lines.filter(([d]) => d === '0').length }, counts)
  t.equal(lines.filter(([, malformed, again]) => malformed !== '' || again !== '').length, 0)
  const protocols = new Set(lines.flatMap((line) => line[3]!.split(':')))
  for (const protocol of ['dhcp', 'arp', 'icmp', 'dns', 'tcp', 'http'])
    t.ok(protocols.has(protocol), `the capture has ${protocol}`)
}

t.test('its disks, as they stood at the end', async (t) => {
  const drives = ['ide.disk0', 'ide.disk1'] as const
  for (const drive of drives) {
    const exported = await ananke(['drive', 'export', recording, drive, '-o', at(`${drive}.img`)])
    t.equal(exported.status, 0, exported.stderr)
    t.match(host('e2fsck', ['-f', '-n', at(`${drive}.img`)]), /^Pass 5/m, `${drive} is clean`)
  }
  t.ok(fileIn(at('ide.disk0.img'), '/root/copy').equals(random))
  for (const [, hash, name] of printed.matchAll(/^([0-9a-f]{64}) {2}(\/(?:root|etc|usr)\/\S+)/gm)) {
    t.equal(sha256(fileIn(at('ide.disk0.img'), name!)), hash, `the hash of ${name}`)
  }
  t.ok(fileIn(at('ide.disk1.img'), '/zeros').equals(Buffer.alloc(4 << 20)))
})

t.test('its replays, with all images gone', async (t) => {
  fs.rmSync(secondDisk)
  fs.rmSync(served, { recursive: true })
  const { manifest } = Recording.open(recording)
  // The guest's own disk is others' too: the recording is told of a place where there is none.
  t.ok(manifest.drives?.every(({ sha256 }) => sha256.length === 64))
  for (const mode of ['cpu', 'full', 'device:ide', 'device:nic0']) {
    const replayed = await ananke(['replay', recording, '--mode', mode, '--json'], {
      env: { XDG_CACHE_HOME: at('no-cache') },
    })
    t.match(lastObject(replayed.stdout), { state: 'agreed' }, `${mode}: ${said(replayed).join()}`)
    if (!mode.startsWith('device:')) t.equal(lastObject(replayed.stdout)['digest'], digest, mode)
  }
})
