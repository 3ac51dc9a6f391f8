/**
 * `ananke pcap`: the frames of a recording's network cards, for Wireshark and its kin.
 *
 * Each has the guest's time of day, its direction, and in a comment the position in the recording from which it came.
 */
import * as fs from 'node:fs'
import { readLink } from '../../device-nodes/mod.ts'
import { Recording } from '../../replay-store/mod.ts'
import { UsageError, UserError } from '../errors.ts'
import { captureFrame, captureStart } from '../pcap/pcapng.ts'
import { STATUS_OK } from './failure.ts'
import { grouped } from './format.ts'
import { recordedBoard } from './machine.ts'
import { printLine } from './output.ts'
import { version } from './version.ts'

export interface PcapWords {
  output: string
  node?: string
}

const CARD = /^nic\d+$/

/** Gives the exit status. */
export async function writeCapture(directory: string, { output, node }: PcapWords): Promise<number> {
  const recording = Recording.open(directory)
  const cards = cardsOf(recording, node)
  const start = BigInt(recording.manifest.rtcSeconds) * 1_000_000_000n
  let frames = 0
  const file = create(output)
  try {
    write(file, captureStart(`Ananke ${version}`, cards), output)
    let entry = -1
    for (const { src, dst, vt, icount, payload } of recording.entries()) {
      entry++
      if (payload.kind !== 'output' && payload.kind !== 'input') continue
      const isOut = payload.kind === 'output'
      const card = cards.indexOf(isOut ? src : dst)
      if (card < 0 || (!isOut && readLink(payload.bytes) !== undefined)) continue
      const comment = `entry ${entry}, before instruction ${icount}, ${vt} ns`
      const direction = isOut ? 'out' : 'in'
      write(
        file,
        captureFrame({ interface: card, ns: start + BigInt(vt), direction, comment, bytes: payload.bytes }),
        output,
      )
      frames++
    }
  } finally {
    fs.closeSync(file)
  }
  await printLine(`${output}: ${grouped(frames)} frames of ${cards.join(', ')}`)
  return STATUS_OK
}

function cardsOf(recording: Recording, node: string | undefined): string[] {
  const cards = recordedBoard(recording).devices.flatMap(({ name }) => (CARD.test(name) ? [name] : []))
  if (cards.length === 0) throw new UserError(`${recording.directory} was recorded without a network card`)
  if (node === undefined) return cards
  if (cards.includes(node)) return [node]
  throw new UsageError(`${recording.directory} has no network card ${node}; it has ${cards.join(', ')}`)
}

function create(output: string): number {
  try {
    return fs.openSync(output, 'wx')
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const why = code === 'EEXIST' ? 'exists. Remove it, or write to another file.' : `cannot be written: ${message}`
    throw new UserError(`${output} ${why}`, { cause })
  }
}

function write(file: number, bytes: Uint8Array, output: string): void {
  try {
    fs.writeFileSync(file, bytes)
  } catch (cause) {
    throw new UserError(`${output} cannot be written whole: ${(cause as Error).message}`, { cause })
  }
}
