/**
 * The machine code of guests' regions, kept from run to run in a database in the cache: one for each version of what makes it.
 * Nothing depends on it but speed.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { cachedDataVersionTag } from 'node:v8'
import { crc32 } from 'node:zlib'
import { MachineCode, machineCodeLacks, type StoredRegion } from '../../cpu-node/mod.ts'
import { machineCodeDirectory } from '../guests/cache-directory.ts'
import { note } from './output.ts'

/** A boot's is 20 MB. */
const MOST_BYTES = 128 << 20
/** Of it so much stays when there is no room: what was used last. */
const KEPT_FRACTION = 3 / 4
/** Databases of other versions that stay, the latest: who goes to and fro between two has both. */
const OTHERS_KEPT = 1
/** What makes WebAssembly of a region, and lays out what that works on; tests change none of it. */
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

/** What earlier runs of any guest have left, and where this one's goes. */
export class CachedMachineCode {
  /** Undefined where none can be kept. */
  readonly machineCode: MachineCode | undefined
  readonly #path: string
  readonly #mostBytes: number
  #database: DatabaseSync | undefined
  /** What is there can not be used. */
  #isSpoilt = false

  /** `directory`: of all versions' databases; `mostBytes`: of machine code, in one. */
  constructor(directory = machineCodeDirectory(), mostBytes = MOST_BYTES) {
    this.#mostBytes = mostBytes
    if (machineCodeLacks !== undefined) {
      this.#path = ''
      return
    }
    this.#path = join(directory, `${identity()}.db`)
    this.#attempt(() => {
      if (statSync(this.#path, { throwIfNoEntry: false }) === undefined) return
      this.#database = new DatabaseSync(this.#path, { timeout: BUSY_MS, readOnly: true })
    })
    const find = this.#attempt(() => this.#database?.prepare(FIND))
    this.machineCode = new MachineCode((key) => {
      if (find === undefined || this.#isSpoilt) return undefined
      return this.#attempt(() => checked(key, find.get(key)))
    })
  }

  /** What `work` gives; undefined where what is stored turns out not to be of use. */
  #attempt<T>(work: () => T): T | undefined {
    try {
      return work()
    } catch (error) {
      this.#isSpoilt = true
      note(`${this.#path}: ${(error as Error).message}; it is made anew, and this run starts slower`)
      return undefined
    }
  }

  /** Keeps what the run made. A failure is no more than a note: the run itself is done. */
  keep(): void {
    this.#database?.close()
    this.#database = undefined
    if (this.machineCode === undefined) return
    try {
      if (this.#isSpoilt || this.machineCode.isRefused) rmSync(this.#path, { force: true })
      write(this.#path, this.machineCode, this.#mostBytes)
    } catch (error) {
      note(`${this.#path}: cannot be written (${(error as Error).message}); the next run starts slower`)
    }
  }
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

function write(path: string, machineCode: MachineCode, mostBytes: number): void {
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
  if (isNew) removeOthers(path)
}

/** Removes what was used longest ago, where there is too much. */
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

function removeOthers(path: string): void {
  const others = readdirSync(dirname(path))
    .map((name) => join(dirname(path), name))
    .filter((other) => other.endsWith('.db') && other !== path)
    .map((other) => ({ other, writtenMs: statSync(other, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((a, b) => b.writtenMs - a.writtenMs)
  for (const { other } of others.slice(OTHERS_KEPT)) rmSync(other, { force: true })
}
