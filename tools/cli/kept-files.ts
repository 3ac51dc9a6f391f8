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

/** Of the files of a kind beside `path` the `others` that were written or used last stay. */
export function keepLatest(path: string, kind: RegExp, others: number): void {
  const files = readdirSync(dirname(path))
    .filter((name) => kind.test(name))
    .map((name) => join(dirname(path), name))
    .filter((file) => file !== path)
    // Another run may be done with it by now.
    .map((file) => ({ file, writtenMs: statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((a, b) => b.writtenMs - a.writtenMs)
  for (const { file } of files.slice(others)) rmSync(file, { force: true })
}
