/**
 * The command line on a small bare-metal machine: what each command prints, and its exit status.
 */
import { cpSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { rewriteRecording } from '../../replay-store/mod.ts'
import { bareMetal } from '../images/sample.ts'
import { ananke, lastObject, said } from './testing.ts'

/** A directory with a kernel that prints `hello` and powers off. */
function helloDirectory(t: Test, endian: 'little' | 'big' = 'little'): string {
  const directory = t.testdir()
  writeFileSync(join(directory, 'hello'), bareMetal('hello', endian))
  return directory
}

/** `bareMetal('hello')`, packed by xz, which Node cannot do. */
const XZ_KERNEL = [
  '/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4AF3AFhdAD+RRYRoO97epg8j2wWdBjijXMjVrQOn9xYyobY/u4O+C0B3VYsBwPX/f7ns',
  'yhewQiPCITdkcLx/u5Dke2ZW0ndGiIM5ZZ6ExiWdumtzeCeZfQQZgg1ESwAAyXpgYPwJwR0AAXT4AgAAAB1Iq4GxxGf7AgAAAAAE',
  'WVo=',
].join('')

const words = (directory: string, kernel = 'hello') => ['--machine', 'dma-test', '--kernel', join(directory, kernel)]

for (const endian of ['little', 'big'] as const) {
  t.test(`record and replay, ${endian} endian`, async (t) => {
    const directory = helloDirectory(t, endian)
    const recording = join(directory, 'a.ank')
    const recorded = await ananke(['record', ...words(directory), '-o', recording, '--json'])
    t.equal(recorded.status, 0)
    t.match(recorded.stderr, /hello/, 'the console is on standard error, beside the result')
    const closing = lastObject(recorded.stdout)
    t.match(closing, {
      instructions: Number,
      virtualSeconds: Number,
      hostSeconds: Number,
      mips: Number,
      journalBytes: Number,
      bytesPer1000Instructions: Number,
      digest: /^[0-9a-f]{64}$/,
      reason: 'poweroff',
    })
    for (const mode of ['cpu', 'full']) {
      const replayed = await ananke(['replay', recording, '--mode', mode, '--verify', '--json'])
      t.equal(replayed.status, 0, `${mode}: ${replayed.stderr}`)
      t.match(lastObject(replayed.stdout), { state: 'agreed', digest: closing['digest'] })
    }
    for (const device of ['uart0', 'dma0', 'power']) {
      t.equal((await ananke(['replay', recording, '--mode', `device:${device}`])).status, 0, device)
    }
  })
}

t.test('a kernel packed by xz boots every time', async (t) => {
  const directory = t.testdir({ packed: Buffer.from(XZ_KERNEL, 'base64') })
  for (let time = 0; time < 6; time++) {
    const { status, stderr } = await ananke(['boot', ...words(directory, 'packed')])
    t.equal(status, 0, stderr)
  }
})

t.test('boot, for people', async (t) => {
  const booted = await ananke(['boot', ...words(helloDirectory(t))])
  t.equal(booted.status, 0)
  t.match(
    booted.stdout,
    /^hello\r\n[\d,]+ instructions, .* virtual s, .* host s, .* MIPS, journal .*, digest [0-9a-f]{64}\n$/,
  )
  t.same(said(booted), ['the guest powered off'])
})

t.test('reading a recording', async (t) => {
  const directory = helloDirectory(t)
  const recording = join(directory, 'a.ank')
  await ananke(['record', ...words(directory), '-o', recording])

  const info = await ananke(['info', recording, '--json'])
  t.match(lastObject(info.stdout), {
    machine: 'dma-test',
    end: { reason: 'poweroff', digest: /^[0-9a-f]{64}$/ },
    nodes: { uart0: { write: 7, output: 7 } },
  })
  t.match((await ananke(['info', recording])).stdout, /^machine +dma-test, 16\.0 MiB, 8 ns an instruction$/m)

  const log = (await ananke(['log', recording])).stdout.trimEnd().split('\n')
  t.equal(log.length, lastObject(info.stdout)['entries'], 'one line an entry')
  t.match(log[0], /^ +0 +0\.000000000 +0 {2}bus -> cpu +reset$/)
  t.match(log.join('\n'), /cpu -> uart0 +write +THR <- 'h'/)
  const uart = (await ananke(['log', recording, '--node', 'uart0'])).stdout.trimEnd().split('\n')
  t.equal(uart.length, 15)
  for (const line of uart) t.match(line, /uart0/)
  const ranged = await ananke(['log', recording, '--from', '14', '--to', '20', '--json'])
  const entries = ranged.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { icount: number })
  t.ok(entries.length > 0)
  for (const { icount } of entries) t.ok(icount >= 14 && icount < 20)
  t.equal((await ananke(['log', recording, '--node', 'uart9'])).status, 2)

  const part = await ananke(['replay', recording, '--until', '20', '--json'])
  t.equal(part.status, 0)
  t.match(lastObject(part.stdout), { state: 'until', position: { icount: 20 } })
  t.match((await ananke(['replay', recording, '--console'])).stdout, /^hello\r\n/)
})

