/**
 * Requests that a handler makes while it runs. Author a handler as a generator and delegate to these:
 * `const descriptor = yield* dmaRead(address, 16)`.
 */
import assert from 'node:assert/strict'
import { type AccessSize, type NodeName, type Sequence, SYSTEM_MEMORY } from '../../bus/mod.ts'

/** `length` bytes of guest memory at physical `address`, or of the device's own memory region `target`. */
export function* dmaRead(address: number, length: number, target = SYSTEM_MEMORY): Sequence<Uint8Array> {
  const bytes = yield { request: 'dmaRead', target, address, length }
  assert(bytes instanceof Uint8Array && bytes.length === length, 'a dmaRead resumes with the bytes asked for')
  return bytes
}

/** Writes `bytes` to guest memory at physical `address`, or to the device's own memory region `target`. */
export function* dmaWrite(address: number, bytes: Uint8Array, target = SYSTEM_MEMORY): Sequence<void> {
  yield { request: 'dmaWrite', target, address, bytes }
}

/** Moves `length` bytes between guest memory and the device's own regions, each named as `dmaRead` names them; nobody sees them. */
export function* dmaCopy(
  from: { target?: number; address: number },
  to: { target?: number; address: number },
  length: number,
): Sequence<void> {
  const { target: fromTarget = SYSTEM_MEMORY, address: fromAddress } = from
  const { target: toTarget = SYSTEM_MEMORY, address: toAddress } = to
  yield { request: 'dmaCopy', from: fromTarget, fromAddress, to: toTarget, toAddress, length }
}

/** Reads register `offset` of region number `region` of device `dst`, at this same virtual time. */
export function* readDevice(dst: NodeName, region: number, offset: number, size: AccessSize): Sequence<number> {
  const value = yield { request: 'access', dst, access: { kind: 'read', region, offset, size } }
  assert(typeof value === 'number', 'an access that reads resumes with a value')
  return value
}

/** Writes register `offset` of region number `region` of device `dst`, at this same virtual time. */
export function* writeDevice(
  dst: NodeName,
  region: number,
  offset: number,
  size: AccessSize,
  value: number,
): Sequence<void> {
  yield { request: 'access', dst, access: { kind: 'write', region, offset, size, value } }
}
