/**
 * What runs make of guests' code, kept from run to run in the cache: the machine code of regions in a database, and by guest the
 * blocks that were lifted in a file. They are of one version of what makes them. Nothing depends on them but speed.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { cachedDataVersionTag } from 'node:v8'
import { crc32 } from 'node:zlib'
import { LiftedCode, MachineCode, machineCodeLacks, type StoredRegion } from '../../cpu-node/mod.ts'
import type { Recording } from '../../replay-store/mod.ts'
import { codeDirectory } from '../guests/cache-directory.ts'
import { keepLatest, replaceFile } from './kept-files.ts'
import { note } from './output.ts'
import { recordedKernelHash } from './recorded-images.ts'

/** Of machine code. A boot's is 20 MB. */
const MOST_BYTES = 128 << 20
/** Of it so much stays when there is no room: what was used last. */
const KEPT_FRACTION = 3 / 4
/**
 * Of lifted code the files stay that were used last. A Debian boot's is 13 MB, a small program's 20 KB. Unpacking a third as much
 * takes longer than reading it.
 */
const LIFTED_KEPT = { files: 31, bytes: 128 << 20 }
/** With those that a run was killed amid writing. */
const LIFTED_FILE = /\.lifted(\.|$)/
const CHECKSUM_BYTES = 4
/** Databases of other versions that stay, the latest: who goes to and fro between two has both. */
const OTHERS_KEPT = 1
const DATABASE_FILE = /\.db$/
/** What lifts code, makes WebAssembly of it, and lays out what that works on; tests change none of it. */
const SOURCE_FOLDERS = ['cpu-node', 'bus']
const SOURCE_FILE = /(?<!\.test)\.ts$/
/** How long a run waits for another that is writing. */
const BUSY_MS = 2000
const HOUR_MS = 3_600_000

/** When a region was used last is apart from it: noting that does not write it anew. */
const SCHEMA = `
  PRAGMA page_size = 32768;
  CREATE TABLE IF NOT EXISTS regions (key TEXT PRIMARY KEY, content INTEGER, bytes INTEGER, hour INTEGER) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS contents (id INTEGER PRIMARY KEY, pcs BLOB, wasm BLOB, machineCode BLOB, checksum INTEGER)`
const FIND = 'SELECT pcs, wasm, machineCode, checksum FROM regions JOIN contents ON content = id WHERE key = ?'

/** Machine code is for one version of Ananke, of V8 and its flags, and for one kind of processor. */
function identity(): string {
  const hash = createHash('sha256').update(String(cachedDataVersionTag()))
  for (const folder of SOURCE_FOLDERS) {
    const directory = fileURLToPath(new URL(`../../${folder}`, import.meta.url))
    const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => SOURCE_FILE.test(name))
    for (const name of files.sort()) hash.update(`${folder}/${name}\0`).update(readFileSync(join(directory, name)))
  }
  return hash.digest('hex')
}

/** What earlier runs have left, of regions those of any guest, and where this one's goes. */
export class CachedCode {
  /** Undefined where none can be kept. */
  readonly machineCode: MachineCode | undefined
  readonly liftedCode: LiftedCode
  readonly #machinePath: string
  readonly #liftedPath: string
  readonly #mostBytes: number
  #database: DatabaseSync | undefined
  /** What is in the database can not be used. */
  #isSpoilt = false

  /** `guest`: as `guestName` gives it. `mostBytes`: of machine code. */
  constructor(guest: string, directory = codeDirectory(), mostBytes = MOST_BYTES) {
    const version = identity()
    this.#mostBytes = mostBytes
    this.#machinePath = join(directory, `${version}.db`)
    this.#liftedPath = join(directory, `${createHash('sha256').update(version).update(guest).digest('hex')}.lifted`)
    this.liftedCode = attempt(this.#liftedPath, () => readLifted(this.#liftedPath)) ?? new LiftedCode()
    if (machineCodeLacks !== undefined) return
    this.#attempt(() => {
      if (statSync(this.#machinePath, { throwIfNoEntry: false }) === undefined) return
      this.#database = new DatabaseSync(this.#machinePath, { timeout: BUSY_MS, readOnly: true })
    })
    const find = this.#attempt(() => this.#database?.prepare(FIND))
    this.machineCode = new MachineCode((key) => {
      if (find === undefined || this.#isSpoilt) return undefined
      return this.#attempt(() => checked(key, find.get(key)))
    })
  }

  #attempt<T>(work: () => T): T | undefined {
    return attempt(this.#machinePath, work, () => {
      this.#isSpoilt = true
    })
  }

