/**
 * What is said, and which exit status is left, when a command cannot do what it was asked.
 */
import type { BaseIssue } from 'valibot'
import { UserError } from '../errors.ts'

export const STATUS_OK = 0
/** A run that failed, or something outside the program in its way. */
export const STATUS_FAILED = 1
/** A command line that is wrong in itself. */
export const STATUS_USAGE = 2
/** A replay that went another way than its recording, or two recordings that differ. */
export const STATUS_DIVERGED = 3

/** Classes that nobody throws to tell a person something: seeing one here is a defect of ours. */
const UNNAMED: ReadonlySet<string> = new Set([
  'Error',
  'TypeError',
  'RangeError',
  'ReferenceError',
  'SyntaxError',
  'EvalError',
  'AssertionError',
  'ValiError',
  'RuntimeError',
])

export interface Failure {
  status: number
  /** One line, without a name before it. */
  line: string
}

/** Named error classes speak for themselves; errors of the host's system calls nearly so; all else is our defect. */
export function describeFailure(error: unknown): Failure {
  if (!(error instanceof Error)) return { status: STATUS_FAILED, line: `internal error: ${String(error)}` }
  const line = messageOf(error)
    .trim()
    .replaceAll(/\s*\n\s*/g, ' ')
  if (error instanceof UserError) return { status: error.exitStatus, line }
  const isSystemError = typeof (error as NodeJS.ErrnoException).errno === 'number'
  if (isSystemError || !UNNAMED.has(error.name)) return { status: STATUS_FAILED, line }
  return { status: STATUS_FAILED, line: `internal error: ${line} (set ANANKE_DEBUG=1 to see where, and report it)` }
}

/** A schema's error says what is wrong, and keeps beside it where. (Valibot itself is not loaded to say so.) */
function messageOf(error: Error): string {
  const { issues } = error as { issues?: readonly BaseIssue<unknown>[] }
  const path = error.name === 'ValiError' ? issues?.[0]?.path : undefined
  return path === undefined ? error.message : `${path.map(({ key }) => key).join('.')}: ${error.message}`
}

/** Tells the person at standard error, and gives the exit status. With ANANKE_DEBUG=1 the stack follows. */
export function reportFailure(error: unknown): number {
  const { status, line } = describeFailure(error)
  process.stderr.write(`ananke: ${line}\n`)
  if (process.env['ANANKE_DEBUG'] === '1' && error instanceof Error) process.stderr.write(`${chain(error)}\n`)
  return status
}

function chain(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${chain(error.cause)}` : ''
  return `${error.stack}${cause}`
}
