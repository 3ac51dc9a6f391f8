/** Memory for bytes that pass by often, as frames of a network do. */

/** Room for some bytes, not cleared. Where they are few it is a part of a pool: memory of its own takes longer to get than to fill. */
export function uncleared(bytes: number): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset } = Buffer.allocUnsafe(bytes)
  return new Uint8Array(buffer, byteOffset, bytes)
}

/** A copy, of a `Buffer` too, whose own `slice` makes none. */
export function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = uncleared(bytes.length)
  copy.set(bytes)
  return copy
}
