import { join } from 'node:path'
import t from 'tap'
import { Recording } from './recording.ts'
import { RecordingWriter } from './recording-writer.ts'
import { rewriteRecording } from './rewrite.ts'
import { Random, randomMessages, sampleManifest } from './sample.ts'

const ZEROS = '0'.repeat(64)
const IMAGES = [{ name: 'kernel', bytes: Uint8Array.of(1, 2, 3) }]
const messages = randomMessages(300, new Random(21), true)

async function source(directory: string, closed: boolean): Promise<string> {
  const path = join(directory, 'a.ank')
  const writer = RecordingWriter.create(path, sampleManifest(), IMAGES)
  for (const message of messages) writer.append(message)
  if (closed) await writer.close({ reason: 'quit', instructions: 5, vt: 40, digest: ZEROS, deviceStates: {} })
  else await writer.abandon()
  return path
}

t.test('a copy that changes nothing has the same identity', async (t) => {
  for (const closed of [true, false]) {
    const directory = t.testdir()
    const path = await source(directory, closed)
    const copy = await rewriteRecording(path, join(directory, 'b.ank'), (message) => message)
    t.strictSame(copy.manifest, Recording.open(path).manifest)
    t.equal(copy.identity(), Recording.open(path).identity())
    t.equal(copy.truncated === undefined, closed)
  }
})

t.test('one changed, one left out: a sound recording of another journal', async (t) => {
  const directory = t.testdir()
  const path = await source(directory, true)
  const copy = await rewriteRecording(path, join(directory, 'b.ank'), (message, index) => {
    if (index === 200) return undefined
    return index === 100 ? { ...message, payload: { kind: 'line', wire: 3, level: 1 } } : message
  })
  t.strictSame(copy.verify(), [])
  const expected = messages.toSpliced(200, 1)
  expected[100] = { ...expected[100]!, payload: { kind: 'line', wire: 3, level: 1 } }
  t.strictSame([...copy.entries()], expected)
  t.equal(copy.manifest.end?.entries, 299)
  t.equal(copy.manifest.end?.identity, copy.identity())
  t.not(copy.identity(), Recording.open(path).identity())
})
