import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Message } from '../bus/mod.ts'
import { WriteError } from './errors.ts'
import { JournalThread } from './journal-thread.ts'
import { type Journal, type JournalPlace, JournalWriter } from './journal-writer.ts'
import { NS_PER_INSTRUCTION, Random, randomMessages, SAMPLE_NODES } from './sample.ts'

const [SRC, DST] = [SAMPLE_NODES[0]!, SAMPLE_NODES[1]!]

/** Where a journal may go. */
function place(directory: string): JournalPlace {
  fs.mkdirSync(join(directory, 'journal'), { recursive: true })
  return { directory, nodes: SAMPLE_NODES, nsPerInstruction: NS_PER_INSTRUCTION, fsync: false }
}

/** The files of a journal: names and bytes. */
function files(directory: string): [string, string][] {
  const journal = join(directory, 'journal')
  return fs.readdirSync(journal).map((name) => [name, fs.readFileSync(join(journal, name), 'latin1')])
}

/** Entries of all kinds in segments of some thousand, and among them data that fill batches and that fit none. */
function sampleJournal(random: Random): Message[] {
  return randomMessages(30_000, random).map((message, i): Message => {
    if (i % 9000 === 8999) return { ...message, payload: { kind: 'segment', hashLow: i, hashHigh: 1 } }
    if (i % 700 !== 0) return message
    const length = i % 2100 === 0 ? random.below(300_000) : random.below(20)
    return { ...message, payload: { kind: 'output', bytes: new Uint8Array(randomBytes(length)) } }
  })
}

t.test('a thread writes what is written without one', async (t) => {
  const seed = Date.now() >>> 0
  t.comment(`seed ${seed}`)
  const messages = sampleJournal(new Random(seed))
  const flushes = new Random(seed)
  const root = t.testdir()
  const [a, b] = [join(root, 'a'), join(root, 'b')]
  const [writer, thread] = [new JournalWriter(place(a)), new JournalThread(place(b))]
  for (const message of messages) {
    writer.append(message)
    thread.append(message)
    if (flushes.below(3000) > 0) continue
    writer.flush()
    await thread.flush()
    t.equal(thread.bytes, writer.bytes)
    t.strictSame(files(b), files(a))
  }
  t.equal(thread.entryCount, messages.length)
  t.equal(await thread.identity(), writer.identity())
  t.equal(await thread.close(), writer.close())
  t.equal(thread.bytes, writer.bytes)
  t.strictSame(files(b), files(a))
})

t.test('entries that come faster than they are written', async (t) => {
  const messages = sampleJournal(new Random(7))
  const root = t.testdir()
  const [a, b] = [join(root, 'a'), join(root, 'b')]
  const [writer, thread] = [new JournalWriter(place(a)), new JournalThread(place(b))]
  for (let round = 0; round < 10; round++) {
    const base = { vt: round * messages.at(-1)!.vt, icount: round * messages.at(-1)!.icount }
    for (const message of messages) {
      const later = { ...message, vt: base.vt + message.vt, icount: base.icount + message.icount }
      writer.append(later)
      thread.append(later)
    }
    if (thread.isBehind) await thread.flush()
    t.notOk(thread.isBehind)
  }
  writer.abandon()
  await thread.abandon()
  t.strictSame(
    files(b).filter(([name]) => name.endsWith('.segment')),
    files(a).filter(([name]) => name.endsWith('.segment')),
  )
})

/** Checks that every call of a journal says `error`. */
async function saysAlways(t: Test, journal: Journal, error: unknown): Promise<void> {
  const calls = [
    () => journal.append({ vt: 9, icount: 9, src: SRC, dst: DST, payload: { kind: 'event' } }),
    () => journal.flush(),
    () => journal.identity(),
    () => journal.close(),
    () => journal.abandon(),
  ]
  for (const call of calls) {
    try {
      await call()
      t.fail('a failed journal took more')
    } catch (again) {
      t.equal(again, error)
    }
  }
}

t.test('a failure of the thread is what all calls say', async (t) => {
  const root = t.testdir()
  const event: Message = { vt: 1, icount: 1, src: SRC, dst: DST, payload: { kind: 'event' } }

  const nowhere = new JournalThread({ ...place(join(root, 'a')), directory: join(root, 'none') })
  nowhere.append(event)
  const flushes = await Promise.allSettled([nowhere.flush(), nowhere.flush()])
  const [first, second] = flushes.map((flush) => (flush.status === 'rejected' ? flush.reason : undefined))
  t.ok(first instanceof WriteError && first === second)
  t.match(first, { path: join(root, 'none/journal/000000.tail'), message: /: cannot write: .*Record to another place/ })
  await saysAlways(t, nowhere, first)

  const illFormed = new JournalThread(place(join(root, 'b')))
  illFormed.append({ ...event, payload: { kind: 'timer', due: -1 } })
  const assertion = await illFormed.flush().catch((error: unknown) => error)
  t.match(assertion, { message: /timer/ })
  await saysAlways(t, illFormed, assertion)
  t.throws(
    () => new JournalThread(place(join(root, 'c'))).append({ ...event, dst: 'nobody' }),
    /nobody is not in the node/,
  )
})
