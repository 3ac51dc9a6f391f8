/**
 * `npm run bench`: the project and QEMU side by side, in one call. tools/README.md says what is measured and how.
 */
import { createCipheriv } from 'node:crypto'
import { once } from 'node:events'
import { appendFileSync, createReadStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, CommanderError } from 'commander'
import { reportFailure, STATUS_FAILED, STATUS_OK, STATUS_USAGE } from '../cli/failure.ts'
import { parseCount } from '../cli/format.ts'
import { Progress } from '../cli/progress.ts'
import { UsageError } from '../errors.ts'
import { guestDirectory, loadGuest } from '../guests/cache.ts'
import { guestNamed } from '../guests/guests.ts'
import { Ananke, type AnankeOptions } from './ananke.ts'
import {
  type CaseName,
  caseWords,
  DEFAULT_CASES,
  PEERS,
  type Peer,
  parseCases,
  parsePeers,
  planRounds,
  planSteps,
  type System,
  stepTitle,
} from './cases.ts'
import { killChildren, RunFailed } from './child.ts'
import { profileTables, readProfile, summarizeProfile } from './profile.ts'
import { lacksQemu, Qemu, qemuVersion } from './qemu.ts'
import { accessTable, caseTable, projectTable, resultObject, rounded, targetTable } from './report.ts'
import { Results } from './results.ts'
import { SYSTEMS } from './sample.ts'

/** What the system on a disk reads, writes and fetches. */
const NOISE_BYTES = 512 << 20
const DEFAULT_RUNS = '5'

interface Words {
  cases?: string
  peers: string
  runs: string
  json?: string
  cold?: boolean
  profile?: boolean
}

function makeProgram(): Command {
  return new Command('bench')
    .description('Measures the project and its peers side by side.')
    .option('--cases <names>', `what to measure, with commas between: ${caseWords.join(', ')}`)
    .option('--peers <names>', `whom to compare with: ${PEERS.join(', ')}, or none`, PEERS.join(','))
    .option('--runs <number>', 'repetitions', DEFAULT_RUNS)
    .option('--json <file>', 'where to write every figure')
    .option('--cold', 'forget before each run what earlier ones found and made, as if there had been none')
    .option('--profile', 'show where the time of one run of each case goes, instead of measuring')
    .exitOverride()
    .action(async (words: Words) => {
      process.exitCode = words.profile ? await profile(words) : await measure(words)
    })
}

const say = (text: string) => process.stderr.write(`bench: ${text}\n`)

/** Gives the exit status: 1 if a run of the project failed. */
async function measure(words: Words): Promise<number> {
  const cases = words.cases === undefined ? DEFAULT_CASES : parseCases(words.cases)
  const runs = parseRuns(words.runs)
  const peers = await availablePeers(parsePeers(words.peers))
  const directory = temporaryDirectory()
  const host = await describeHost(peers.length > 0)
  say(Object.values(host).join(', '))
  const { ananke, qemu } = await makeSides(directory, cases, { isCold: words.cold === true })
  const plan = planRounds(cases, peers)
  const results = new Results(runs * plan.length)
  const failures: string[] = []
  let hasFailed = false
  for (let round = 0; round < results.rounds; round++) {
    const repetition = Math.floor(round / plan.length)
    for (const step of plan[round % plan.length]!) {
      const title = `${repetition + 1}/${runs} ${stepTitle(step)}`
      try {
        const samples = await (step.side === 'ananke' ? ananke : qemu).run(step)
        for (const [name, sample] of samples) results.add(round, name, step.side, sample)
        say(`${title}: ${[...samples.values()].map(({ seconds }) => rounded(seconds)).join(', ')} s`)
      } catch (error) {
        if (!(error instanceof RunFailed)) throw error
        failures.push(`${title}: ${error.message}`)
        hasFailed ||= step.side === 'ananke'
        say(failures.at(-1)!)
      }
    }
  }
  const tables = [caseTable(results), accessTable(results), targetTable(results), projectTable(results), ...failures]
  console.log(tables.filter((text) => text !== '').join('\n'))
  if (words.json !== undefined) {
    writeFileSync(words.json, `${JSON.stringify({ host, ...resultObject(results), failures }, null, 1)}\n`)
  }
  return hasFailed ? STATUS_FAILED : STATUS_OK
}

