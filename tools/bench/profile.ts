/**
 * Where a run's time goes: V8's CPU profiles (`node --cpu-prof`), by part of the project and by function.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import Table from 'cli-table3'
import * as v from 'valibot'
import { rounded } from './report.ts'

const profileSchema = v.object({
  nodes: v.array(
    v.object({
      id: v.number(),
      callFrame: v.object({ functionName: v.string(), url: v.string(), lineNumber: v.number() }),
    }),
  ),
  samples: v.array(v.number()),
  /** Microseconds from each sample's predecessor to it. */
  timeDeltas: v.array(v.number()),
})
export type CpuProfile = v.InferOutput<typeof profileSchema>
type CallFrame = CpuProfile['nodes'][number]['callFrame']

export interface ProfileLine {
  what: string
  seconds: number
}

/** Seconds by part and by function, most first. */
export interface ProfileSummary {
  seconds: number
  parts: ProfileLine[]
  functions: ProfileLine[]
}

const ROOT = `${pathToFileURL(join(import.meta.dirname, '..', '..')).href}/`

/** Parts by a file's path in the project: the first that fits. */
const PART_OF_FILE: readonly [RegExp, string][] = [
  [/^cpu-node\/translator\//, 'translating'],
  [/^cpu-node\/wasm\//, 'translating'],
  [/^cpu-node\/interpreter\//, 'compiling for the interpreter'],
  [/^cpu-node\/softfloat\//, 'floating point'],
  [/^cpu-node\/isa\/mips\/(helpers|fpu|tlb|mips|state)\.ts$/, 'CP0, TLB and FPU helpers'],
  [/^cpu-node\/(isa|ir)\//, 'decoding and lifting'],
  [/^cpu-node\//, 'CPU: memory, dispatch, exits'],
  [/^device-nodes\//, 'devices and world'],
  [/^bus\//, 'bus'],
  [/^replay-store\//, 'journal'],
  [/^orchestrator\//, 'session'],
  [/^tools\//, 'command line and images'],
  [/^node_modules\//, 'libraries'],
]

/** Names that V8 gives to what is no function. */
const PART_OF_NAME: Readonly<Record<string, string>> = {
  '(garbage collector)': 'garbage collection',
  '(idle)': 'idle',
  '(program)': 'native: not in any function',
  '(root)': 'native: not in any function',
  // Constructors of WebAssembly's: V8 compiles.
  Module: 'translating',
  Instance: 'translating',
}

/** The part of the project that a function belongs to. */
export function partOf({ functionName, url }: CallFrame): string {
  if (url.startsWith('wasm:')) return partOfWasm(functionName)
  if (url.startsWith(ROOT)) {
    const path = url.slice(ROOT.length)
    return PART_OF_FILE.find(([pattern]) => pattern.test(path))?.[1] ?? 'other files'
  }
  if (url.startsWith('node:')) return 'Node'
  if (/^(js-to-wasm|wasm-to-js)/.test(functionName)) return 'between JavaScript and WebAssembly'
  return PART_OF_NAME[functionName] ?? "V8's own functions"
}

/** By the names that generated modules give their functions. */
function partOfWasm(functionName: string): string {
  if (functionName === 'hotLoop') return 'interpreter'
  if (functionName === 'xxh64') return 'CPU: memory, dispatch, exits'
  return functionName.startsWith('guest') ? 'translated code' : 'translated code: dispatch'
}

/** For people: a function and where it stands. Regions of guest code count as one. */
export function functionTitle({ functionName, url, lineNumber }: CallFrame): string {
  const name = functionName === '' ? '(anonymous)' : functionName
  if (url.startsWith('wasm:')) return name
  const path = url.startsWith(ROOT) ? url.slice(ROOT.length) : url
  return path === '' ? name : `${name} (${path}:${lineNumber + 1})`
}

/** Adds up the time of each sample, in the function that ran, without those that it called. */
export function summarizeProfile({ nodes, samples, timeDeltas }: CpuProfile): ProfileSummary {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  const parts = new Map<string, number>()
  const functions = new Map<string, number>()
  const add = (sums: Map<string, number>, what: string, seconds: number) =>
    sums.set(what, (sums.get(what) ?? 0) + seconds)
  let all = 0
  for (const [index, id] of samples.entries()) {
    const frame = frames.get(id)
    // A sample's time is until the next one; the last has none.
    const seconds = (timeDeltas[index + 1] ?? 0) / 1e6
    if (frame === undefined || seconds <= 0) continue
    all += seconds
    add(parts, partOf(frame), seconds)
    add(functions, functionTitle(frame), seconds)
  }
  const lines = (sums: Map<string, number>) =>
    [...sums].map(([what, seconds]) => ({ what, seconds })).sort((a, b) => b.seconds - a.seconds)
  return { seconds: all, parts: lines(parts), functions: lines(functions) }
}

/** The profile of the guest's thread among those that a process left in `directory`: the one that was busy longest. */
export function readProfile(directory: string): CpuProfile {
  const profiles = readdirSync(directory)
    .filter((name) => name.endsWith('.cpuprofile'))
    .map((name) => v.parse(profileSchema, JSON.parse(readFileSync(join(directory, name), 'utf8'))))
  const [busiest] = profiles.sort((a, b) => busySamples(b) - busySamples(a))
  if (busiest === undefined) throw new Error(`no profile in ${directory}`)
  return busiest
}

/** Threads that wait are sampled as often as those that work. */
function busySamples({ nodes, samples }: CpuProfile): number {
  const idle = new Set(nodes.flatMap(({ id, callFrame }) => (callFrame.functionName === '(idle)' ? [id] : [])))
  return samples.filter((id) => !idle.has(id)).length
}

const SHOWN_FUNCTIONS = 25

export function profileTables({ seconds, parts, functions }: ProfileSummary): string {
  const table = (head: string, lines: readonly ProfileLine[]) => {
    const rows = new Table({
      head: [head, 's', '%'],
      colAligns: ['left', 'right', 'right'],
      style: { head: [], border: [], compact: true },
    })
    for (const line of lines) rows.push([line.what, rounded(line.seconds), ((100 * line.seconds) / seconds).toFixed(1)])
    return rows.toString()
  }
  return `${table('part', parts)}\n${table('function', functions.slice(0, SHOWN_FUNCTIONS))}`
}
