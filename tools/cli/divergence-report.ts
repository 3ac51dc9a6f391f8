/**
 * A divergence, for people and for programs: where, what was expected, what came, and the messages before.
 */
import type { Message } from '../../bus/mod.ts'
import type { Divergence } from '../../orchestrator/mod.ts'
import { type EntryDecoder, entryLine, entryObject } from './log-line.ts'

/** What to do about it. */
const ADVICE =
  'A changed model, CPU or journal gives this; ananke log --from and --to show more of the journal around the place.'

/** The divergence with each message in words. */
interface InWords {
  before: string[]
  expected: string
  actual: string
}

/** Decoders follow a device from the start, so they are given the journal up to the place. */
function inWords(divergence: Divergence, journal: Iterable<Message>, decoder: EntryDecoder): InWords {
  const { entry, before, expected, actual } = divergence
  const first = before[0]?.entry ?? entry
  const words: string[] = []
  let number = 0
  for (const message of journal) {
    if (number >= entry) break
    const said = decoder.decode(message)
    if (number >= first) words.push(said)
    number++
  }
  return {
    before: words,
    expected: expected === undefined ? '' : decoder.decode(expected),
    actual: actual === undefined ? '' : decoder.decode(actual),
  }
}

/** @param journal the entries that were expected, from the first */
export function divergenceLines(divergence: Divergence, journal: Iterable<Message>, decoder: EntryDecoder): string[] {
  const { node, entry, vt, icount, pc, expected, actual, what, before } = divergence
  const words = inWords(divergence, journal, decoder)
  const counter = pc === undefined ? '' : `, program counter 0x${(pc >>> 0).toString(16).padStart(8, '0')}`
  const line = (message: Message | undefined, said: string) =>
    message === undefined ? 'nothing' : entryLine(entry, message, said).trimStart()
  return [
    `divergence at entry ${entry}, in ${node}: ${what}`,
    `  at instruction ${icount}, ${vt} ns${counter}`,
    `  expected: ${line(expected, words.expected)}`,
    `  actual:   ${line(actual, words.actual)}`,
    '  before it:',
    ...before.map(
      ({ entry: number, message }, index) => `    ${entryLine(number, message, words.before[index] ?? '')}`,
    ),
    ADVICE,
  ]
}

/** @param journal the entries that were expected, from the first */
export function divergenceObject(
  divergence: Divergence,
  journal: Iterable<Message>,
  decoder: EntryDecoder,
): Record<string, unknown> {
  const { expected, actual, before, ...place } = divergence
  const words = inWords(divergence, journal, decoder)
  return {
    ...place,
    before: before.map(({ entry, message }, index) => entryObject(entry, message, words.before[index] ?? '')),
    expected: expected === undefined ? null : entryObject(place.entry, expected, words.expected),
    actual: actual === undefined ? null : entryObject(place.entry, actual, words.actual),
  }
}
