/**
 * Whether memory stops growing, over one long run and over many machines in one process: records a Debian guest that goes
 * on starting programs, walking files and hashing for 100 G instructions; then boots Debian ten times in this process.
 * `npm run endurance`, some three minutes on two idle cores; `-- --instructions 20e9 --boots 4` is a shorter try.
 *
 * It prints resident memory over time. It has stopped growing if the most in the second half is at most 2 % above the most
 * in the first; the exit status is 0 only then.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createCpu } from '../cpu-node/mod.ts'
import { ananke, lastObject } from '../tools/mod.ts'
import { type DebianBoot, debianBoot, PROMPT } from './debian.ts'

const PROGRAMS = 'for i in 1 2 3 4 5 6 7 8 9 10; do /bin/busybox true; done'
const WORK = `while true; do ${PROGRAMS}; find / -xdev | sort | wc -c; cat /lib/*.so* /bin/busybox | sha256sum; done`
const SAMPLE_MS = 1000
/** Of the samples so many, the last of each stretch, are printed. */
const PRINTED_SAMPLES = 20
const SLICE_INSTRUCTIONS = 5_000_000
/** What a collection of garbage more or less makes. */
const MOST_GROWTH = 0.02

const MIB = 2 ** 20

function residentBytes(pid: number | 'self'): number | undefined {
  const kilobytes = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
}

/** Says whether memory stopped growing; `samples`: resident bytes, evenly over the whole time. */
function judge(what: string, samples: readonly number[]): boolean {
  const half = Math.ceil(samples.length / 2)
  const [before, after] = [Math.max(...samples.slice(0, half)), Math.max(...samples.slice(half))]
  const growth = after / before - 1
  const stopped = growth <= MOST_GROWTH
  const verdict = stopped ? 'has stopped growing' : 'is STILL GROWING'
  const most = `at most ${mebibytes(before)} in the first half, ${mebibytes(after)} in the second`
  console.log(`${what}: memory ${verdict}: ${most} (${(100 * growth).toFixed(1)} %)`)
  return stopped
}

const mebibytes = (bytes: number): string => `${(bytes / MIB).toFixed(0)} MiB`

/** Records so many instructions in a process of its own. */
async function longRun(instructions: number): Promise<boolean> {
  const directory = mkdtempSync(join(tmpdir(), 'ananke-endurance-'))
  const script = join(directory, 'work.script')
  writeFileSync(script, `expect ${PROMPT}\nsend ${WORK}\nat ${instructions} send\nquit\n`)
  const samples: number[] = []
  let timer: NodeJS.Timeout | undefined
  try {
    const { status, stdout, stderr } = await ananke(
      ['record', 'debian-mipsel', '--input', script, '-o', join(directory, 'long.ank'), '--json'],
      {
        onStart: ({ pid }) => {
          // What has ended and was not waited for has no memory.
          timer = setInterval(() => samples.push(residentBytes(pid!) ?? samples.at(-1)!), SAMPLE_MS)
        },
      },
    )
    clearInterval(timer)
    if (status !== 0) throw new Error(`the recording ended with status ${status}: ${stderr.slice(-2000)}`)
    const { hostSeconds, journalBytes, statistics } = lastObject(stdout)
    for (let printed = 1; printed <= PRINTED_SAMPLES; printed++) {
      const end = Math.round((printed * samples.length) / PRINTED_SAMPLES)
      const stretch = samples.slice(Math.round(((printed - 1) * samples.length) / PRINTED_SAMPLES), end)
      if (stretch.length > 0)
        console.log(`${end} s: ${mebibytes(stretch.at(-1)!)}, most ${mebibytes(Math.max(...stretch))}`)
    }
    console.log(`${hostSeconds} s, a journal of ${journalBytes} bytes, ${JSON.stringify(statistics)}`)
    return judge(`${instructions / 1e9} G instructions`, samples)
  } finally {
    clearInterval(timer)
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The most memory that this process has while it boots once more. */
function boot(debian: DebianBoot): number {
  let text = ''
  let most = 0
  const bus = debian.start(createCpu, () => {})
  bus.onOutput((_source, bytes) => {
    text += Buffer.from(bytes).toString('latin1')
  })
  while (!text.includes(PROMPT)) {
    bus.runSlice({ maxInstructions: SLICE_INSTRUCTIONS })
    most = Math.max(most, residentBytes('self')!)
  }
  return most
}

async function manyBoots(boots: number): Promise<boolean> {
  const debian = await debianBoot()
  const samples: number[] = []
  for (let number = 1; number <= boots; number++) {
    samples.push(boot(debian))
    console.log(`boot ${number}: most ${mebibytes(samples.at(-1)!)}`)
    // Lets what came back from other threads be taken in.
    await new Promise((resolve) => setImmediate(resolve))
  }
  return judge(`${boots} boots in one process`, samples)
}

const { values } = parseArgs({
  options: { instructions: { type: 'string', default: '100e9' }, boots: { type: 'string', default: '10' } },
})
const hasStopped = [await longRun(Number(values.instructions)), await manyBoots(Number(values.boots))]
process.exitCode = hasStopped.every((stopped) => stopped) ? 0 : 1
