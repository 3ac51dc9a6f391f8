/**
 * Where things are in a recording's directory.
 *
 *     NAME.ank/
 *       manifest.json                  manifest.ts
 *       images/SHA256                  guest images, by content
 *       journal/000000.segment ...     sealed segments, segment.ts
 *       journal/000012.tail            the segment being written, tail.ts
 *       drives/ide.disk0               perhaps: what the run read of a drive's image, drive.ts
 *       checkpoints/000001 ...         perhaps: states to start from, checkpoint.ts; nothing but speed needs them
 *       hot-code                       perhaps: what the recorder found worth translating; nothing but speed needs it
 *
 * A `.tmp` file is one that a crash kept from being renamed; it is never read.
 */
import { join } from 'node:path'

export const manifestPath = (directory: string): string => join(directory, 'manifest.json')
export const imagesPath = (directory: string): string => join(directory, 'images')
export const imagePath = (directory: string, sha256: string): string => join(directory, 'images', sha256)
export const journalPath = (directory: string): string => join(directory, 'journal')

export const drivesPath = (directory: string): string => join(directory, 'drives')
export const drivePath = (directory: string, name: string): string => join(drivesPath(directory), name)

export const hotCodePath = (directory: string): string => join(directory, 'hot-code')

const numbered = (number: number): string => String(number).padStart(6, '0')

export const segmentPath = (directory: string, number: number): string =>
  join(journalPath(directory), `${numbered(number)}.segment`)
export const tailPath = (directory: string, number: number): string =>
  join(journalPath(directory), `${numbered(number)}.tail`)

export const checkpointsPath = (directory: string): string => join(directory, 'checkpoints')
export const checkpointPath = (directory: string, number: number): string =>
  join(checkpointsPath(directory), numbered(number))

const CHECKPOINT_FILE = /^\d{6,}$/

/** The number of a checkpoint's file; `undefined` for other files. */
export function checkpointFile(name: string): number | undefined {
  return CHECKPOINT_FILE.test(name) ? Number(name) : undefined
}

const JOURNAL_FILE = /^(\d{6,})\.(segment|tail)$/

/** The segment that a file of the journal's directory is of; `undefined` for other files. */
export function journalFile(name: string): { number: number; sort: 'segment' | 'tail' } | undefined {
  const match = JOURNAL_FILE.exec(name)
  return match === null ? undefined : { number: Number(match[1]), sort: match[2] as 'segment' | 'tail' }
}
