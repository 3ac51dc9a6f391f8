/**
 * A card's link: whether anybody is at the other end of its cable. To a card, an `input` of one byte, which no frame is, says so: 1 for
 * up, 0 for down. A machine starts with its links up.
 */

/** What tells a card of its link. */
export function linkInput(isUp: boolean): Uint8Array {
  return Uint8Array.of(isUp ? 1 : 0)
}

/** What an `input` says of the link; undefined: it is a frame. */
export function readLink(bytes: Uint8Array): boolean | undefined {
  return bytes.length === 1 ? bytes[0] !== 0 : undefined
}
