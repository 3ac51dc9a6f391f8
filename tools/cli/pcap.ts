/**
 * `ananke pcap`, and `--pcap` of a live run: what network cards sent and got, for Wireshark and its kin.
 */
import type { Board } from '../../bus/mod.ts'
import type { EntryListener } from '../../orchestrator/mod.ts'
import { Recording } from '../../replay-store/mod.ts'
import { UsageError, UserError } from '../errors.ts'
import { Capture, cardsOf } from '../pcap/capture.ts'
import { STATUS_OK } from './failure.ts'
import { grouped } from './format.ts'
import { recordedBoard } from './machine.ts'
import { printLine } from './output.ts'
import { version } from './version.ts'

export interface PcapWords {
  output: string
  node?: string
}

const application = `Ananke ${version}`

/** Gives the exit status. */
export async function writeCapture(directory: string, { output, node }: PcapWords): Promise<number> {
  const recording = Recording.open(directory)
  const cards = recordedCards(recording, node)
  const capture = new Capture(output, { application, cards, startSeconds: recording.manifest.rtcSeconds })
  try {
    let entry = 0
    for (const message of recording.entries()) capture.add(entry++, message)
  } finally {
    capture.close()
  }
  await printLine(`${output}: ${grouped(capture.frames)} frames of ${cards.join(', ')}`)
  return STATUS_OK
}

function recordedCards(recording: Recording, node: string | undefined): string[] {
  const cards = cardsOf(recordedBoard(recording))
  if (cards.length === 0) throw new UserError(`${recording.directory} was recorded without a network card`)
  if (node === undefined) return cards
  if (cards.includes(node)) return [node]
  throw new UsageError(`${recording.directory} has no network card ${node}; it has ${cards.join(', ')}`)
}

/** A capture of a run under way, which is the same as one made from its recording. A run goes on without it if it cannot be written. */
export class LiveCapture {
  readonly #capture: Capture
  #isOver = false

  readonly #onFailure: (message: string) => void

  /**
   * @param onFailure told once, if it cannot be written any more
   * @throws UsageError, UserError
   */
  constructor(path: string, board: Pick<Board, 'devices'>, startSeconds: number, onFailure: (message: string) => void) {
    this.#onFailure = onFailure
    const cards = cardsOf(board)
    if (cards.length === 0) throw new UsageError('--pcap: the machine has no network card; give it one with --net')
    this.#capture = new Capture(path, { application, cards, startSeconds })
  }

  readonly hear: EntryListener = (entry, message) => {
    if (this.#isOver) return
    try {
      this.#capture.add(entry, message)
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      this.#isOver = true
      this.#onFailure(`${error.message}. It ends here, with ${grouped(this.#capture.frames)} frames; the run goes on.`)
    }
  }

  close(): void {
    try {
      this.#capture.close()
    } catch (error) {
      this.#onFailure(`${this.#capture.path} may not be whole: ${(error as Error).message}`)
    }
  }

  /** There will be no run. */
  discard(): void {
    this.#capture.discard()
  }
}
