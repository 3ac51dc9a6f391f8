/**
 * Digests: by these two runs, or a run and its replay, are found to agree.
 */
import assert from 'node:assert/strict'
import { createHash, type Hash } from 'node:crypto'
import type { DeviceHost, MachineContents, NodeName } from '../bus/mod.ts'
import { FORMAT_VERSION } from '../replay-store/mod.ts'

/**
 * The digest of a run, hexadecimal: SHA-256 over the journal's identity (32 bytes), the CPU node's final state and what was written to
 * disks.
 * `formatVersion`: that of the recording.
 */
export function runDigest(identity: string, contents: MachineContents, formatVersion = FORMAT_VERSION): string {
  const hash = createHash('sha256').update(Buffer.from(identity, 'hex'))
  const pages = formatVersion === 1 ? 'whole' : 'hashed'
  contents.digest((bytes) => {
    hash.update(bytes)
  }, pages)
  return hash.digest('hex')
}

/** SHA-256 of each device's state, outputs and timer included. Hexadecimal, by name. */
export function deviceDigests(hosts: readonly DeviceHost[]): Record<NodeName, string> {
  return Object.fromEntries(hosts.map((host) => [host.name, stateDigest(host.save())]))
}

/**
 * SHA-256 of a saved state: plain objects (their keys in sorted order), arrays, strings, numbers, booleans, null and byte
 * arrays. Each value is preceded by its type and, where it has one, its length, so that no two states read the same.
 */
export function stateDigest(state: unknown): string {
  const hash = createHash('sha256')
  feed(hash, state)
  return hash.digest('hex')
}

function feed(hash: Hash, value: unknown): void {
  if (value === null || typeof value === 'boolean') {
    hash.update(`${value};`)
  } else if (typeof value === 'number') {
    assert(!Number.isNaN(value), 'a saved state holds no NaN')
    hash.update(`n${Object.is(value, -0) ? '-0' : value};`)
  } else if (typeof value === 'string') {
    hash.update(`s${Buffer.byteLength(value)}:${value}`)
  } else if (value instanceof Uint8Array) {
    hash.update(`b${value.length}:`).update(value)
  } else if (Array.isArray(value)) {
    hash.update(`a${value.length}:`)
    for (const item of value) feed(hash, item)
  } else {
    assert(
      typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype,
      `a saved state holds ${value}`,
    )
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
    hash.update(`o${entries.length}:`)
    for (const [key, item] of entries) {
      feed(hash, key)
      feed(hash, item)
    }
  }
}
