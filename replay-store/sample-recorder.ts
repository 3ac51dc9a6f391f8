/**
 * A recorder in a process of its own, for tests to kill or to starve: `sample-recorder.ts DIRECTORY SEED SEGMENTS THREAD`.
 * Prints how many entries are flushed after each flush, or the error that stopped it, and waits for its end.
 */
import { writeSync } from 'node:fs'
import { StoreError } from './errors.ts'
import { RecordingWriter } from './recording-writer.ts'
import { Random, recorderMessages, sampleManifest } from './sample.ts'

const [directory = '', seed = '', segments = '', thread = ''] = process.argv.slice(2)
const FLUSH_ENTRIES = 10

// Node ignores what the host sends with a file that has become too large. What the test runner puts into this process does not, unless
// somebody listens.
process.on('SIGXFSZ', () => undefined)

try {
  const writer = RecordingWriter.create(directory, sampleManifest(), [], { isThreaded: thread === 'thread' })
  for (const [i, message] of recorderMessages(new Random(Number(seed)), segments === 'segments').entries()) {
    writer.append(message)
    if (i % FLUSH_ENTRIES !== FLUSH_ENTRIES - 1) continue
    await writer.flush()
    // Synchronous, so that what was printed was printed before the kill.
    writeSync(1, `${i + 1}\n`)
  }
} catch (error) {
  if (!(error instanceof StoreError)) throw error
  writeSync(1, `${error.name}: ${error.message}\n`)
}
setInterval(() => undefined, 1000)
