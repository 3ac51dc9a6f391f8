/**
 * An instance of `assembly/journal.ts`, which is AssemblyScript, and its memory: `assembly/README.md` says why, and how it is
 * compiled.
 */
import { readFileSync } from 'node:fs'
import { RECORD_LENGTH } from './entry-record.ts'
import { FlatEntry } from './flat-entry.ts'

/** What `assembly/journal.ts` exports: places in the memory and lengths are in bytes. */
export interface JournalExports {
  readonly memory: WebAssembly.Memory
  readonly record: WebAssembly.Global
  readonly forms: WebAssembly.Global
  readonly greatest: WebAssembly.Global
  readonly places: WebAssembly.Global
  dataFor(length: number): number
  encode(dataLength: number): number
  bytesAt(): number
  waiting(): number
  drop(length: number): void
  lastEntryVt(): number
  lastEntryIcount(): number
  setJournal(nsPerInstruction: number, gridKind: number): void
  add(dataLength: number): number
  batchFor(length: number): number
  isBatchDone(): number
  addSome(full: number, lastKind: number): number
  waitedBefore(): number
  batchFault(): number
  firstEntryIcount(): number
  firstEntryVt(): number
  rowCount(): number
  rowAt(id: number): number
  finish(dictionaryLength: number): number
  bodyLength(): number
}

let module: WebAssembly.Module | undefined

/** What entries are laid into, and what is made of them lies in. One serves one journal. */
export class JournalMemory {
  readonly exports: JournalExports
  /** The entry in the instance's record. */
  readonly entry: FlatEntry
  /** The texts of shapes by their numbers: names of address spaces, which are few. */
  readonly texts: string[] = []
  #bytes: Uint8Array<ArrayBuffer>

  constructor() {
    module ??= new WebAssembly.Module(readFileSync(new URL('assembly/journal.wasm', import.meta.url)))
    this.exports = new WebAssembly.Instance(module, {}).exports as unknown as JournalExports
    this.#bytes = new Uint8Array(this.exports.memory.buffer)
    this.entry = new FlatEntry(this.#record())
  }

  /** All of it; good until the next call of the instance. */
  get bytes(): Uint8Array<ArrayBuffer> {
    this.look()
    return this.#bytes
  }

  /** After a call, and before `entry` is used: looks whether the memory has grown, which leaves views of it empty. */
  look(): void {
    if (this.#bytes.length > 0) return
    this.#bytes = new Uint8Array(this.exports.memory.buffer)
    this.entry.record = this.#record()
  }

  /** Puts the bytes of the entry's field of bytes, or of its text, where they belong; returns how many those are. */
  setData(data: Uint8Array): number {
    const at = this.exports.dataFor(data.length)
    this.bytes.set(data, at)
    return data.length
  }

  /** What stands for `text` in the record. */
  textNumber(text: string): number {
    const known = this.texts.indexOf(text)
    return known < 0 ? this.texts.push(text) - 1 : known
  }

  #record(): Float64Array {
    return new Float64Array(this.exports.memory.buffer, this.exports.record.value, RECORD_LENGTH)
  }
}
