/**
 * Runs a program of the host and gathers what it says.
 */
import { spawn } from 'node:child_process'
import { delimiter } from 'node:path'
import type { Readable } from 'node:stream'

export interface CommandResult {
  status: number
  stdout: string
  stderr: string
}

export interface CommandOptions {
  cwd?: string
  /** Beside this process's own. */
  environment?: NodeJS.ProcessEnv
  /** What it reads from its standard input; nothing otherwise. */
  input?: string
  /** Called with each line that the program writes to file descriptor 3. */
  onStatusLine?: (line: string) => void
}

/** No such program on this host. */
export class NoSuchProgram extends Error {
  override readonly name = 'NoSuchProgram'
  readonly program: string

  constructor(program: string, options?: ErrorOptions) {
    super(`${program} is not installed`, options)
    this.program = program
  }
}

/** Where programs are that users' paths leave out, such as those that make file systems. */
export const PRIVILEGED_FOLDERS = ['/usr/sbin', '/sbin'] as const

/** What a program says is kept up to this; more is dropped. */
const MAX_OUTPUT_CHARACTERS = 1 << 20

/**
 * Runs `program` to its end, in English. It dies with this process.
 * @throws NoSuchProgram if it is not installed.
 */
export async function run(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const child = spawn(program, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: {
      ...process.env,
      PATH: [process.env['PATH'] ?? '', ...PRIVILEGED_FOLDERS].join(delimiter),
      LC_ALL: 'C',
      DEBIAN_FRONTEND: 'noninteractive',
      ...options.environment,
    },
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', 'pipe'],
  })
  const kill = () => child.kill('SIGTERM')
  process.once('exit', kill)
  try {
    const ended = new Promise<number>((resolve, reject) => {
      child.once('error', (cause: NodeJS.ErrnoException) => {
        const missing = cause.code === 'ENOENT'
        reject(missing ? new NoSuchProgram(program, { cause }) : cause)
      })
      child.once('close', (status, signal) => resolve(status ?? (signal === null ? 1 : 128)))
    })
    // Who ends before reading all of it has a status that says so.
    child.stdin?.on('error', () => {}).end(options.input)
    const stdout = gather(child.stdout as Readable)
    const stderr = gather(child.stderr as Readable)
    eachLine(child.stdio[3] as Readable, options.onStatusLine ?? (() => {}))
    const status = await ended
    return { status, stdout: stdout.text(), stderr: stderr.text() }
  } finally {
    process.removeListener('exit', kill)
  }
}

/** Of what a program complained, the last line; apt's without its mark. */
export function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.replace(/^E: /, '') ?? ''
}

function gather(stream: Readable): { text(): string } {
  let text = ''
  stream.setEncoding('utf8')
  stream.on('data', (chunk: string) => {
    if (text.length < MAX_OUTPUT_CHARACTERS) text += chunk
  })
  return { text: () => text }
}

function eachLine(stream: Readable, onLine: (line: string) => void): void {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) onLine(line)
  })
}
