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

/** Machine code of guests' regions, as the command line keeps it from run to run. */
export function machineCodeDirectory(): string {
  return join(cacheDirectory(), 'machine-code')
}
