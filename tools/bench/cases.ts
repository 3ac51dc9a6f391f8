/**
 * What is measured, and on whom: the cases, the peers, and the order of their runs.
 */
import { UsageError } from '../errors.ts'

/** QEMU as it is, with an instruction counter as its clock, recording, and replaying. */
export const PEERS = ['qemu', 'qemu-icount', 'qemu-record', 'qemu-replay'] as const
export type Peer = (typeof PEERS)[number]
export type Side = 'ananke' | Peer

/** A command at the guest's prompt. */
export interface Workload {
  line: string
  /** What it prints. */
  output: RegExp
}

export const WORKLOADS = {
  sha256: { line: 'cat /lib/*.so* /bin/busybox /usr/lib/*.so* | sha256sum', output: /^[0-9a-f]{64} {2}-$/m },
  shell: { line: 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done', output: /^/ },
  exec: { line: 'i=0; while [ $i -lt 300 ]; do /bin/busybox true; i=$((i+1)); done', output: /^/ },
  find: { line: 'find / -xdev | sort | wc -c', output: /^\d+$/m },
} as const satisfies Record<string, Workload>

/** Boots to the prompt; the replays are of the recording that `record` makes. */
export const BOOT_CASES = ['boot', 'record', 'cpu-replay', 'full-replay'] as const
export const CONSOLE_CASES = Object.keys(WORKLOADS) as readonly (keyof typeof WORKLOADS)[]
/** Programs in `programs/`. */
export const LOOP_CASES = ['integer', 'copy', 'branches', 'float', 'calls'] as const
/** Programs in `programs/` whose loops access device registers: so often in an iteration. */
export const ACCESSES = { 'message-access': 2, 'polled-access': 1 } as const
/** The loop without an access, which their time is compared with. */
export const NO_ACCESS = 'no-access'
export const ACCESS_CASES = [...(Object.keys(ACCESSES) as (keyof typeof ACCESSES)[]), NO_ACCESS] as const
export const PROGRAM_CASES = [...LOOP_CASES, ...ACCESS_CASES] as const

export type BootCase = (typeof BOOT_CASES)[number]
export type ConsoleCase = keyof typeof WORKLOADS
export type AccessCase = keyof typeof ACCESSES
export type ProgramCase = (typeof PROGRAM_CASES)[number]
export type CaseName = BootCase | ConsoleCase | ProgramCase

/** Of plain and recorded boots, beside those that are compared with peers too. */
const MORE_PAIRS = 2

export const CASES: readonly CaseName[] = [...BOOT_CASES, ...CONSOLE_CASES, ...PROGRAM_CASES]
const GROUPS: Readonly<Record<string, readonly CaseName[]>> = {
  boots: BOOT_CASES,
  console: CONSOLE_CASES,
  loops: LOOP_CASES,
  accesses: ACCESS_CASES,
}
export const caseWords: readonly string[] = [...Object.keys(GROUPS), ...CASES]

/** Reads `--cases`: names of cases and groups with commas between. In the order of `CASES`. @throws UsageError */
export function parseCases(text: string): CaseName[] {
  const named = new Set<string>()
  for (const word of text.split(',')) {
    if (!caseWords.includes(word)) throw new UsageError(`no case is called '${word}'; there is ${caseWords.join(', ')}`)
    for (const name of GROUPS[word] ?? [word]) named.add(name)
  }
  return CASES.filter((name) => named.has(name))
}

/** Reads `--peers`: names with commas between, or `none`. @throws UsageError */
export function parsePeers(text: string): Peer[] {
  if (text === 'none') return []
  const words = text.split(',')
  const wrong = words.find((word) => !(PEERS as readonly string[]).includes(word))
  if (wrong !== undefined) throw new UsageError(`no peer is called '${wrong}'; there is ${PEERS.join(', ')}, or none`)
  return PEERS.filter((peer) => words.includes(peer))
}

/** One run of one side: a machine that is started, measured and ended. */
export type Step = { side: Side } & (
  | { kind: 'boot' | 'record' | 'cpu-replay' | 'full-replay' }
  | { kind: 'console'; workloads: readonly ConsoleCase[] }
  | { kind: 'loop'; loop: ProgramCase }
)

/**
 * The runs of one round, the sides in turn, so that a drift of the host meets all of them. What a replay needs is
 * added: a recording comes before its replay on each side. So is the loop that those with accesses are compared with.
 */
export function planSteps(cases: readonly CaseName[], peers: readonly Peer[]): Step[] {
  const has = (name: CaseName) => cases.includes(name)
  const replays = has('cpu-replay') || has('full-replay')
  const qemuReplays = has('cpu-replay') && peers.includes('qemu-replay')
  const qemuRecords = has('record') && peers.includes('qemu-record')
  const workloads = CONSOLE_CASES.filter(has)
  const plan: (Step | false)[] = [
    // A recorded boot is compared with both plain ones: the project's is next to it.
    (has('boot') || has('record')) && peers.includes('qemu') && { side: 'qemu', kind: 'boot' },
    has('boot') && { side: 'ananke', kind: 'boot' },
    (has('record') || replays) && { side: 'ananke', kind: 'record' },
    (qemuRecords || qemuReplays) && { side: 'qemu-record', kind: 'record' },
    has('cpu-replay') && { side: 'ananke', kind: 'cpu-replay' },
    qemuReplays && { side: 'qemu-replay', kind: 'cpu-replay' },
    has('full-replay') && { side: 'ananke', kind: 'full-replay' },
    has('boot') && peers.includes('qemu-icount') && { side: 'qemu-icount', kind: 'boot' },
  ]
  const plain: ('ananke' | 'qemu')[] = peers.includes('qemu') ? ['ananke', 'qemu'] : ['ananke']
  if (workloads.length > 0) plan.push(...plain.map((side): Step => ({ side, kind: 'console', workloads })))
  const accesses = ACCESS_CASES.some(has)
  const programs = PROGRAM_CASES.filter((name) => has(name) || (accesses && name === NO_ACCESS))
  for (const loop of programs) plan.push(...plain.map((side): Step => ({ side, kind: 'loop', loop })))
  return plan.filter((step) => step !== false)
}

/**
 * The rounds of one repetition. The first has all there is; the others have what differs by less than the host's speed changes from
 * run to run, which a few pairs cannot tell: plain and recorded boots, now one first and now the other.
 */
export function planRounds(cases: readonly CaseName[], peers: readonly Peer[]): Step[][] {
  const pair: readonly Step[] = [
    { side: 'ananke', kind: 'boot' },
    { side: 'ananke', kind: 'record' },
  ]
  const isCompared = cases.includes('boot') && cases.includes('record')
  const more = Array.from({ length: isCompared ? MORE_PAIRS : 0 }, (_, i) =>
    i % 2 === 0 ? pair.toReversed() : [...pair],
  )
  return [planSteps(cases, peers), ...more]
}

/** For messages: `record on qemu-record`. */
export function stepTitle(step: Step): string {
  return `${step.kind === 'loop' ? step.loop : step.kind} on ${step.side}`
}
