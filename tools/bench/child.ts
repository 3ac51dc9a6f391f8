/**
 * A measured process: started, listened to, and always ended. Host side.
 */
import { type ChildProcess, execFileSync, type StdioOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { isOnPath } from '../cli/doctor.ts'
import { UserError } from '../errors.ts'
import { ConsoleMarks } from './marks.ts'
import { readUsage, type Usage } from './usage.ts'

/** A run that did not do what it was started for. */
export class RunFailed extends UserError {
  override readonly name = 'RunFailed'
}

export interface ChildOptions {
  program: string
  args: readonly string[]
  env?: NodeJS.ProcessEnv
  /** Which of its streams is the guest's console. */
  console: 'stdout' | 'stderr'
  /** What the console must print, in order. */
  marks: readonly string[]
  /** Called when a mark has come; what it gives is typed. */
  reply?: (index: number) => string | undefined
  /** After the last mark: wait for the process to end by itself, or end it with SIGTERM after so many milliseconds. */
  afterLastMark: 'wait' | { endAfterMs: number }
}

/** When a mark came, from the start of the process. */
export interface TimedMark {
  seconds: number
  /** What was printed after the mark before. */
  text: string
  /** What the process had used when the mark came. */
  usage: Usage
}

export interface ChildResult {
  marks: TimedMark[]
  /** From the start of the process to its end. */
  seconds: number
  status: number | null
  stdout: string
  stderr: string
}

/** A run that takes longer hangs. */
const LIMIT_MS = 15 * 60_000
/** What is asked to end, and does not, is killed. */
const ENDING_LIMIT_MS = 20_000
/** Of each stream so much is kept. */
const KEPT_CHARACTERS = 1 << 16
const SHOWN_CHARACTERS = 400

const running = new Set<ChildProcess>()

/** Ends whatever still runs. For every way out of the program. */
export function killChildren(): void {
  for (const child of running) child.kill('SIGKILL')
}

/** Runs a process to its end. Throws `RunFailed` if it cannot be started, hangs, or ends before its last mark. */
export async function runChild(options: ChildOptions): Promise<ChildResult> {
  const { reply, afterLastMark } = options
  const startMs = performance.now()
  const { child, streams } = start(options)
  const endings: NodeJS.Timeout[] = [setTimeout(() => child.kill('SIGKILL'), LIMIT_MS)]
  const marks = new ConsoleMarks(options.marks)
  const timed: TimedMark[] = []
  const kept = { stdout: '', stderr: '' }
  const endSoon = (ms: number) => {
    endings.push(setTimeout(() => child.kill('SIGTERM'), ms))
    endings.push(setTimeout(() => child.kill('SIGKILL'), ms + ENDING_LIMIT_MS))
  }
  const hear = (bytes: Buffer) => {
    const seconds = (performance.now() - startMs) / 1000
    for (const { index, text } of marks.hear(bytes)) {
      timed.push({ seconds, text, usage: readUsage(child.pid!) ?? { cpuSeconds: 0, peakBytes: 0 } })
      const typed = reply?.(index)
      if (typed !== undefined) child.stdin?.write(typed)
      if (marks.finished && afterLastMark !== 'wait') endSoon(afterLastMark.endAfterMs)
    }
  }
  const listen = (stream: Readable, name: keyof typeof kept) => {
    stream.on('data', (bytes: Buffer) => {
      if (name === options.console) hear(bytes)
      kept[name] = (kept[name] + bytes.toString('latin1')).slice(-KEPT_CHARACTERS)
    })
  }
  listen(streams.stdout, 'stdout')
  listen(streams.stderr, 'stderr')
  // Whoever ends while something is typed to it says so by its exit status.
  child.stdin?.on('error', () => {})
  const ended = once(streams[options.console], 'close')
  let endMs = Number.NaN
  child.once('exit', () => {
    endMs = performance.now()
  })
  try {
    const [[status, signal]] = (await Promise.all([once(child, 'close'), ended])) as [
      [number | null, NodeJS.Signals | null],
      unknown,
    ]
    if (!marks.finished) {
      const missing = options.marks[timed.length]
      throw new RunFailed(
        `${options.program} ended with ${signal ?? `status ${status}`} before its console printed ${JSON.stringify(missing)}: ` +
          tailOf(kept.stderr.trim() === '' ? kept.stdout : kept.stderr),
      )
    }
    return {
      marks: timed,
      seconds: (endMs - startMs) / 1000,
      status,
      stdout: kept.stdout,
      stderr: kept.stderr,
    }
  } finally {
    running.delete(child)
    for (const ending of endings) clearTimeout(ending)
  }
}

interface Started {
  child: ChildProcess
  streams: Record<'stdout' | 'stderr', Readable>
}

/** Starts it so that the kernel ends it when this process ends in whatever way. */
function start({ program, args, env, console }: ChildOptions): Started {
  const dying = isOnPath('setpriv') ? ['setpriv', '--pdeathsig', 'KILL', '--'] : []
  const [first, ...rest] = [...dying, program, ...args] as [string, ...string[]]
  const pipe = openPipe()
  const stdio: StdioOptions = ['pipe', 'pipe', 'pipe']
  stdio[console === 'stdout' ? 1 : 2] = pipe.writer
  const child = spawn(first, rest, { stdio, ...(env !== undefined && { env }) })
  running.add(child)
  closeSync(pipe.writer)
  const stdout = child.stdout ?? pipe.reader
  return { child, streams: { stdout, stderr: child.stderr ?? pipe.reader } }
}

/**
 * A pipe for the console. What Node calls a pipe between processes is a socket, which is full after some 200 single
 * characters; QEMU 7.2 then writes recordings that it cannot replay.
 */
function openPipe(): { reader: Readable; writer: number } {
  const directory = mkdtempSync(join(tmpdir(), 'ananke-bench-'))
  try {
    const path = join(directory, 'console')
    execFileSync('mkfifo', [path])
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    return { reader: new Socket({ fd: reader, readable: true, writable: false }), writer: openSync(path, 'w') }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** The last of a text, on one line. */
export function tailOf(text: string): string {
  return text.trim().slice(-SHOWN_CHARACTERS).replaceAll(/\s+/g, ' ')
}
