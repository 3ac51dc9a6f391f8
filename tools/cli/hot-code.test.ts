/** The files of what runs found hot. */
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { HotCode } from '../../cpu-node/mod.ts'
import { bareMetal } from '../images/sample.ts'
import { cachedHotCode, cacheHotCode, recordHotCode } from './hot-code.ts'
import { ananke, lastObject, said } from './testing.ts'

/** One region: a jump to itself and its delay slot. */
function sample(): HotCode {
  const hotCode = new HotCode()
  hotCode.add({
    kind: { isa: 'mips', bigEndian: false, flags: 0, relative: false, fixed: true },
    pcs: Int32Array.of(0x8000_1000),
    lengths: Int32Array.of(8),
    targets: Int32Array.of(1),
    words: Int32Array.of(0x1000_ffff, 0),
    byCall: Int32Array.of(),
  })
  return hotCode
}

t.test('what is kept is read again', async (t) => {
  const path = join(t.testdir(), 'folder', 'kernel')
  await cacheHotCode(path, sample())
  t.same((await cachedHotCode(path)).known, new HotCode(sample().encode()).known)
  t.ok((await cachedHotCode(`${path}-of-nobody`)).isEmpty)
})

t.test('nothing is written where there is nothing to keep', async (t) => {
  const directory = t.testdir()
  await recordHotCode(directory, new HotCode())
  await cacheHotCode(join(directory, 'kernel'), new HotCode())
  t.same(readdirSync(directory), [])
})

t.test('a file with any bit changed is left aside', async (t) => {
  const path = join(t.testdir(), 'hot-code')
  await cacheHotCode(path, sample())
  const whole = readFileSync(path)
  for (let byte = 0; byte < whole.length; byte++) {
    const changed = Buffer.from(whole)
    changed[byte]! ^= 1 << (byte % 8)
    writeFileSync(path, changed)
    const { known } = await cachedHotCode(path)
    t.ok(known.length === 0 || known[0]!.words[0] === 0x1000_ffff, `byte ${byte}`)
  }
})

t.test('the cache keeps the latest', async (t) => {
  const directory = t.testdir()
  for (let kernel = 0; kernel < 40; kernel++) {
    const path = join(directory, String(kernel))
    await cacheHotCode(path, sample())
    utimesSync(path, kernel + 1, kernel + 1)
  }
  const last = join(directory, 'last')
  await cacheHotCode(last, sample())
  t.equal(readdirSync(directory).length, 32)
  t.ok(existsSync(last) && existsSync(join(directory, '39')) && !existsSync(join(directory, '0')))
})

t.test('a replay passes over a damaged file with a note', async (t) => {
  const directory = t.testdir({ hello: Buffer.from(bareMetal('hello', 'little')) })
  const recording = join(directory, 'a.ank')
  const kernel = ['--machine', 'dma-test', '--kernel', join(directory, 'hello')]
  const recorded = await ananke(['record', ...kernel, '-o', recording, '--json'])
  writeFileSync(join(recording, 'hot-code'), 'no hot code')
  const replayed = await ananke(['replay', recording, '--json'])
  t.equal(replayed.status, 0)
  t.equal(lastObject(replayed.stdout)['digest'], lastObject(recorded.stdout)['digest'])
  t.match(said(replayed).join(), /hot-code: it is damaged, and is left aside/)
})
