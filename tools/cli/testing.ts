/**
 * Runs the `ananke` command as a person would, for tests.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'

export interface Outcome {
  /** The exit status; null if a signal ended the process. */
  status: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

export interface AnankeOptions {
  env?: NodeJS.ProcessEnv
  cwd?: string
  /** A shell's words before the command, such as `ulimit -f 8; `. */
  shellPrefix?: string
  /** Gets the process once it runs. */
  onStart?: (child: ChildProcess) => void
}

const ANANKE = join(import.meta.dirname, '..', '..', 'bin', 'ananke')

/** `ananke` with `args`, and nobody at its standard input. */
export async function ananke(args: readonly string[], options: AnankeOptions = {}): Promise<Outcome> {
  const { env, cwd, shellPrefix, onStart } = options
  // Node options come from the test runner, which would have the process write a file of its own under the same limits.
  const [program, all] =
    shellPrefix === undefined
      ? [ANANKE, args]
      : ['bash', ['-c', `unset NODE_OPTIONS; ${shellPrefix} exec "$@"`, 'bash', ANANKE, ...args]]
  const child = spawn(program, all, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(cwd !== undefined && { cwd }),
  })
  onStart?.(child)
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  return await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status, signal) => resolve({ status, signal, stdout, stderr }))
  })
}

/** The last line of `text` that is not empty, as JSON. */
export function lastObject(text: string): Record<string, unknown> {
  const line = text.trim().split('\n').at(-1) ?? ''
  return JSON.parse(line) as Record<string, unknown>
}

/** What `ananke` itself said on standard error: its lines, without its name. */
export function said(outcome: Outcome): string[] {
  const lines = outcome.stderr.split(/[\r\n]+/).filter((line) => line.startsWith('ananke: '))
  return lines.map((line) => line.slice('ananke: '.length))
}
