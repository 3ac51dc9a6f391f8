/**
 * Whether memory stops growing, over one long run and over many machines in one process: records a Debian guest that goes
 * on starting programs, walking files and hashing for 100 G instructions; then boots Debian ten times in this process.
 * `npm run endurance`, some three minutes on two idle cores; `-- --instructions 20e9 --boots 4` is a shorter try.
 *
 * It prints memory over time. Whether it has stopped growing is judged by its trend after the first third
 * (`memory-trend.ts`); the exit status is 0 only if it has. The long run is watched from outside, as it is: its resident
 * memory. After each boot garbage is collected, since machines of 160 MiB that are gone are collected now or later
 * otherwise. What V8 counts as live then has little noise; resident memory has more, and has what V8 does not count, such
 * as code and the guest's memory.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createCpu } from '../cpu-node/mod.ts'
import { ananke, lastObject, reportFailure, UsageError } from '../tools/mod.ts'
import { type DebianBoot, debianBoot, PROMPT } from './debian.ts'
import { type Growth, LEAST_SAMPLES, memoryTrend, trendText } from './memory-trend.ts'

const PROGRAMS = 'for i in 1 2 3 4 5 6 7 8 9 10; do /bin/busybox true; done'
const WORK = `while true; do ${PROGRAMS}; find / -xdev | sort | wc -c; cat /lib/*.so* /bin/busybox | sha256sum; done`
const SAMPLE_MS = 1000
/** Of the samples so many, the last of each stretch, are printed. */
const PRINTED_SAMPLES = 20
const SLICE_INSTRUCTIONS = 5_000_000
/** Until nothing of a machine is left: what its last translations hold goes with them. */
const COLLECTIONS = 5
const COLLECTION_MS = 50

const MIB = 2 ** 20
const DEFAULT_GIGA_INSTRUCTIONS = 100
const DEFAULT_BOOTS = 10
/** Growth that does not matter, over a run ten times as long as is the default. */
const NEGLIGIBLE_BYTES = 32 * MIB
const WORK_GROWTH: Growth = {
  unit: 'G instructions',
  negligibleBytes: NEGLIGIBLE_BYTES / (10 * DEFAULT_GIGA_INSTRUCTIONS),
  leakBytes: 0.5 * MIB,
}
const LIVE_GROWTH: Growth = {
  unit: 'boot',
  negligibleBytes: NEGLIGIBLE_BYTES / (10 * DEFAULT_BOOTS),
  leakBytes: MIB,
}
/** What V8 and malloc keep for later, and the translating thread's garbage, differ by some 2 MiB from boot to boot. */
const RESIDENT_GROWTH: Growth = { ...LIVE_GROWTH, leakBytes: 2 * MIB }

function residentBytes(pid: number | 'self'): number | undefined {
  const kilobytes = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
}

/** Says whether memory stopped growing; `samples`: bytes, evenly over the whole run of `units`. */
function judge(what: string, samples: readonly number[], units: number, growth: Growth): boolean {
  const trend = memoryTrend(samples, units, growth)
  const verdict =
    trend === undefined
      ? `CANNOT BE JUDGED by ${samples.length} samples; ${LEAST_SAMPLES} are the least`
      : trendText(trend, growth)
  console.log(`${what} ${verdict}`)
  return trend?.verdict === 'stopped'
}

const mebibytes = (bytes: number, decimals = 0): string => `${(bytes / MIB).toFixed(decimals)} MiB`

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
    const units = instructions / 1e9
    return judge(`${units} G instructions: resident memory`, samples, units, WORK_GROWTH)
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

/** What is left without garbage, in bytes: what V8 counts, and of the whole process. */
async function collected(): Promise<{ live: number; resident: number }> {
  if (globalThis.gc === undefined) throw new UsageError('garbage cannot be collected; use npm run endurance')
  let [live, resident] = [Infinity, Infinity]
  for (let collection = 0; collection < COLLECTIONS; collection++) {
    // Lets what came back from other threads be taken in.
    await setTimeout(COLLECTION_MS)
    globalThis.gc()
    const { heapUsed, external } = process.memoryUsage()
    live = Math.min(live, heapUsed + external)
    resident = Math.min(resident, residentBytes('self')!)
  }
  return { live, resident }
}

async function manyBoots(boots: number): Promise<boolean> {
  const debian = await debianBoot()
  const lives: number[] = []
  const residents: number[] = []
  for (let number = 1; number <= boots; number++) {
    const most = boot(debian)
    const { live, resident } = await collected()
    lives.push(live)
    residents.push(resident)
    const after = `${mebibytes(live, 1)} live and ${mebibytes(resident, 1)} resident after a collection`
    console.log(`boot ${number}: most ${mebibytes(most)} resident; ${after}`)
  }
  const what = `${boots} boots in one process`
  return [
    judge(`${what}: live memory`, lives, boots, LIVE_GROWTH),
    judge(`${what}: resident memory`, residents, boots, RESIDENT_GROWTH),
  ].every((stopped) => stopped)
}

const { values } = parseArgs({
  options: {
    instructions: { type: 'string', default: `${DEFAULT_GIGA_INSTRUCTIONS}e9` },
    boots: { type: 'string', default: `${DEFAULT_BOOTS}` },
  },
})

/** A whole number of at least `least`: `20e9` is one. */
function parseWhole(option: 'instructions' | 'boots', least: number): number {
  const value = Number(values[option])
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new UsageError(`--${option} ${values[option]}: give a whole number, ${least} or more`)
}

try {
  const instructions = parseWhole('instructions', 1)
  const boots = parseWhole('boots', LEAST_SAMPLES)
  const hasStopped = [await longRun(instructions), await manyBoots(boots)]
  process.exitCode = hasStopped.every((stopped) => stopped) ? 0 : 1
} catch (error) {
  process.exitCode = reportFailure(error)
}
