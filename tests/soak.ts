/**
 * Repeats what must be the same every time, and prints one line a run: ten recordings of one script under different host
 * load, then replays of one of them, `cpu` and `full` in turn: twenty with a processor each, twenty with the machine
 * overcommitted. The load is the other runs, side by side, and busy threads. About half an hour on two cores:
 * `npm run soak`. The exit status is 0 only if all digests are one.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { ananke, lastObject } from '../tools/mod.ts'

const SCRIPT = join(import.meta.dirname, 'boot.script')
/** How many recordings are made side by side, batch by batch. */
const RECORDING_BATCHES = [1, 2, 3, 4]
const REPLAYS = 20

const directory = mkdtempSync(join(tmpdir(), 'ananke-soak-'))
const digests = new Set<unknown>()
let failures = 0
let recordings = 0

async function run(what: string, args: string[]): Promise<void> {
  const { status, stdout, stderr } = await ananke([...args, '--json'])
  if (status !== 0) {
    failures++
    console.log(`${what}: status ${status}\n${stdout}${stderr.slice(-2000)}`)
    return
  }
  const { digest, hostSeconds } = lastObject(stdout)
  digests.add(digest)
  console.log(`${what}: ${Number(hostSeconds).toFixed(1)} s, ${digest}`)
}

const recordingAt = (number: number) => join(directory, `${number}.ank`)

async function record(side: number): Promise<void> {
  const number = recordings++
  const what = `recording ${number}, ${side} side by side`
  await run(what, ['record', 'debian-mipsel', '--input', SCRIPT, '-o', recordingAt(number)])
  if (number > 0) rmSync(recordingAt(number), { recursive: true, force: true })
}

/** Replays, `side` of them at a time, while `busy` threads do nothing but compute. */
async function replayAll(side: number, busy: number): Promise<void> {
  const workers = Array.from({ length: busy }, () => new Worker('for (let n = 0; ; n++) Math.sqrt(n)', { eval: true }))
  let next = 0
  const replayInTurn = async () => {
    while (next < REPLAYS) {
      const number = next++
      const mode = number % 2 === 0 ? 'cpu' : 'full'
      const what = `replay ${number}, ${mode}, ${side} side by side, ${busy} busy threads`
      await run(what, ['replay', recordingAt(0), '--mode', mode, '--verify'])
    }
  }
  await Promise.all(Array.from({ length: side }, replayInTurn))
  await Promise.all(workers.map((worker) => worker.terminate()))
}

for (const side of RECORDING_BATCHES) await Promise.all(Array.from({ length: side }, () => record(side)))
const processors = availableParallelism()
await replayAll(processors, 0)
await replayAll(2 * processors, 1)
rmSync(directory, { recursive: true, force: true })
console.log(`${digests.size} digest${digests.size === 1 ? '' : 's'}, ${failures} failures`)
process.exitCode = digests.size === 1 && failures === 0 ? 0 : 1