  /** Keeps what the run made. A failure is no more than a note: the run itself is done. */
  keep(): void {
    this.#database?.close()
    this.#database = undefined
    keeping(this.#machinePath, () => {
      if (this.machineCode === undefined) return
      if (this.#isSpoilt || this.machineCode.isRefused) rmSync(this.#machinePath, { force: true })
      writeMachineCode(this.#machinePath, this.machineCode, this.#mostBytes)
    })
    keeping(this.#liftedPath, () => writeLifted(this.#liftedPath, this.liftedCode))
  }
}

/** What `work` gives; undefined, with a note, where what is stored in `path` turns out not to be of use. */
function attempt<T>(path: string, work: () => T, onFailure?: () => void): T | undefined {
  try {
    return work()
  } catch (error) {
    onFailure?.()
    note(`${path}: ${(error as Error).message}; it is made anew, and this run starts slower`)
    return undefined
  }
}

function keeping(path: string, work: () => void): void {
  try {
    work()
  } catch (error) {
    note(`${path}: cannot be written (${(error as Error).message}); the next run starts slower`)
  }
}

/** What a machine runs, as far as lifting its code depends on it. `kernelHash`: SHA-256 of the kernel's file. */
export function guestName(machine: string, kernelHash: string): string {
  return `${machine} ${kernelHash}`
}

export function recordedGuestName(recording: Recording): string {
  return guestName(recording.manifest.board.name, recordedKernelHash(recording) ?? '')
}

function checksumOf(key: string, { pcs, wasm, machineCode }: Record<keyof StoredRegion, Uint8Array>): number {
  return [pcs, wasm, machineCode].reduce((sum, part) => crc32(part, sum), crc32(key))
}

/** A row of `FIND`. Throws where it is not what was written. */
function checked(key: string, row: Record<string, unknown> | undefined): StoredRegion | undefined {
  if (row === undefined) return undefined
  const { pcs, wasm, machineCode, checksum } = row as Record<keyof StoredRegion, Uint8Array> & { checksum: number }
  const isWhole =
    [pcs, wasm, machineCode].every((part) => part instanceof Uint8Array) &&
    checksumOf(key, { pcs, wasm, machineCode }) === checksum
  if (!isWhole) throw new Error('it is damaged')
  return { pcs: new Int32Array(new Uint8Array(pcs).buffer), wasm, machineCode }
}

function writeMachineCode(path: string, machineCode: MachineCode, mostBytes: number): void {
  const made = [...machineCode.made()]
  const isNew = statSync(path, { throwIfNoEntry: false }) === undefined
  if (made.length === 0 && isNew) return
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const database = new DatabaseSync(path, { timeout: BUSY_MS })
  try {
    // Where the host fails amid this, the checksums tell.
    database.exec('PRAGMA synchronous = OFF')
    if (isNew) database.exec(SCHEMA)
    database.exec('BEGIN IMMEDIATE')
    const hour = Math.floor(Date.now() / HOUR_MS)
    const use = database.prepare('UPDATE regions SET hour = ? WHERE key = ? AND hour < ?')
    for (const key of machineCode.taken) use.run(hour, key, hour)
    const insertContent = database.prepare('INSERT INTO contents VALUES (NULL, ?, ?, ?, ?)')
    const insert = database.prepare('INSERT OR IGNORE INTO regions VALUES (?, last_insert_rowid(), ?, ?)')
    for (const [key, region] of made) {
      const { wasm, machineCode } = region
      const pcs = new Uint8Array(region.pcs.buffer)
      insertContent.run(pcs, wasm, machineCode, checksumOf(key, { pcs, wasm, machineCode }))
      insert.run(key, pcs.length + wasm.length + machineCode.length, hour)
    }
    bound(database, mostBytes)
    database.exec('COMMIT')
  } finally {
    database.close()
  }
  if (isNew) keepLatest(path, DATABASE_FILE, { files: OTHERS_KEPT })
}

/** Removes the machine code that was used longest ago, where there is too much. */
function bound(database: DatabaseSync, mostBytes: number): void {
  const { total } = database.prepare('SELECT total(bytes) AS total FROM regions').get() as { total: number }
  if (total <= mostBytes) return
  let left = total
  const remove = database.prepare('DELETE FROM regions WHERE key = ?')
  for (const row of database.prepare('SELECT key, bytes FROM regions ORDER BY hour').all()) {
    if (left <= mostBytes * KEPT_FRACTION) break
    left -= row['bytes'] as number
    remove.run(row['key']!)
  }
  database.exec('DELETE FROM contents WHERE id NOT IN (SELECT content FROM regions)')
}

/** Undefined where there is none. Throws where it is not what was written. */
function readLifted(path: string): LiftedCode | undefined {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return undefined
  const file = readFileSync(path)
  const end = file.length - CHECKSUM_BYTES
  if (end < 0 || crc32(file.subarray(0, end)) !== file.readUInt32LE(end)) throw new Error('it is damaged')
  return new LiftedCode(file.subarray(0, end))
}

function writeLifted(path: string, liftedCode: LiftedCode): void {
  if (!liftedCode.isWorthKeeping) {
    const now = new Date()
    if (statSync(path, { throwIfNoEntry: false }) !== undefined) utimesSync(path, now, now)
    return
  }
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const bytes = liftedCode.encode()
  const checksum = Buffer.alloc(CHECKSUM_BYTES)
  checksum.writeUInt32LE(crc32(bytes))
  replaceFile(path, [bytes, checksum])
  keepLatest(path, LIFTED_FILE, LIFTED_KEPT)
}
