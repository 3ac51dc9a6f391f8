/**
 * Repeats what must be the same every time, and prints one line a run: recordings of one script under different host load, then
 * replays of one of them, `cpu` and `full` in turn, with a processor each and with the machine overcommitted. The load is the other
 * runs, side by side, and busy threads. `npm run soak`, about half an hour on two cores for each system; `npm run soak -- disk` is one
 * of them. The exit status is 0 only if all digests of a system are one.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { ananke, lastObject } from '../tools/mod.ts'
import { makeDay } from './debian-day.ts'

interface System {
  /** What is recorded, for `ananke record`. */
  words(directory: string): Promise<string[]>
  /** How many recordings are made side by side, batch by batch. */
  batches: readonly number[]
  /** How many with a processor each, and as many overcommitted. */
  replays: number
}

const SYSTEMS: Readonly<Record<string, System>> = {
  installer: {
    words: async () => ['debian-mipsel', '--input', join(import.meta.dirname, 'boot.script')],
    batches: [1, 2, 3, 4],
    replays: 20,
  },
  disk: { words: async (directory) => (await makeDay(directory)).words, batches: [1, 2, 3], replays: 10 },
}

class Soak {
  readonly digests = new Set<unknown>()
  failures = 0
  readonly #system: System
  readonly #directory: string
  #words: readonly string[] = []
  #recordings = 0

  constructor(system: System, directory: string) {
    this.#system = system
    this.#directory = directory
  }

  async run(): Promise<void> {
    this.#words = await this.#system.words(this.#directory)
    for (const side of this.#system.batches) {
      await Promise.all(Array.from({ length: side }, () => this.#record(side)))
    }
    const processors = availableParallelism()
    await this.#replayAll(processors, 0)
    await this.#replayAll(2 * processors, 1)
  }

  async #record(side: number): Promise<void> {
    const number = this.#recordings++
    const recording = this.#recordingAt(number)
    await this.#ananke(`recording ${number}, ${side} side by side`, ['record', ...this.#words, '-o', recording])
    if (number > 0) rmSync(recording, { recursive: true, force: true })
  }

  /** Replays, `side` of them at a time, while `busy` threads do nothing but compute. */
  async #replayAll(side: number, busy: number): Promise<void> {
    const workers = Array.from(
      { length: busy },
      () => new Worker('for (let n = 0; ; n++) Math.sqrt(n)', { eval: true }),
    )
    let next = 0
    const replayInTurn = async () => {
      while (next < this.#system.replays) {
        const number = next++
        const mode = number % 2 === 0 ? 'cpu' : 'full'
        const what = `replay ${number}, ${mode}, ${side} side by side, ${busy} busy threads`
        await this.#ananke(what, ['replay', this.#recordingAt(0), '--mode', mode, '--verify'])
      }
    }
    await Promise.all(Array.from({ length: side }, replayInTurn))
    await Promise.all(workers.map((worker) => worker.terminate()))
  }

  async #ananke(what: string, args: string[]): Promise<void> {
    const { status, stdout, stderr } = await ananke([...args, '--json'])
    if (status !== 0) {
      this.failures++
      console.log(`${what}: status ${status}\n${stdout}${stderr.slice(-2000)}`)
      return
    }
    const { digest, hostSeconds } = lastObject(stdout)
    this.digests.add(digest)
    console.log(`${what}: ${Number(hostSeconds).toFixed(1)} s, ${digest}`)
  }

  #recordingAt(number: number): string {
    return join(this.#directory, `${number}.ank`)
  }
}

const named = process.argv.slice(2)
const names = named.length === 0 ? Object.keys(SYSTEMS) : named
const unknown = names.find((name) => SYSTEMS[name] === undefined)
if (unknown !== undefined) {
  process.stderr.write(`soak: no system is called '${unknown}'; there is ${Object.keys(SYSTEMS).join(', ')}\n`)
  process.exit(2)
}
for (const name of names) {
  const directory = mkdtempSync(join(tmpdir(), 'ananke-soak-'))
  const soak = new Soak(SYSTEMS[name]!, directory)
  try {
    await soak.run()
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  const { digests, failures } = soak
  console.log(`${name}: ${digests.size} digest${digests.size === 1 ? '' : 's'}, ${failures} failures`)
  if (digests.size !== 1 || failures > 0) process.exitCode = 1
}
