/**
 * The tables that the bench prints.
 */
import Table from 'cli-table3'
import { grouped } from '../cli/format.ts'
import { accessNs } from './accesses.ts'
import {
  ACCESSES,
  type AccessCase,
  BOOT_CASES,
  CASES,
  type CaseName,
  CONSOLE_CASES,
  PEERS,
  PROGRAM_CASES,
  type Side,
} from './cases.ts'
import { present, type Results } from './results.ts'
import type { ProjectFigures, Sample } from './sample.ts'
import { median, type Spread, spread } from './statistics.ts'
import { TARGETS, type Target, verdictOf } from './targets.ts'

const SIDES: readonly Side[] = ['ananke', ...PEERS]
const MIB = 2 ** 20

/** Significant digits of a figure, never in powers of ten. */
export function rounded(value: number): string {
  const size = Math.abs(value)
  return size >= 100 ? grouped(Math.round(value)) : value.toFixed(size >= 10 ? 1 : 2)
}

const mebibytes = (bytes: number) => rounded(bytes / MIB)

/** Million guest instructions a second of a sample's time. */
export function mipsOf({ instructions, project, seconds, wholeSeconds }: Sample): number | undefined {
  if (instructions !== undefined) return instructions / seconds / 1e6
  // Of a whole run its own instructions are known; those up to a prompt are not.
  if (project !== undefined && wholeSeconds !== undefined) return project.instructions / wholeSeconds / 1e6
  return undefined
}

function newTable(head: string[]): InstanceType<typeof Table> {
  const right = head.map((_, index) => (index === 0 ? 'left' : 'right') as 'left' | 'right')
  return new Table({ head, colAligns: right, style: { head: [], border: [], compact: true } })
}

/** Time and means of every case on every side. */
export function caseTable(results: Results): string {
  const table = newTable(['case', 'side', 'median s', 'low', 'high', 'whole s', 'CPU s', 'peak MiB', 'MIPS'])
  for (const name of CASES) {
    for (const side of SIDES) {
      const times = spread(present(results.figures(name, side, ({ seconds }) => seconds)))
      if (times === undefined) continue
      const middle = (figure: (sample: Sample) => number | undefined, show = rounded) => {
        const value = median(present(results.figures(name, side, figure)))
        return value === undefined ? '' : show(value)
      }
      table.push([
        name,
        side,
        ...[times.median, times.low, times.high].map(rounded),
        middle(({ wholeSeconds }) => wholeSeconds),
        middle(({ cpuSeconds }) => cpuSeconds),
        middle(({ peakBytes }) => peakBytes, mebibytes),
        middle(mipsOf),
      ])
    }
  }
  return table.toString()
}

/** What an access to a register costs on every side; empty if none was measured. */
export function accessTable(results: Results): string {
  const table = newTable(['a register access', 'side', 'median ns', 'low', 'high'])
  for (const name of Object.keys(ACCESSES) as AccessCase[]) {
    for (const side of SIDES) {
      const ns = spread(present(accessNs(results, name, side)))
      if (ns !== undefined) table.push([name, side, ...[ns.median, ns.low, ns.high].map(rounded)])
    }
  }
  return table.length === 0 ? '' : table.toString()
}

/** What was reached of what is wanted; empty if nothing that is wanted was measured. */
export function targetTable(results: Results): string {
  const table = newTable(['target', 'measured', 'of pairs', 'low', 'high', 'must', 'aim', 'reached'])
  for (const target of TARGETS) {
    const measured = target.measure(results)
    if (measured === undefined) continue
    const limit = (value: number | undefined) =>
      value === undefined ? '' : `${target.more ? '≥' : '≤'} ${show(target, value)}`
    const { median, pairs, low, high } = measured
    table.push([
      target.what,
      show(target, median),
      pairs === undefined ? '' : show(target, pairs),
      show(target, low),
      show(target, high),
      limit(target.must),
      limit(target.aim),
      verdictOf(target, measured),
    ])
  }
  return table.length === 0 ? '' : table.toString()
}

function show({ unit }: Target, value: number): string {
  if (unit === 'ns') return `${rounded(value)} ns`
  return unit === 'bytes' ? `${rounded(value / 1e6)} MB` : value.toFixed(3)
}

/** The project's own figures, of the last round, a column for each machine that ran. */
export function projectTable(results: Results): string {
  const columns = projectColumns(results)
  if (columns.length === 0) return ''
  const table = newTable(['of the project', ...columns.map(({ title }) => title)])
  const row = (what: string, figure: (figures: ProjectFigures) => string | undefined) =>
    table.push([what, ...columns.map(({ figures }) => figure(figures) ?? '')])
  row('instructions', ({ instructions }) => grouped(instructions))
  row('journal, bytes', ({ journalBytes }) => grouped(journalBytes))
  row('bytes per 1000 instructions', ({ bytesPer1000Instructions }) => bytesPer1000Instructions.toFixed(4))
  row('peak beyond guest RAM, MiB', ({ peakBeyondGuestBytes }) => mebibytes(peakBeyondGuestBytes))
  row('instructions translated', (figures) => share(figures, (translated, all) => translated / all))
  row('instructions interpreted', (figures) => share(figures, (translated, all) => 1 - translated / all))
  const names = new Set(columns.flatMap(({ figures }) => Object.keys(figures.statistics)))
  names.delete('instructions')
  for (const name of names) {
    row(name, ({ statistics }) => (statistics[name] === undefined ? undefined : grouped(statistics[name])))
  }
  return table.toString()
}

/** A share of all instructions, in percent. */
function share(
  { instructions, statistics }: ProjectFigures,
  part: (translated: number, all: number) => number,
): string | undefined {
  const translated = statistics['translatedInstructions']
  return translated === undefined || instructions === 0
    ? undefined
    : `${(100 * part(translated, instructions)).toFixed(2)} %`
}

function projectColumns(results: Results): { title: string; figures: ProjectFigures }[] {
  // All workloads ran on one machine.
  const workload = CONSOLE_CASES.find((name) => results.samples(name, 'ananke').length > 0)
  const cases: [string, CaseName][] = [
    ...BOOT_CASES.map((name): [string, CaseName] => [name, name]),
    ...(workload === undefined ? [] : [['console', workload] as [string, CaseName]]),
    ...PROGRAM_CASES.map((name): [string, CaseName] => [name, name]),
  ]
  return cases.flatMap(([title, name]) => {
    const figures = results.samples(name, 'ananke').findLast((sample) => sample !== undefined)?.project
    return figures === undefined ? [] : [{ title, figures }]
  })
}

/** What `--json` keeps: every sample, and what came of the targets. */
export function resultObject(results: Results): Record<string, unknown> {
  const cases = CASES.flatMap((name) =>
    SIDES.map((side) => ({ case: name, side, samples: results.samples(name, side).map((sample) => sample ?? null) })),
  )
  const targets = TARGETS.flatMap((target) => {
    const measured: Spread | undefined = target.measure(results)
    if (measured === undefined) return []
    const { what, unit, more = false, must = null, aim } = target
    return [{ what, unit, more, must, aim, ...measured, reached: verdictOf(target, measured) }]
  })
  return { rounds: results.rounds, cases: cases.filter(({ samples }) => samples.length > 0), targets }
}
