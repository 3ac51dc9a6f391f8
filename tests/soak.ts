/**
 * Repeats what must be the same every time: ten recordings of one script under different host load, then forty replays
 * of one of them, half of them with every processor busy. About an hour on two cores: `npm run soak`.
 *
 * Prints one line a run; the exit status is 0 only if all digests are one.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { ananke, lastObject, type Outcome } from '../tools/mod.ts'

const SCRIPT = join(import.meta.dirname, 'boot.script')
const RECORDINGS = 10
const REPLAYS = 40

const directory = mkdtempSync(join(tmpdir(), 'ananke-soak-'))
const digests = new Set<unknown>()
let failures = 0

/** Runs `work` while `busy` threads do nothing but compute. */
async function underLoad<T>(busy: number, work: () => Promise<T>): Promise<T> {
  const workers = Array.from({ length: busy }, () => new Worker('for (let n = 0; ; n++) Math.sqrt(n)', { eval: true }))
  try {
    return await work()
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
}

function report(what: string, busy: number, outcome: Outcome): void {
  if (outcome.status !== 0) {
    failures++
    console.log(
      `${what}, ${busy} busy threads: status ${outcome.status}\n${outcome.stdout}${outcome.stderr.slice(-2000)}`,
    )
    return
  }
  const { digest, hostSeconds } = lastObject(outcome.stdout)
  digests.add(digest)
  console.log(`${what}, ${busy} busy threads: ${Number(hostSeconds).toFixed(1)} s, ${digest}`)
}

const recordingAt = (number: number) => join(directory, `${number}.ank`)

for (let number = 0; number < RECORDINGS; number++) {
  const busy = number % (2 * availableParallelism() + 1)
  const args = ['record', 'debian-mipsel', '--input', SCRIPT, '-o', recordingAt(number), '--json']
  report(`recording ${number}`, busy, await underLoad(busy, () => ananke(args)))
  if (number > 0) rmSync(recordingAt(number), { recursive: true, force: true })
}
for (let number = 0; number < REPLAYS; number++) {
  const busy = number < REPLAYS / 2 ? 0 : availableParallelism()
  const mode = number % 2 === 0 ? 'cpu' : 'full'
  const args = ['replay', recordingAt(0), '--mode', mode, '--verify', '--json']
  report(`replay ${number}, ${mode}`, busy, await underLoad(busy, () => ananke(args)))
}
rmSync(directory, { recursive: true, force: true })
console.log(`${digests.size} digest${digests.size === 1 ? '' : 's'}, ${failures} failures`)
process.exitCode = digests.size === 1 && failures === 0 ? 0 : 1
