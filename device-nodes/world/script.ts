/**
 * Reads input scripts: what an unattended run types.
 *
 * A script is lines:
 *
 *   # a comment; empty lines mean nothing
 *   expect TEXT          wait until the console has printed TEXT, after what the last `expect` found
 *   send TEXT            type TEXT and a return
 *   at ICOUNT send TEXT  the same, at the first grid point at which ICOUNT instructions have been begun
 *   limit SECONDS        virtual seconds that each following `expect` may wait (at first 300)
 *   quit                 end the run
 *
 * TEXT is the rest of the line as it stands, without spaces at its end.
 */
export type ScriptStep =
  | { kind: 'expect'; line: number; text: string; limitNs: number }
  | { kind: 'send'; line: number; text: string }
  | { kind: 'at'; line: number; icount: number; text: string }
  | { kind: 'quit'; line: number }

export interface Script {
  /** Its file, for messages. */
  name: string
  steps: readonly ScriptStep[]
}

/** A line of a script that makes no sense. The message names file and line, and says what a line can be. */
export class ScriptError extends Error {
  override readonly name = 'ScriptError'
}

export const DEFAULT_LIMIT_SECONDS = 300
const NS_PER_SECOND = 1_000_000_000
/** Virtual time is exact up to some 104 days. */
const MAX_LIMIT_SECONDS = 9_000_000

const FORMS = 'a line is: expect TEXT, send TEXT, at ICOUNT send TEXT, limit SECONDS, quit, or # and a comment'

/** Throws a `ScriptError` at the first bad line. `limitSeconds`: how long an `expect` may wait if no line says so. */
export function parseScript(source: string, name: string, limitSeconds = DEFAULT_LIMIT_SECONDS): Script {
  const steps: ScriptStep[] = []
  let limitNs = limitSeconds * NS_PER_SECOND
  source.split('\n').forEach((raw, index) => {
    const line = index + 1
    const fail = (what: string): never => {
      throw new ScriptError(`${name}:${line}: ${what}`)
    }
    const words = raw.trim()
    if (words === '' || words.startsWith('#')) return
    const [, word = '', rest = ''] = /^(\S+)\s?(.*)$/.exec(words) ?? []
    switch (word) {
      case 'expect':
        if (rest === '') fail('expect needs the text to wait for')
        steps.push({ kind: 'expect', line, text: rest, limitNs })
        break
      case 'send':
        steps.push({ kind: 'send', line, text: rest })
        break
      case 'at':
        steps.push(parseAt(rest, line, fail))
        break
      case 'limit': {
        const seconds = Number(rest)
        if (!(seconds > 0 && seconds <= MAX_LIMIT_SECONDS)) fail(`limit needs a number of seconds, not "${rest}"`)
        limitNs = Math.round(seconds * NS_PER_SECOND)
        break
      }
      case 'quit':
        if (rest !== '') fail(`quit stands alone, without "${rest}"`)
        steps.push({ kind: 'quit', line })
        break
      default:
        fail(`"${word}" is no word of a script; ${FORMS}`)
    }
  })
  return { name, steps }
}

function parseAt(rest: string, line: number, fail: (what: string) => never): ScriptStep {
  const [, count = '', text = ''] = /^(\d+)\s+send(?:\s(.*))?$/.exec(rest) ?? fail('an at line is: at ICOUNT send TEXT')
  const icount = Number(count)
  if (!Number.isSafeInteger(icount)) fail(`${count} is too large for an instruction count`)
  return { kind: 'at', line, icount, text }
}
