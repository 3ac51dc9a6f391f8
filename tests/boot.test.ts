/**
 * Debian 12 on a Malta, the whole way: booted, recorded, replayed in every mode, compared with QEMU's boot, and caught
 * when the journal is changed. Takes some minutes; `tests/README.md` says how long and what it needs.
 */
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type Message, PAGE_BYTES } from '../bus/mod.ts'
import { listCheckpoints, Recording, readCheckpoint, rewriteRecording } from '../replay-store/mod.ts'
import { ananke, guestDirectory, guestNamed, lastObject, said } from '../tools/mod.ts'
import { DIFFERENCES } from './boot-differences.ts'
import { consoleLines, lineDifferences } from './console.ts'
import { PROMPT } from './debian.ts'
import { hasQemu, QEMU, qemuBootLog } from './qemu.ts'

const GUEST = guestNamed('debian-mipsel')
const SCRIPT = join(import.meta.dirname, 'boot.script')
const MAX_JOURNAL_BYTES = 2_000_000

const directory = t.testdir()
const recording = join(directory, 'debian.ank')
let digest: unknown
let consoleText = ''

t.test('Debian boots, runs the script and powers off, recorded', async (t) => {
  const recorded = await ananke(['record', GUEST.name, '--input', SCRIPT, '-o', recording, '--json'])
  consoleText = recorded.stderr
  t.equal(recorded.status, 0, recorded.stderr.slice(-500))
  const closing = lastObject(recorded.stdout)
  t.comment(JSON.stringify(closing))
  t.equal(closing['reason'], 'poweroff')
  t.ok(Number(closing['journalBytes']) <= MAX_JOURNAL_BYTES, `a journal of ${closing['journalBytes']} bytes`)
  digest = closing['digest']
  const lines = consoleLines(consoleText).join('\n')
  t.match(lines, /^Linux \(none\) 6\.1\.0-\d+-4kc-malta #1 SMP Debian .* mips GNU\/Linux$/m)
  t.match(lines, /^system type\s+: MIPS Malta$/m)
  t.match(lines, /^tlb_entries\s+: 64$/m)
  t.match(lines, /^bin +etc +initrd +media +proc/m)
  t.match(lines, /^pcnet32 \d+ 0 - Live 0x/m)
  t.match(lines, /^reboot: Power down$/m)
})

t.test("the boot log is QEMU's but for the listed differences", { skip: !hasQemu() && `no ${QEMU}` }, async (t) => {
  const images = join(guestDirectory(), GUEST.name)
  const qemuText = await qemuBootLog(join(images, 'kernel'), join(images, 'initrd'), GUEST.append, PROMPT)
  const boot = (text: string) => consoleLines(text.slice(text.indexOf('Linux version'), text.indexOf(PROMPT)))
  const [qemu, here] = [boot(qemuText), boot(consoleText)]
  t.ok(qemu.length > 100 && here.length > 100, `${qemu.length} and ${here.length} lines`)
  const { onlyA, onlyB } = lineDifferences(qemu, here)
  const explained = (line: string, side: 'qemu' | 'ananke') =>
    DIFFERENCES.some((difference) => difference[side]?.test(line))
  for (const line of onlyA) t.ok(explained(line, 'qemu'), `only QEMU: ${line}`)
  for (const line of onlyB) t.ok(explained(line, 'ananke'), `only here: ${line}`)
})

for (const mode of ['cpu', 'full']) {
  t.test(`the ${mode} replay ends with the recording's digest`, async (t) => {
    const replayed = await ananke(['replay', recording, '--mode', mode, '--verify', '--json'])
    t.equal(replayed.status, 0, replayed.stdout.slice(-2000) + replayed.stderr.slice(-500))
    const closing = lastObject(replayed.stdout)
    t.comment(JSON.stringify(closing))
    t.equal(closing['state'], 'agreed')
    t.equal(closing['digest'], digest)
  })
}

t.test('a replay in parts, and one whose checkpoint is damaged, end with the digest too', async (t) => {
  const { files } = listCheckpoints(recording)
  t.ok(files.length > 0)
  const bytes = files.reduce((sum, { fileBytes }) => sum + fileBytes, 0)
  const info = await ananke(['info', recording, '--json'])
  t.same(lastObject(info.stdout)['checkpoints'], { count: files.length, bytes })
  // How many pages it has depends on where it stands, and so on the host's speed.
  const pages = files.reduce((sum, file) => sum + [...readCheckpoint(file).pages].length, 0)
  t.ok(bytes < 0.45 * PAGE_BYTES * pages, `${bytes} bytes for ${pages} pages`)

  const inParts = async () => {
    const replayed = await ananke(['replay', recording, '--parts', '2', '--json'])
    const { state, digest: found, instructions } = lastObject(replayed.stdout)
    t.match({ status: replayed.status, state, found }, { status: 0, state: 'agreed', found: digest })
    t.ok(Number(instructions) > 5e9)
    return said(replayed)
  }
  t.same(await inParts(), [])

  const { path } = files[0]!
  const whole = readFileSync(path)
  const flipped = Buffer.from(whole)
  flipped[flipped.length >> 1]! ^= 4
  writeFileSync(path, flipped)
  t.match(await inParts(), [/000001: the body of the checkpoint: it cannot be unpacked/])
  const verified = await ananke(['replay', recording, '--verify'])
  t.match(verified, { status: 1, stderr: /000001: the body of the checkpoint: it cannot be unpacked/ })
  writeFileSync(path, whole)
})

t.test('every device replays alone', async (t) => {
  const info = lastObject((await ananke(['info', recording, '--json'])).stdout)
  const devices = Object.keys(info['nodes'] as object).filter((name) => !/^(cpu|bus|world|script)$/.test(name))
  t.ok(devices.length >= 14, devices.join(' '))
  for (const device of devices) {
    const replayed = await ananke(['replay', recording, '--mode', `device:${device}`, '--json'])
    t.equal(replayed.status, 0, `${device}: ${replayed.stdout.slice(-1000)}${replayed.stderr.slice(-500)}`)
    t.equal(lastObject(replayed.stdout)['state'], 'agreed')
  }
})

t.test('the log shows every message, registers by name', async (t) => {
  const entries = Recording.open(recording).entryCount
  const log = (await ananke(['log', recording])).stdout.trimEnd().split('\n')
  t.equal(log.length, entries)
  t.match(log.at(-1), /bus -> world +stop +poweroff$/)
  const uart = (await ananke(['log', recording, '--node', 'uart0'])).stdout
  for (const word of ['LCR <- 8N1|DLAB', 'DLL <- 0x', 'LSR -> THRE|TEMT', 'IER <- ERBFI'])
    t.ok(uart.includes(word), word)
})

t.test('a changed answer of a device is caught, and found again by diff', async (t) => {
  const changed = join(directory, 'changed.ank')
  let entry = -1
  // The first time the kernel asks the UART whether it may print, it is told that it may not.
  const isStatus = ({ src, payload }: Message) => src === 'uart0' && payload.kind === 'data' && payload.value === 0x60
  await rewriteRecording(recording, changed, (message, index) => {
    if (entry >= 0 || !isStatus(message) || message.payload.kind !== 'data') return message
    entry = index
    return { ...message, payload: { ...message.payload, value: 0 } }
  })
  t.ok(entry > 0, `entry ${entry}`)
  for (const mode of ['full', 'cpu']) {
    const replayed = await ananke(['replay', changed, '--mode', mode, '--json'])
    t.equal(replayed.status, 3, mode)
    const divergence = lastObject(replayed.stdout)['divergence'] as { entry: number; node: string; before: unknown[] }
    if (mode === 'full') t.match(divergence, { entry, node: 'uart0' }, 'full names the entry')
    else t.ok(divergence.node === 'cpu' && divergence.entry > entry, 'cpu names what first came of it')
    t.equal(divergence.before.length, 10)
  }
  const difference = await ananke(['diff', recording, changed, '--json'])
  t.equal(difference.status, 3)
  t.match(lastObject(difference.stdout), { same: false, divergence: { entry } })
})

t.test('a recording works wherever it is moved', async (t) => {
  const moved = join(directory, 'moved', 'elsewhere.ank')
  cpSync(recording, moved, { recursive: true })
  const env = { XDG_CACHE_HOME: join(directory, 'no-cache'), PATH: '/usr/bin:/bin' }
  const replayed = await ananke(['replay', moved, '--until', '20000000', '--verify'], { env })
  t.equal(replayed.status, 0, replayed.stderr)
})
