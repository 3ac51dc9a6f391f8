/**
 * Where all that can be had again is kept.
 */
import { homedir } from 'node:os'
import { join } from 'node:path'

/** `$XDG_CACHE_HOME/ananke`. */
export function cacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const base = environment['XDG_CACHE_HOME']
  return join(base === undefined || base === '' ? join(homedir(), '.cache') : base, 'ananke')
}

/** What the command line keeps from run to run of what it made of guests' code. */
export function codeDirectory(): string {
  return join(cacheDirectory(), 'code')
}
