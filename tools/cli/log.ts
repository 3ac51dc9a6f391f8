/**
 * `ananke log`: the journal, one line an entry.
 */
import { Recording } from '../../replay-store/mod.ts'
import { UsageError } from '../errors.ts'
import { STATUS_OK } from './failure.ts'
import { EntryDecoder, entryLine, entryObject } from './log-line.ts'
import { recordedBoard } from './machine.ts'
import { isReaderGone, print } from './output.ts'
import { parseIcount } from './replay.ts'

export interface LogWords {
  node?: string
  from?: string
  to?: string
  json?: boolean
}

/** Lines are written in chunks of about this. */
const CHUNK_CHARACTERS = 1 << 16

/** Gives the exit status. */
export async function logCommand(directory: string, words: LogWords): Promise<number> {
  const from = words.from === undefined ? 0 : parseIcount(words.from, '--from')
  const to = words.to === undefined ? Number.POSITIVE_INFINITY : parseIcount(words.to, '--to')
  const recording = Recording.open(directory)
  const { nodes } = recording.manifest
  if (words.node !== undefined && !nodes.includes(words.node)) {
    throw new UsageError(`${directory} has no node '${words.node}'; it has ${nodes.join(', ')}`)
  }
  const decoder = new EntryDecoder(recordedBoard(recording))
  const format = words.json
    ? (...entry: Parameters<typeof entryObject>) => JSON.stringify(entryObject(...entry))
    : entryLine
  let chunk = ''
  let number = 0
  // Decoders follow each device from the start, so every entry is read, whatever is shown.
  for (const message of recording.entries()) {
    if (message.icount >= to || isReaderGone()) break
    const said = decoder.decode(message)
    const isWanted = words.node === undefined || message.src === words.node || message.dst === words.node
    if (isWanted && message.icount >= from) chunk += `${format(number, message, said)}\n`
    if (chunk.length >= CHUNK_CHARACTERS) {
      await print(chunk)
      chunk = ''
    }
    number++
  }
  await print(chunk)
  return STATUS_OK
}
