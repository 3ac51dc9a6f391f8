/** The thread of a `JournalThread`. */
import assert from 'node:assert/strict'
import * as os from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { WriteError } from './errors.ts'
import type { JournalMessage, JournalReply, JournalRequest, JournalThreadData, JournalWork } from './journal-thread.ts'

/**
 * The guest's thread, and those that translate for it, go first: on two cores the start of this one would take turns with them. Not by
 * more: where others keep all cores busy, a guest that sends messages all the time would wait for this thread.
 */
const NICE = 5
// On other hosts it would be the priority of the whole process.
if (process.platform === 'linux') os.setPriority(NICE)
// Most of the start.
const { JournalWriter } = await import('./journal-writer.ts')
const { ChunkFile } = await import('./drive.ts')
const { ChunkTaker } = await import('./chunk-ring.ts')
const { hostFiles } = await import('./files.ts')

const port = parentPort
assert(port !== null)
const { place, done } = workerData as JournalThreadData
const drives: InstanceType<typeof ChunkFile>[] = []
let chunks: InstanceType<typeof ChunkTaker> | undefined
const journal = new JournalWriter(place, hostFiles, () => {
  for (const drive of drives) drive.sync()
})

port.on('message', (message: JournalMessage) => {
  try {
    if ('chunk' in message) {
      const { chunk } = message
      chunks?.take(chunk, (number, bytes) => drives[chunk.drive]!.append(number, bytes))
    } else if ('drive' in message) {
      const { path, file, ring } = message.drive
      drives.push(new ChunkFile(path, file, hostFiles))
      chunks ??= new ChunkTaker(ring)
    } else work(message)
  } catch (error) {
    chunks?.fail()
    reply(failure(error))
    port.close()
  }
})

function work({ batch, texts, request }: JournalWork): void {
  journal.appendAll(batch, texts)
  Atomics.add(done, 0, 1)
  if (request === undefined) return
  const identity = answer(request)
  reply({ state: 'done', bytes: journal.bytes, identity })
  if (request === 'close' || request === 'abandon') port?.close()
}

/** Does what is asked for; the identity is the answer to those who want it. */
function answer(request: JournalRequest): string {
  switch (request) {
    case 'flush':
      journal.flush()
      return ''
    case 'identity':
      return journal.identity()
    case 'close':
      return journal.close()
    case 'abandon':
      journal.abandon()
      return ''
  }
}

/** An error's class does not survive the way to another thread. */
function failure(error: unknown): JournalReply {
  if (!(error instanceof WriteError)) return { state: 'failed', error }
  const { message, path, cause } = error
  return { state: 'unwritten', message, path, cause }
}

function reply(message: JournalReply): void {
  port?.postMessage(message)
}