/** Profiles the project's runs, one after the other. */
async function profile(words: Words): Promise<number> {
  const cases: readonly CaseName[] = words.cases === undefined ? ['record'] : parseCases(words.cases)
  const directory = temporaryDirectory()
  for (const [index, step] of planSteps(cases, []).entries()) {
    const profiles = join(directory, `profile-${index}`)
    mkdirSync(profiles)
    const { ananke } = await makeSides(directory, cases, {
      isCold: words.cold === true,
      nodeOptions: ['--cpu-prof', `--cpu-prof-dir=${profiles}`],
    })
    const samples = await ananke.run(step)
    const taken = [...samples.values()].map(({ seconds }) => rounded(seconds)).join(', ')
    console.log(
      `${stepTitle(step)}: ${taken} s with the profiler\n${profileTables(summarizeProfile(readProfile(profiles)))}`,
    )
  }
  return STATUS_OK
}

function parseRuns(text: string): number {
  const runs = parseCount(text)
  if (runs === undefined || runs === 0) throw new UsageError(`'${text}' is no number of runs; give 5, or more`)
  return runs
}

/** Without QEMU there is nobody to compare with, which is said and no failure. */
async function availablePeers(wanted: readonly Peer[]): Promise<readonly Peer[]> {
  if (wanted.length === 0) return wanted
  const lack = await lacksQemu()
  if (lack === undefined) return wanted
  say(`measuring the project alone: ${lack}`)
  return []
}

/** Removed, with whatever still runs, at every way out that there is. */
function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'ananke-bench-'))
  process.on('exit', () => {
    killChildren()
    rmSync(directory, { recursive: true, force: true })
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(STATUS_FAILED))
  return directory
}

async function makeSides(
  directory: string,
  cases: readonly CaseName[],
  options: Pick<AnankeOptions, 'isCold' | 'nodeOptions'>,
): Promise<{ ananke: Ananke; qemu: Qemu }> {
  const steps = planSteps(cases, PEERS)
  const systems = new Set(steps.flatMap((step) => ('system' in step ? [step.system] : [])))
  const progress = new Progress()
  for (const system of systems) {
    const guest = guestNamed(SYSTEMS[system].guest)
    await loadGuest(guest, (stage, fraction) => progress.update(stage, fraction)).finally(() => progress.clear())
  }
  const served = join(directory, 'served')
  const secondDisk = join(served, 'noise')
  const hasDisk = steps.some((step) => step.kind === 'console' && step.system === 'disk')
  if (hasDisk) writeNoise(served, secondDisk)
  const server = hasDisk ? await serveFile(secondDisk) : ''
  const images = (system: System) => join(guestDirectory(), SYSTEMS[system].guest)
  return {
    ananke: new Ananke({ directory, served, server, secondDisk, ...options }),
    qemu: new Qemu({ images, directory, secondDisk, server }),
  }
}

/** Bytes that no compression makes less of. */
function writeNoise(directory: string, path: string): void {
  mkdirSync(directory)
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16))
  const zeros = Buffer.alloc(1 << 20)
  for (let written = 0; written < NOISE_BYTES; written += zeros.length) appendFileSync(path, cipher.update(zeros))
}

/** What a guest on the host's network fetches a file from: gives the address that it has there. */
async function serveFile(path: string): Promise<string> {
  const server = createServer((_request, response) => createReadStream(path).pipe(response))
  server.listen(0, '127.0.0.1').unref()
  await once(server, 'listening')
  return `10.0.2.2:${(server.address() as AddressInfo).port}`
}

async function describeHost(hasQemu: boolean): Promise<Record<string, string>> {
  const processors = cpus()
  return {
    processors: `${processors.length} x ${processors[0]?.model.trim() ?? 'unknown'}`,
    load: `load ${loadavg()
      .map((load) => load.toFixed(2))
      .join(' ')}`,
    node: `Node ${process.versions.node} (V8 ${process.versions.v8})`,
    ...(hasQemu && { qemu: await qemuVersion() }),
  }
}

try {
  await makeProgram().parseAsync()
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? STATUS_OK : STATUS_USAGE
  else process.exitCode = reportFailure(error)
}
