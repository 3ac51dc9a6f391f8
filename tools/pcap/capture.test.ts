import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Message, Payload } from '../../bus/mod.ts'
import { linkInput } from '../../device-nodes/mod.ts'
import { Capture, cardsOf } from './capture.ts'
import { captureFrame, captureStart } from './pcapng.ts'

const OPTIONS = { application: 'Ananke 1', cards: ['nic0'], startSeconds: 1000 }

const message = (src: string, dst: string, payload: Payload): Message => ({ vt: 5, icount: 7, src, dst, payload })

t.test('frames of cards are captured, and nothing else', async (t) => {
  const path = join(t.testdir(), 'a.pcapng')
  const capture = new Capture(path, OPTIONS)
  const frame = new Uint8Array(60).fill(3)
  const messages = [
    message('nic0', 'world', { kind: 'output', bytes: frame }),
    message('uart0', 'world', { kind: 'output', bytes: frame }),
    message('nic0', 'cpu', { kind: 'line', wire: 0, level: 1 }),
    message('world', 'nic0', { kind: 'input', bytes: linkInput(false) }),
    message('world', 'nic0', { kind: 'input', bytes: linkInput(true) }),
    message('world', 'nic0', { kind: 'input', bytes: frame.subarray(1) }),
  ]
  for (const [entry, each] of messages.entries()) capture.add(entry + 10, each)
  t.equal(capture.frames, 2)
  const ns = 1_000_000_000_005n
  const comment = (entry: number) => `entry ${entry}, before instruction 7, 5 ns`
  const expected = Buffer.concat([
    captureStart('Ananke 1', ['nic0']),
    captureFrame({ interface: 0, ns, direction: 'out', comment: comment(10), bytes: frame }),
    captureFrame({ interface: 0, ns, direction: 'in', comment: comment(15), bytes: frame.subarray(1) }),
  ])
  t.ok(fs.readFileSync(path).equals(expected), 'it is there before it is closed')
  capture.close()
  t.throws(() => new Capture(path, OPTIONS), { name: 'UserError', message: /a\.pcapng exists\. Remove it, or write/ })
  t.throws(() => new Capture(join(path, 'b'), OPTIONS), { name: 'UserError', message: /cannot be written: / })
  t.ok(fs.readFileSync(path).equals(expected), 'one that is there is not touched')
  const gone = new Capture(`${path}2`, OPTIONS)
  gone.discard()
  t.notOk(fs.existsSync(`${path}2`))
})

t.test('cards by their names', async (t) => {
  const devices = ['nic0', 'uart0', 'nic12', 'unic1'].map((name) => ({ name })) as never
  t.same(cardsOf({ devices }), ['nic0', 'nic12'])
})

t.test('a file that cannot grow keeps its whole frames', async (t) => {
  const directory = t.testdir({
    'write.ts': `
      import { Capture } from ${JSON.stringify(join(import.meta.dirname, 'capture.ts'))}
      const capture = new Capture(process.argv[2], ${JSON.stringify(OPTIONS)})
      const payload = { kind: 'output', bytes: new Uint8Array(900) }
      try {
        for (let i = 0; ; i++) capture.add(i, { vt: 0, icount: 0, src: 'nic0', dst: 'world', payload })
      } catch (error) {
        console.log(JSON.stringify([error.name, error.message, capture.frames]))
      }`,
  })
  const path = join(directory, 'a.pcapng')
  const script = `unset NODE_OPTIONS; ulimit -f 8; exec ${process.execPath} ${join(directory, 'write.ts')} ${path}`
  const { stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' })
  const [name, said, frames] = JSON.parse(stdout || '[]') as [string, string, number]
  t.equal(name, 'UserError', stderr)
  t.match(said, `${path} cannot be written whole: EFBIG`)
  const bytes = new Uint8Array(900)
  const one = (i: number) =>
    captureFrame({
      interface: 0,
      ns: 1_000_000_000_000n,
      direction: 'out',
      comment: `entry ${i}, before instruction 0, 0 ns`,
      bytes,
    })
  const whole = Buffer.concat([captureStart('Ananke 1', ['nic0']), ...Array.from({ length: frames }, (_, i) => one(i))])
  t.ok(frames > 5)
  t.ok(fs.readFileSync(path).equals(whole))
})
