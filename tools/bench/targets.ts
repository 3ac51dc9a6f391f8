/**
 * What the project wants to reach, as ratios between what is measured side by side, and as sizes.
 */
import { accessNs } from './accesses.ts'
import { type CaseName, CONSOLE_CASES, LOOP_CASES, type Side, WORKLOADS } from './cases.ts'
import { present, type Results } from './results.ts'
import type { Sample } from './sample.ts'
import { ratio, type Spread, spread } from './statistics.ts'

export interface Target {
  what: string
  /** What counts as reached, where there is such a limit, and what is aimed at. */
  must?: number
  aim: number
  /** Whether more is better. Default: less is. */
  more?: boolean
  /** `ratio` and `bytes per 1000` have none that is printed. */
  unit: 'ratio' | 'bytes' | 'ns' | 'bytes per 1000'
  /** Undefined where it was not measured. */
  measure(results: Results): Spread | undefined
}

export type Verdict = 'aim' | 'must' | 'not reached'

/** Bytes of this file are decimal, as the figures for which they stand. */
const MB = 1e6

type Figure = (sample: Sample) => number | undefined
const seconds = (sample: Sample) => sample.seconds
const wholeSeconds = (sample: Sample) => sample.wholeSeconds

/** The same bytes on both sides, so speeds are to each other as times, the other way round. */
const DISK_SPEEDS = CONSOLE_CASES.filter((name) => WORKLOADS[name].system === 'disk')

/** What a case takes on one side against another. */
const against =
  (name: CaseName, side: Side, peerName: CaseName, peer: Side, figure: Figure = seconds) =>
  (results: Results) =>
    ratio(results.figures(name, side, figure), results.figures(peerName, peer, figure))

export const TARGETS: readonly Target[] = [
  {
    what: 'disk boot: recording / not recording',
    must: 1.05,
    aim: 1.02,
    unit: 'ratio',
    measure: against('disk-record', 'ananke', 'disk-boot', 'ananke'),
  },
  {
    what: 'disk boot: cpu replay / own recording, whole runs',
    must: 0.9,
    aim: 0.7,
    unit: 'ratio',
    measure: against('disk-cpu-replay', 'ananke', 'disk-record', 'ananke', wholeSeconds),
  },
  {
    what: 'disk boot: QEMU recording / QEMU plain',
    aim: 1,
    unit: 'ratio',
    measure: against('disk-record', 'qemu-record', 'disk-boot', 'qemu'),
  },
  {
    what: 'disk boot: recording / QEMU recording it',
    aim: 1,
    unit: 'ratio',
    measure: against('disk-record', 'ananke', 'disk-record', 'qemu-record'),
  },
  {
    what: 'disk boot: bytes of journal for each 1000 instructions',
    must: 5,
    aim: 1,
    unit: 'bytes per 1000',
    measure: (results) =>
      spread(present(results.figures('disk-record', 'ananke', ({ project }) => project?.bytesPer1000Instructions))),
  },
  {
    what: 'disk boot: journal',
    aim: 4 * MB,
    unit: 'bytes',
    measure: (results) =>
      spread(present(results.figures('disk-record', 'ananke', ({ project }) => project?.journalBytes))),
  },
  {
    what: 'recording the boot / QEMU recording it',
    must: 1,
    aim: 1,
    unit: 'ratio',
    measure: (results) =>
      ratio(results.figures('record', 'ananke', seconds), results.figures('record', 'qemu-record', seconds)),
  },
  {
    what: 'recording the boot / QEMU plain',
    aim: 1,
    unit: 'ratio',
    measure: (results) => ratio(results.figures('record', 'ananke', seconds), results.figures('boot', 'qemu', seconds)),
  },
  {
    what: 'cpu replay / QEMU replaying',
    must: 0.4,
    aim: 0.25,
    unit: 'ratio',
    measure: (results) =>
      ratio(results.figures('cpu-replay', 'ananke', seconds), results.figures('cpu-replay', 'qemu-replay', seconds)),
  },
  {
    what: 'cpu replay / own recording, whole runs',
    must: 0.9,
    aim: 0.7,
    unit: 'ratio',
    measure: (results) =>
      ratio(results.figures('cpu-replay', 'ananke', wholeSeconds), results.figures('record', 'ananke', wholeSeconds)),
  },
  {
    what: 'recording / not recording',
    must: 1.03,
    aim: 1.01,
    unit: 'ratio',
    measure: (results) =>
      ratio(results.figures('record', 'ananke', seconds), results.figures('boot', 'ananke', seconds)),
  },
  ...DISK_SPEEDS.map(
    (name): Target => ({
      what: `${name}: throughput / QEMU plain`,
      must: 0.5,
      aim: 1,
      more: true,
      unit: 'ratio',
      measure: against(name, 'qemu', name, 'ananke'),
    }),
  ),
  ...CONSOLE_CASES.filter((name) => WORKLOADS[name].system === 'installer').map(
    (name): Target => ({
      what: `${name} / QEMU plain`,
      must: 1,
      aim: 0.5,
      unit: 'ratio',
      measure: (results) => ratio(results.figures(name, 'ananke', seconds), results.figures(name, 'qemu', seconds)),
    }),
  ),
  ...LOOP_CASES.map(
    (name): Target => ({
      what: `${name}: MIPS / QEMU plain`,
      must: 1,
      aim: 2,
      more: true,
      unit: 'ratio',
      // The same instructions on both sides: speeds are to each other as times, the other way round.
      measure: (results) => ratio(results.figures(name, 'qemu', seconds), results.figures(name, 'ananke', seconds)),
    }),
  ),
  {
    what: 'a register access that is a message, recorded',
    must: 1000,
    aim: 1000,
    unit: 'ns',
    measure: (results) => spread(present(accessNs(results, 'message-access', 'ananke'))),
  },
  {
    what: 'a register access that a kept answer serves',
    must: 100,
    aim: 100,
    unit: 'ns',
    measure: (results) => spread(present(accessNs(results, 'polled-access', 'ananke'))),
  },
  {
    what: 'journal of the boot',
    must: MB,
    aim: 0.3 * MB,
    unit: 'bytes',
    measure: (results) => spread(present(results.figures('record', 'ananke', ({ project }) => project?.journalBytes))),
  },
  {
    what: 'peak memory beyond guest RAM, recording the boot',
    must: 500 * MB,
    aim: 300 * MB,
    unit: 'bytes',
    measure: (results) =>
      spread(present(results.figures('record', 'ananke', ({ project }) => project?.peakBeyondGuestBytes))),
  },
]

export function verdictOf({ must, aim, more = false }: Target, { median }: Spread): Verdict {
  const reaches = (limit: number | undefined) => limit !== undefined && (more ? median >= limit : median <= limit)
  if (reaches(aim)) return 'aim'
  return reaches(must) ? 'must' : 'not reached'
}
