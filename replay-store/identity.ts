/**
 * A journal's identity: SHA-256 over its canonical entries, uncompressed. It knows nothing of frames, segments or
 * compression, so two recordings are equal exactly when their identities are.
 */
import { createHash } from 'node:crypto'
import type { LogSink, Message, NodeName } from '../bus/mod.ts'
import { identityPrefix, NodeTable } from './codec.ts'
import { EntryEncoder } from './entry-encoder.ts'
import type { FlatEntry } from './flat-entry.ts'

/** SHA-256 of `bytes`, in hexadecimal. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** The identity of entries that come as canonical bytes, in pieces of any size. */
export class IdentityHash {
  readonly #hash

  constructor(nodes: NodeTable) {
    this.#hash = createHash('sha256').update(identityPrefix(nodes))
  }

  update(canonicalBytes: Uint8Array): void {
    this.#hash.update(canonicalBytes)
  }

  /** The identity of what was given so far, in hexadecimal; more may follow. */
  digest(): string {
    return this.#hash.copy().digest('hex')
  }
}

/** A call into the hash costs as much as encoding an entry: entries are gathered first. */
const GATHER_BYTES = 32 * 1024

/** A log sink that keeps nothing but the identity. `nodes` is the node table of the recording it is compared with. */
export class JournalHasher implements LogSink {
  readonly #encoder: EntryEncoder
  readonly #identity: IdentityHash
  #entryCount = 0

  constructor(nodes: readonly NodeName[]) {
    const table = new NodeTable(nodes)
    this.#encoder = new EntryEncoder(table)
    this.#identity = new IdentityHash(table)
  }

  /** Entries appended so far. */
  get entryCount(): number {
    return this.#entryCount
  }

  append(message: Message): void {
    this.#encoder.encode(message)
    this.#appended()
  }

  /** Takes the next entry laid flat, its nodes by their places in the node table. */
  appendEntry(entry: FlatEntry): void {
    this.#encoder.encodeEntry(entry)
    this.#appended()
  }

  #appended(): void {
    this.#entryCount++
    if (this.#encoder.length >= GATHER_BYTES) this.#drain()
  }

  #drain(): void {
    this.#identity.update(this.#encoder.view())
    this.#encoder.drop(this.#encoder.length)
  }

  /** The identity of the entries so far, in hexadecimal; more may follow. */
  digest(): string {
    this.#drain()
    return this.#identity.digest()
  }
}
