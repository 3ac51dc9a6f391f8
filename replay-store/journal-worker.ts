/** The thread of a `JournalThread`. */
import assert from 'node:assert/strict'
import { parentPort, workerData } from 'node:worker_threads'
import { WriteError } from './errors.ts'
import type { JournalReply, JournalRequest, JournalThreadData, JournalWork } from './journal-thread.ts'
import { JournalWriter } from './journal-writer.ts'

const port = parentPort
assert(port !== null)
const { place, done } = workerData as JournalThreadData
const journal = new JournalWriter(place)

port.on('message', ({ batch, texts, request }: JournalWork) => {
  try {
    journal.appendAll(batch, texts)
    Atomics.add(done, 0, 1)
    if (request === undefined) return
    const identity = answer(request)
    reply({ state: 'done', bytes: journal.bytes, identity })
    if (request === 'close' || request === 'abandon') port.close()
  } catch (error) {
    reply(failure(error))
    port.close()
  }
})

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