t.test('a changed journal is caught, and found again by diff', async (t) => {
  const directory = helloDirectory(t)
  const [original, changed] = [join(directory, 'a.ank'), join(directory, 'b.ank')]
  await ananke(['record', ...words(directory), '-o', original])
  let entry = -1
  const edited = await rewriteRecording(original, changed, (message, index) => {
    const { payload } = message
    if (entry >= 0 || payload.kind !== 'output') return message
    entry = index
    return { ...message, payload: { ...payload, bytes: Buffer.from('J') } }
  })
  t.same(edited.verify(), [])
  const full = await ananke(['replay', changed, '--mode', 'full'])
  t.equal(full.status, 3)
  t.match(full.stdout, new RegExp(`^divergence at entry ${entry}, in uart0: `))
  t.match(full.stdout, /^ {2}expected: .*output +"J"$/m)
  t.match(full.stdout, /^ {2}actual: .*output +"h"$/m)
  const json = await ananke(['replay', changed, '--mode', 'device:uart0', '--json'])
  t.equal(json.status, 3)
  t.match(lastObject(json.stdout), {
    state: 'diverged',
    divergence: { entry, node: 'uart0', expected: { kind: 'output' } },
  })

  const difference = await ananke(['diff', original, changed])
  t.equal(difference.status, 3)
  t.match(difference.stdout, new RegExp(`^divergence at entry ${entry}, `, 'm'))
  t.match(lastObject((await ananke(['diff', original, changed, '--json'])).stdout), {
    same: false,
    divergence: { entry },
  })
  t.equal((await ananke(['diff', original, original])).status, 0)
})

t.test('a recording with a damaged kernel is told of nothing else', async (t) => {
  const directory = helloDirectory(t)
  const recording = join(directory, 'a.ank')
  await ananke(['record', ...words(directory), '-o', recording])
  const [image] = readdirSync(join(recording, 'images'))
  const path = join(recording, 'images', image!)
  const bytes = readFileSync(path)
  // The first makes it no kernel, the last another one, of which a replay would find a divergence.
  for (const [at, mode] of [0, bytes.length - 1].flatMap((at) => ['cpu', 'full'].map((mode) => [at, mode] as const))) {
    const damaged = Uint8Array.from(bytes)
    damaged[at]! ^= 0xff
    writeFileSync(path, damaged)
    const replayed = await ananke(['replay', recording, '--mode', mode, '--console'])
    t.equal(replayed.status, 1)
    t.equal(replayed.stdout, '')
    t.match(said(replayed), [/the image kernel: its SHA-256 does not match/])
  }
  t.equal((await ananke(['replay', recording])).status, 1)
  t.equal((await ananke(['log', recording])).status, 0, 'what needs no image does its work')
})

t.test('an interrupted recording is whole', async (t) => {
  const directory = t.testdir()
  writeFileSync(join(directory, 'chatter'), bareMetal('chatter'))
  const recording = join(directory, 'a.ank')
  const ended = await ananke(['record', ...words(directory, 'chatter'), '-o', recording], {
    onStart: (child) => child.stdout?.once('data', () => child.kill('SIGTERM')),
  })
  t.equal(ended.status, 1, 'it did not run to its end')
  t.match(said(ended), [/^interrupted; the recording is /])
  const replayed = await ananke(['replay', recording, '--verify', '--json'])
  t.equal(replayed.status, 0)
  t.match(lastObject(replayed.stdout), { state: 'agreed', reason: 'quit' })
})

t.test('a killed recording replays to its last whole entry, and says so', async (t) => {
  const directory = t.testdir()
  writeFileSync(join(directory, 'chatter'), bareMetal('chatter'))
  const recording = join(directory, 'a.ank')
  const killed = await ananke(['record', ...words(directory, 'chatter'), '-o', recording], {
    onStart: (child) => child.stdout?.once('data', () => child.kill('SIGKILL')),
  })
  t.equal(killed.signal, 'SIGKILL')
  const printed = killed.stdout.length
  const replayed = await ananke(['replay', recording, '--mode', 'full', '--verify', '--console'])
  t.equal(replayed.status, 0)
  t.match(said(replayed), [/was cut off; its [\d,]+ whole entries agree$/])
  t.ok(/^x*/.exec(replayed.stdout)![0].length >= printed, 'what was printed was durable')
  t.match((await ananke(['info', recording])).stdout, /^end +cut off: /m)
})

t.test('a reader who goes away is no error', async (t) => {
  const directory = helloDirectory(t)
  const recording = join(directory, 'a.ank')
  await ananke(['record', ...words(directory), '-o', recording])
  const gone = await ananke(['log', recording], { onStart: (child) => child.stdout?.destroy() })
  t.equal(gone.status, 0)
  t.equal(gone.stderr, '')
})

t.test('damage is named', async (t) => {
  const directory = helloDirectory(t)
  const [recording, copy] = [join(directory, 'a.ank'), join(directory, 'copy.ank')]
  await ananke(['record', ...words(directory), '-o', recording])
  cpSync(recording, copy, { recursive: true })
  const segment = join(copy, 'journal', '000000.segment')
  const bytes = readFileSync(segment)
  bytes[bytes.length >> 1]! ^= 4
  writeFileSync(segment, bytes)
  const flipped = await ananke(['replay', copy, '--verify'])
  t.equal(flipped.status, 1)
  t.match(said(flipped), [/000000\.segment: .*\. Restore this file/])
  truncateSync(segment, bytes.length - 3)
  t.equal((await ananke(['info', copy])).status, 1)
})
