/**
 * Files that runs keep for later ones: whole or not there, and not more than there is use for.
 */
import { readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { threadId } from 'node:worker_threads'

/** Writes `path`, whose directory there is, at one go: who reads it has what was there before, or all of this. Throws as `fs` does. */
export function replaceFile(path: string, parts: readonly Uint8Array[]): void {
  const temporary = `${path}.${process.pid}.${threadId}.tmp`
  try {
    writeFileSync(temporary, '')
    for (const part of parts) writeFileSync(temporary, part, { flag: 'a' })
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
}

/** Of the files of a kind beside `path` those that were written or used last stay: so many, and as long as they have so many bytes. */
export function keepLatest(path: string, kind: RegExp, others: { files: number; bytes?: number }): void {
  const { files, bytes = Infinity } = others
  const known = readdirSync(dirname(path))
    .filter((name) => kind.test(name))
    .map((name) => join(dirname(path), name))
    .filter((file) => file !== path)
    // Another run may be done with it by now.
    .map((file) => ({ file, ...sizeAndTime(file) }))
    .sort((a, b) => b.writtenMs - a.writtenMs)
  let total = 0
  for (const [index, { file, size }] of known.entries()) {
    total += size
    if (index >= files || total > bytes) rmSync(file, { force: true })
  }
}

function sizeAndTime(file: string): { size: number; writtenMs: number } {
  const found = statSync(file, { throwIfNoEntry: false })
  return { size: found?.size ?? 0, writtenMs: found?.mtimeMs ?? 0 }
}
