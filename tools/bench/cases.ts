/**
 * What is measured, and on whom: the cases, the peers, and the order of their runs.
 */
import { UsageError } from '../errors.ts'

/** QEMU as it is, with an instruction counter as its clock, recording, and replaying. */
export const PEERS = ['qemu', 'qemu-icount', 'qemu-record', 'qemu-replay'] as const
export type Peer = (typeof PEERS)[number]
export type Side = 'ananke' | Peer

/** What is measured: Debian's installer, to its shell, and a Debian that is installed on a disk, to its login. */
export type System = 'installer' | 'disk'

/** What is behind a machine's network card: a node that serves a directory, or the host's own network. QEMU has the second only. */
export type Network = 'hermetic' | 'user'

/** A command at the guest's prompt. */
export interface Workload {
  system: System
  /** Default: the first. */
  network?: Network
  /** Its shell's `$SERVER` is where files are fetched from. */
  line: string
  /** What it prints. */
  output: RegExp
}

/** 128 MiB by HTTP. */
const FETCH = {
  system: 'disk',
  line: 'wget -q -O - http://$SERVER/noise | head -c 134217728 | wc -c',
  output: /^134217728/m,
} as const

export const WORKLOADS = {
  sha256: {
    system: 'installer',
    line: 'cat /lib/*.so* /bin/busybox /usr/lib/*.so* | sha256sum',
    output: /^[0-9a-f]{64} {2}-$/m,
  },
  shell: { system: 'installer', line: 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done', output: /^/ },
  exec: { system: 'installer', line: 'i=0; while [ $i -lt 300 ]; do /bin/busybox true; i=$((i+1)); done', output: /^/ },
  find: { system: 'installer', line: 'find / -xdev | sort | wc -c', output: /^\d+$/m },
  'disk-read': { system: 'disk', line: 'dd if=/dev/sdb of=/dev/null bs=1M', output: /536870912 bytes .* copied/ },
  'disk-write': {
    system: 'disk',
    line: 'dd if=/dev/zero of=/dev/sdb bs=1M count=512 conv=fsync',
    output: /536870912 bytes .* copied/,
  },
  tcp: FETCH,
  'tcp-user': { ...FETCH, network: 'user' },
} as const satisfies Record<string, Workload>

/** Boots to the prompt; the replays are of the recording that `record` makes. */
export const BOOT_KINDS = ['boot', 'record', 'cpu-replay', 'full-replay'] as const
export const BOOT_CASES = [...BOOT_KINDS, 'disk-boot', 'disk-record', 'disk-cpu-replay', 'disk-full-replay'] as const
export const CONSOLE_CASES = Object.keys(WORKLOADS) as readonly (keyof typeof WORKLOADS)[]
/** Programs in `programs/`. */
export const LOOP_CASES = ['integer', 'copy', 'branches', 'float', 'calls'] as const
/** Programs in `programs/` whose loops access device registers: so often in an iteration. */
export const ACCESSES = { 'message-access': 2, 'polled-access': 1 } as const
/** The loop without an access, which their time is compared with. */
export const NO_ACCESS = 'no-access'
export const ACCESS_CASES = [...(Object.keys(ACCESSES) as (keyof typeof ACCESSES)[]), NO_ACCESS] as const
export const PROGRAM_CASES = [...LOOP_CASES, ...ACCESS_CASES] as const

export type BootKind = (typeof BOOT_KINDS)[number]
export type BootCase = (typeof BOOT_CASES)[number]
export type ConsoleCase = keyof typeof WORKLOADS
export type AccessCase = keyof typeof ACCESSES
export type ProgramCase = (typeof PROGRAM_CASES)[number]
export type CaseName = BootCase | ConsoleCase | ProgramCase

/** Of plain and recorded boots, beside those that are compared with peers too. */
const MORE_PAIRS = 2

export const CASES: readonly CaseName[] = [...BOOT_CASES, ...CONSOLE_CASES, ...PROGRAM_CASES]

export function caseOf(kind: BootKind, system: System): BootCase {
  return system === 'disk' ? `disk-${kind}` : kind
}

const workloadsOf = (system: System) => CONSOLE_CASES.filter((name) => WORKLOADS[name].system === system)
const networkOf = (name: ConsoleCase): Network => (WORKLOADS[name] as Workload).network ?? 'hermetic'
const DISK_CASES = [...BOOT_KINDS.map((kind) => caseOf(kind, 'disk')), ...workloadsOf('disk')]

const GROUPS: Readonly<Record<string, readonly CaseName[]>> = {
  boots: BOOT_KINDS,
  console: workloadsOf('installer'),
  disks: DISK_CASES,
  loops: LOOP_CASES,
  accesses: ACCESS_CASES,
}
/** What is measured if nothing else is asked for; with the system on a disk it would be an hour. */
export const DEFAULT_CASES = CASES.filter((name) => !(DISK_CASES as readonly CaseName[]).includes(name))
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

/** Workloads of one machine, one after the other. */
export interface Session {
  system: System
  network: Network
  workloads: readonly ConsoleCase[]
}

/** One run of one side: a machine that is started, measured and ended. */
export type Step = { side: Side } & (
  | { kind: BootKind; system: System }
  | ({ kind: 'console' } & Session)
  | { kind: 'loop'; loop: ProgramCase }
)

/**
 * The runs of one round, the sides in turn, so that a drift of the host meets all of them. What a replay needs is
 * added: a recording comes before its replay on each side. So is the loop that those with accesses are compared with.
 */
export function planSteps(cases: readonly CaseName[], peers: readonly Peer[]): Step[] {
  const has = (name: CaseName) => cases.includes(name)
  const plain: ('ananke' | 'qemu')[] = peers.includes('qemu') ? ['ananke', 'qemu'] : ['ananke']
  const plan: Step[] = []
  for (const system of ['installer', 'disk'] as const) {
    plan.push(...planBoots(system, (kind) => has(caseOf(kind, system)), peers))
    for (const network of ['hermetic', 'user'] as const) {
      const workloads = workloadsOf(system).filter((name) => has(name) && networkOf(name) === network)
      if (workloads.length === 0) continue
      plan.push(...plain.map((side): Step => ({ side, kind: 'console', system, network, workloads })))
    }
  }
  const accesses = ACCESS_CASES.some(has)
  const programs = PROGRAM_CASES.filter((name) => has(name) || (accesses && name === NO_ACCESS))
  for (const loop of programs) plan.push(...plain.map((side): Step => ({ side, kind: 'loop', loop })))
  return plan
}

function planBoots(system: System, has: (kind: BootKind) => boolean, peers: readonly Peer[]): Step[] {
  const replays = has('cpu-replay') || has('full-replay')
  const qemuReplays = has('cpu-replay') && peers.includes('qemu-replay')
  const qemuRecords = has('record') && peers.includes('qemu-record')
  const step = (side: Side, kind: BootKind): Step => ({ side, kind, system })
  const plan: (Step | false)[] = [
    // A recorded boot is compared with both plain ones: the project's is next to it.
    (has('boot') || has('record')) && peers.includes('qemu') && step('qemu', 'boot'),
    has('boot') && step('ananke', 'boot'),
    (has('record') || replays) && step('ananke', 'record'),
    (qemuRecords || qemuReplays) && step('qemu-record', 'record'),
    has('cpu-replay') && step('ananke', 'cpu-replay'),
    qemuReplays && step('qemu-replay', 'cpu-replay'),
    has('full-replay') && step('ananke', 'full-replay'),
    has('boot') && peers.includes('qemu-icount') && step('qemu-icount', 'boot'),
  ]
  return plan.filter((step) => step !== false)
}

/**
 * The rounds of one repetition. The first has all there is; the others have what differs by less than the host's speed changes from
 * run to run, which a few pairs cannot tell: plain and recorded boots, now one first and now the other.
 */
export function planRounds(cases: readonly CaseName[], peers: readonly Peer[]): Step[][] {
  const pair: readonly Step[] = [
    { side: 'ananke', kind: 'boot', system: 'installer' },
    { side: 'ananke', kind: 'record', system: 'installer' },
  ]
  const isCompared = cases.includes('boot') && cases.includes('record')
  const more = Array.from({ length: isCompared ? MORE_PAIRS : 0 }, (_, i) =>
    i % 2 === 0 ? pair.toReversed() : [...pair],
  )
  return [planSteps(cases, peers), ...more]
}

/** For messages: `record on qemu-record`. */
export function stepTitle(step: Step): string {
  return `${titleOf(step)} on ${step.side}`
}

function titleOf(step: Step): string {
  if (step.kind === 'loop') return step.loop
  if (step.kind !== 'console') return caseOf(step.kind, step.system)
  return step.network === 'user' ? `${step.system} console, user network` : `${step.system} console`
}
