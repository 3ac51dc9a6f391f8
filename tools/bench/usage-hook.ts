/**
 * Loaded into a measured process of the project (`node --import`): as it exits, it writes what it has used to file
 * descriptor 3, where the bench reads it.
 */
import { readFileSync, writeSync } from 'node:fs'
import { parseMappings, readUsage } from './usage.ts'

const REPORT_DESCRIPTOR = 3
/** Guests have more. */
const MIN_MAPPING_BYTES = 16 << 20

process.on('exit', () => {
  const mappings = parseMappings(readFileSync('/proc/self/smaps', 'latin1'), MIN_MAPPING_BYTES)
  writeSync(REPORT_DESCRIPTOR, JSON.stringify({ ...readUsage('self'), mappings }))
})
